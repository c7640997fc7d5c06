"""Answer ``label``: one label of several, with calibrated probabilities.

Outputs are probabilities (records, labels) in the order of ``formulation.answer.labels``; the truth of a record is the
index of its label.
"""

from collections.abc import Iterator

from fullstack_ml.inputs import Finding
from fullstack_ml.product.types import Product

OUTPUT = "probabilities"


def check(product: Product) -> Iterator[Finding]:
    """Find fewer than two labels."""
    labels = product.formulation.answer.labels
    if len(labels) < 2:
        fix = "list at least two: {name: ..., definition: ...}"
        yield ("formulation", "answer", "labels"), f"an answer of type label has {len(labels)} label(s)", fix
