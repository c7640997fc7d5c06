"""The hidden technical debts of machine learning systems, one by one, with what the project shows of each.

Sculley, Holt, Golovin and others 2015, Hidden Technical Debt in Machine Learning Systems. Reads through ``evidence``;
writes nothing. ``held`` says that something keeps the debt small and fails when it does not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fullstack_ml.audit.evidence import Evidence
from fullstack_ml.audit.proof import Proof
from fullstack_ml.workspace.paths import AGREEMENT, CONTRACT, MODEL, RAW_LOCK, REPORTS, VALIDATION

ABLATION = REPORTS / "ablation.json"


@dataclass(frozen=True)
class Debt:
    """A debt: what is shown against it, and what to do where nothing is."""

    name: str
    question: str
    proofs: list[Proof]
    fix: str

    @property
    def held(self) -> bool:
        """Whether anything is shown."""
        return bool(self.proofs)


DEBTS: list[tuple[str, str, Callable[[Evidence], list[Proof]], str]] = [
    (
        "entanglement",
        "what changes when one input changes?",
        lambda e: e.report(ABLATION, "each part measured alone", "without"),
        "make ablate",
    ),
    (
        "correction cascades",
        "does a model correct another one?",
        lambda e: e.file(MODEL, "one artefact answers, and no other"),
        "make",
    ),
    (
        "undeclared consumers",
        "who uses the answers?",
        lambda e: e.logged("caller <> ''", "%(count)s answers, each with its caller"),
        "serve with SERVE_API_KEY, and let callers send x-caller",
    ),
    (
        "unstable or untracked data",
        "can the data change unseen?",
        lambda e: e.file(RAW_LOCK, "the raw data by hash, in git"),
        "make, and commit data/raw.lock",
    ),
    (
        "underused data",
        "is a feature worth its cost?",
        lambda e: e.report(ABLATION, "what each part is worth", "without"),
        "make ablate, and take out what is worth nothing",
    ),
    (
        "feedback loops",
        "do answers become labels, directly or through what users do?",
        lambda e: e.report(AGREEMENT, "labels of people and of the source told apart", "labels"),
        "make round, for labels that no answer stands behind",
    ),
    (
        "glue code",
        "how much is the project's own?",
        lambda e: e.workflow("make check"),
        "keep make check in a workflow",
    ),
    (
        "pipeline jungles",
        "is the way of the data one graph?",
        lambda e: e.file("dvc.yaml", "every stage with what it reads"),
        "new stages by make new-stage",
    ),
    (
        "dead experimental paths",
        "are old experiments still in the code?",
        lambda e: e.text("tests/*.py", "def test_a_choice_composes", "every choice of conf/ composes"),
        "remove choices that nobody takes",
    ),
    (
        "configuration debt",
        "is a wrong setting noticed?",
        lambda e: e.file(CONTRACT, "contract and settings checked before a run"),
        "make compose",
    ),
    (
        "fixed thresholds",
        "who sets the thresholds of answers?",
        lambda e: e.text("product.yaml", "error_cost:", "fitted on calibration data to the costs"),
        "state error_cost",
    ),
    (
        "data testing",
        "is data tested as code is?",
        lambda e: e.report(VALIDATION, "records against product.yaml", "valid"),
        "make validate",
    ),
    (
        "reproducibility",
        "does a run come out again?",
        lambda e: e.version("made from commit %(tag)s", "git.commit"),
        "commit, then make",
    ),
    (
        "process",
        "are many models run in one way?",
        lambda e: e.version("pipeline of a version: %(tag)s", "pipeline"),
        "make",
    ),
    (
        "culture",
        "is it told who decides?",
        lambda e: e.text("product.yaml", r"^roles:|\nroles:", "roles per step"),
        "add roles to product.yaml",
    ),
]


def debts(evidence: Evidence) -> list[Debt]:
    """Answer every debt from evidence."""
    return [Debt(name, question, look(evidence), fix) for name, question, look, fix in DEBTS]


def own_lines() -> int:
    """Count the lines of the project's own code."""
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in Path("src").rglob("*.py"))
