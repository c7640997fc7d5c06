"""Where every file of the lifecycle lies, relative to the project's root, from which all stages run.

``dvc.yaml`` names the same paths. The file ``.env`` of the root holds what differs by machine or is secret.
"""

import os
from pathlib import Path

ENVIRONMENT = Path(".env")
LOOPBACK = "127.0.0.1,localhost,::1"
PRODUCT = Path("product.yaml")
CONF = Path("conf")
PARAMS = Path("params.yaml")
LOCK = Path("dvc.lock")
ENVIRONMENT_LOCK = Path("uv.lock")
CONTRACT = Path("contract.json")

RAW = Path("data/raw")
RAW_LOCK = Path("data/raw.lock")
PULLED = Path(".labelstudio/pulled")  # copies of labels that nobody has brought home yet
LABELS = Path("data/labels")
ROUNDS = Path("data/rounds")
REJECTED = Path("data/rejected")
EXPORTS = Path("data/exports")
TOMBSTONES = Path("data/tombstones.json")
NEAR_DUPLICATES = Path("data/near_duplicates.parquet")
REVIEW = Path("data/review.parquet")
LABELLED = Path("data/labelled.parquet")
OUT_OF_SCOPE = Path("data/out_of_scope.parquet")
SPLITS = Path("data/splits")
SWEEPS = Path("sweeps")
WINNER = SWEEPS / "winner.json"

CHECKPOINTS = Path("models/checkpoints")
FOLDS = Path("models/folds")
CANDIDATE = Path("models/candidate.onnx")
MODEL = Path("models/model.onnx")
VARIANT_FILES = Path("models/variants")

REPORTS = Path("reports")
VALIDATION = REPORTS / "validation.json"
VALIDATION_PAGE = REPORTS / "validation.html"
LEAKAGE = REPORTS / "leakage.json"
FROZEN = REPORTS / "frozen.json"
AGREEMENT = REPORTS / "agreement.json"
AGREEMENT_PAGE = REPORTS / "agreement.html"
SUSPECTS = REPORTS / "suspects.json"
TRAINING = REPORTS / "training.json"
EVALUATION = REPORTS / "evaluation.json"
ERRORS = REPORTS / "errors.parquet"
ANALYSIS = REPORTS / "analysis.html"
CHANGES = REPORTS / "changes.html"
METRICS = REPORTS / "metrics.json"
PERFORMANCE = REPORTS / "performance.json"
ACCEPTANCE = REPORTS / "acceptance.json"
REGISTRATION = REPORTS / "registration.json"
PROVENANCE = REPORTS / "provenance.json"
LINEAGE_PAGE = REPORTS / "lineage.html"
AUDIT = REPORTS / "audit.json"
AUDIT_PAGE = REPORTS / "audit.html"
FIGURES = REPORTS / "figures"
PLOTS = REPORTS / "plots"

PROVENANCE_PAGE = Path("docs/provenance.md")
REQUIREMENTS_PAGE = Path("docs/1-requirements/requirements.md")
DATA_CARD = Path("docs/2-data/data-card.md")
CROISSANT = Path("docs/2-data/croissant.json")
MODEL_CARD = Path("docs/3-model/model-card.md")
RESEARCH = Path("docs/3-model/research.md")
GUIDE = Path("docs/2-data/annotation-guide.md")


def project_root() -> Path:
    """Return the project's root, also when DVC runs a queued experiment in a copy below ``.dvc/tmp/exps``."""
    here = Path.cwd()
    parents = [parent.parent for parent in (here, *here.parents) if parent.name == ".dvc"]
    return parents[0] if parents else here


def read_environment() -> None:
    """Read ``.env`` of the project's root, if there is one; what the shell sets goes before it.

    This machine is asked without a proxy, which would look for the server on another one.
    """
    file = project_root() / ENVIRONMENT
    if file.exists():
        from dotenv import dotenv_values  # only where there is such a file

        given = dotenv_values(file, interpolate=False)
        os.environ.update({name: value for name, value in given.items() if value and name not in os.environ})
    spared = ",".join(filter(None, [os.environ.get("no_proxy", os.environ.get("NO_PROXY")), LOOPBACK]))
    if LOOPBACK not in os.environ.get("no_proxy", ""):
        os.environ |= {"no_proxy": spared, "NO_PROXY": spared}
