"""Say where the product stands: verdict, registered version, and what to type next.

Reads the contract, the reports, what is labelled, the artefact, the registry, git, and ``STARTED`` (seconds since 1970)
where make sets it: at the end of ``make``, a version that the registry has lost, or a new one never had, is registered
there once more. Else writes nothing. Run: ``make status``.
"""

import os
import time

from fullstack_ml.modeling.accept.__main__ import as_line
from fullstack_ml.modeling.study.readiness import came_home, labelled, of_another_contract, shortfalls, split_shares
from fullstack_ml.modeling.study.repro import repro
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Product
from fullstack_ml.registry.registration import lost, standing
from fullstack_ml.workspace import git
from fullstack_ml.workspace.errors import UserError, guard
from fullstack_ml.workspace.files import read_json
from fullstack_ml.workspace.paths import ACCEPTANCE, EVALUATION, LABELS, RAW, ROUNDS

# Not `commit -a`: it leaves out what is new, such as the report on the first version.
NAMED = 25  # labels that are named with their records, of as many at most
KEEP = {"git add -A && git commit": "keep what this run wrote beside what it was made from"}
NEXT = {
    "make mlflow": "review, compare and find the champion in the browser",
    "make sweep": "search better parameters, then make adopt",
    "make help": "the lifecycle, command by command",
}


def on_the_way(product: Product, made_before: bool) -> list[str]:
    """Say where a product without verdicts stands on the way to its first model.

    Raises:
        UserError: if nothing has run yet.
    """
    counts, manifest = labelled(), RAW / "manifest.json"
    if not manifest.exists() and not made_before:
        raise UserError("the pipeline has not run", str(ACCEPTANCE), "make")
    lines = [f"\n{product.service.name}: no verdicts yet"]
    if made_before:
        lines.append("the last verdicts were reached for another contract; product.yaml has changed since")
    if manifest.exists():
        lines.append(f"records: {sum(shard['rows'] for shard in read_json(manifest)['shards'])}")
    if counts is not None:
        few = sorted(counts.items()) if len(counts) <= NAMED else []  # numbers are as many as records
        said = ", ".join(f"{name} {count}" for name, count in few)
        lines.append(f"labelled: {sum(counts.values())}" + (f" ({said})" if said else ""))
    if home := came_home():
        # Stage register, the last one, wants them in git.
        keep = "git add -A && git commit, then " if git.git("status", "--porcelain", str(LABELS), str(ROUNDS)) else ""
        return [*lines, f"{home} labels came home and are not counted yet", f"next: {keep}make"]
    lacking = shortfalls(counts, product, split_shares()) if counts is not None else []
    lines += [f"not yet: {one.what}\n  {one.fix}" for one in lacking]
    return lines if lacking else [*lines, "next: make"]


def registration() -> tuple[list[str], dict[str, str]]:
    """Say where the accepted model stands in the registry; at the end of ``make``, have it there first."""
    if "STARTED" in os.environ and lost():
        print("the registry does not have this model: registering it once more", flush=True)
        repro("--force", "--single-item", "register")  # nothing that DVC knows of has changed
    return standing()


def main() -> None:
    """Print the state of the last pipeline run."""
    product = load()
    acceptance = read_json(ACCEPTANCE) if ACCEPTANCE.exists() else None
    if acceptance is None or of_another_contract(acceptance, product):
        print("\n".join(on_the_way(product, made_before=acceptance is not None)))
        return
    evaluation = read_json(EVALUATION)
    tested = f"{evaluation['records']} {'records out of fold' if evaluation.get('folds') else 'test records'}"
    print(f"\n{product.service.name}: model {evaluation['model']} on {tested}")
    print("\n".join(map(as_line, acceptance["verdicts"])))
    rejected = [f"rejected by {', '.join(acceptance['failed'])}"], dict[str, str]()
    lines, first = registration() if acceptance["accepted"] else rejected
    print("\n".join(lines))
    if home := came_home():
        print(f"{home} labels came home since: the verdicts are of the data before")
        first = {"make": "train and judge with them", **first}
    if os.environ.get("STARTED", "").isdecimal():
        print(f"took: {time.time() - int(os.environ['STARTED']):.0f} s")
    keep = KEEP if git.git("status", "--porcelain") else {}
    print("next:")
    for command, purpose in {**keep, **first, **NEXT}.items():
        print(f"  {command:<24}  {purpose}")


if __name__ == "__main__":
    guard(main)
