"""Run every stage that a change concerns, as far as there are labels for it.

Reads what ``readiness`` reads; ``dvc repro`` does the rest. A product without enough labels stops after stage ``label``
with a sentence, and that is no error: it is where the product stands. Run: ``make repro``.
"""

import subprocess
import sys

from fullstack_ml.modeling.study.readiness import Shortfall, labelled, shortfalls, split_shares
from fullstack_ml.product.contract import load
from fullstack_ml.workspace.errors import guard


def missing() -> list[Shortfall]:
    """List what keeps the product from a first model, as far as stage label has counted."""
    counts = labelled()
    return [] if counts is None else shortfalls(counts, load(), split_shares())


def repro(*stages: str) -> None:
    """Run ``dvc repro``, and end as it ends where it fails."""
    code = subprocess.run(["dvc", "repro", *stages]).returncode
    if code:
        sys.exit(code)


def main() -> None:
    """Run the stages up to label, and the others where its labels are enough."""
    repro("label")
    if lacking := missing():
        for one in lacking:
            print(f"not yet: {one.what}\n  {one.fix}")
        print("the stages from split on wait for that; make status says where the product stands")
        return
    repro()


if __name__ == "__main__":
    guard(main)
