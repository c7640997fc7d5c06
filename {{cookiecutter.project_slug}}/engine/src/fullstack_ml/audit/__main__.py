"""Score the lifecycle from evidence: the ML Test Score, the hidden technical debts, and roles: ``make audit``.

Nothing is claimed: every test names the file, run or command that proves it, and its day. Reads the work tree,
``reports/``, the registry and the prediction log; writes ``reports/audit.json`` and ``reports/audit.html``.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from fullstack_ml.audit.debts import debts, own_lines
from fullstack_ml.audit.evidence import Evidence
from fullstack_ml.audit.looks import scored
from fullstack_ml.audit.proof import today
from fullstack_ml.audit.roles import named, steps
from fullstack_ml.audit.rubric import SECTIONS, TESTS
from fullstack_ml.pages.render import html
from fullstack_ml.pages.words import words
from fullstack_ml.workspace.errors import UserError, guard
from fullstack_ml.workspace.files import write_json, write_text
from fullstack_ml.workspace.paths import AUDIT, AUDIT_PAGE

TEMPLATES = Path(__file__).parent / "templates"
# What a score means, by the paper: of the weakest section, up to each number.
STRONG = 3.5  # of the weakest section, from which on the paper calls a project strong
BANDS = [
    (0.0, "a research project rather than a product"),
    (1.0, "not totally untested, but it is worth considering that there may be serious holes"),
    (2.0, "a first pass at basic productionisation"),
    (3.0, "reasonably tested"),
    (5.0, "strong levels of automated testing and monitoring"),
    (7.0, "exceptional levels of automated testing and monitoring"),
]


def report(evidence: Evidence) -> dict[str, Any]:
    """Score everything."""
    rows: list[dict[str, Any]] = []
    for test in TESTS:
        score, proofs = scored(test, evidence)
        about = {"id": test.id, "section": SECTIONS[test.id[0]], "test": test.says, "score": score}
        rows.append(about | {"proofs": [asdict(proof) for proof in proofs], "next": "" if score == 1 else test.fix})
    sums: dict[str, float] = dict.fromkeys(SECTIONS.values(), 0.0)
    for row in rows:
        sums[row["section"]] += row["score"]
    minimum = min(sums.values())
    return {
        "audited_on": today(),
        "minimum": minimum,
        "means": next(said for limit, said in BANDS if minimum <= limit),
        "sections": sums,
        "tests": rows,
        "debts": [asdict(debt) | {"held": debt.held} for debt in debts(evidence)],
        "roles": [asdict(step) for step in steps(evidence.product)],
        "named_elsewhere": named(evidence.product),
        "own_lines": own_lines(),
    }


def main() -> None:
    """Write the report and the page; print the sums."""
    evidence = Evidence()
    found = report(evidence)
    write_json(AUDIT, found)
    wanted = evidence.product.audit
    limit = wanted.minimum if wanted else STRONG
    write_text(AUDIT_PAGE, html(TEMPLATES, "audit.html.j2", report=found, wanted=limit, product=evidence.product))
    for name, total in found["sections"].items():
        missing = [row["id"] for row in found["tests"] if row["section"] == name and row["score"] < 1]
        print(f"  {name:<16}{total:.1f} of 7" + (f"   not whole: {', '.join(missing)}" if missing else ""))
    held = sum(debt["held"] for debt in found["debts"])
    gaps = sum(len(step["gaps"]) for step in found["roles"])
    print(f"  {'debts':<16}{held} of {len(found['debts'])} held")
    print(f"  {'roles':<16}{gaps} gaps" if gaps else f"  {'roles':<16}no gap")
    print(f"minimum {found['minimum']:.1f}")
    print(words("audit: every proof, and what to do next: %(page)s", page=AUDIT_PAGE))
    if wanted and found["minimum"] < wanted.minimum:
        what = f"the minimum is {found['minimum']:.1f}, and {wanted.owner} asks for {wanted.minimum:g}: {wanted.reason}"
        raise UserError(what, "audit.minimum in product.yaml", f"see what is next in {AUDIT_PAGE}")


if __name__ == "__main__":
    guard(main)
