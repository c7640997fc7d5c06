"""Run every stage that a change concerns, as far as there are labels for it.

Reads what ``readiness`` reads; ``dvc repro`` does the rest. A product without enough labels stops after stage ``label``
with a sentence, and that is no error: it is where the product stands. Run: ``make repro``.
"""

import subprocess
import sys

from fullstack_ml.modeling.study.readiness import labelled, shortfalls, split_shares
from fullstack_ml.pipeline.compose import resolve
from fullstack_ml.pipeline.stage import typed
from fullstack_ml.product.contract import load
from fullstack_ml.workspace.errors import guard
from fullstack_ml.workspace.paths import CONF, PARAMS, PRODUCT
from fullstack_ml.workspace.seams import SOURCE


def repro(*stages: str) -> None:
    """Run ``dvc repro``, and end as it ends where it fails."""
    code = subprocess.run(["dvc", "repro", *stages]).returncode
    if code:
        sys.exit(code)


def is_composed() -> bool:
    """Say whether ``params.yaml`` is newer than all that it and a model's fit to the contract follow from."""
    files = (PRODUCT, *CONF.rglob("*.yaml"), *SOURCE.rglob("*.py"))
    return PARAMS.exists() and PARAMS.stat().st_mtime_ns >= max(file.stat().st_mtime_ns for file in files)


def main() -> None:
    """Run the stages up to label, and the others where its labels are enough; none where the model cannot fit."""
    if not is_composed():
        from fullstack_ml.modeling.train.compatible import check_compatible  # imports what fits models, which is slow

        check_compatible(typed(resolve([])).model, load())
    repro("label")
    counts = labelled()
    if counts is not None and shortfalls(counts, load(), split_shares()):
        print("repro: the stages from split on wait for labels; make status says how many")
        return
    repro()


if __name__ == "__main__":
    guard(main)
