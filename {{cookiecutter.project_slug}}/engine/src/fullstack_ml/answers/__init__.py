"""Seam *answer*: what the model says of a record, from the label that is collected to the field of an answer.

``formulation.answer.type`` of ``product.yaml`` chooses the module: one of this folder, or
``src/<package>/answers/<type>.py``. A module fills the protocol ``Answer`` with functions of these names. The server
uses it too, so nothing that needs polars, scikit-learn or onnx is imported at its top.

Every answer is kept as text in the tables of the pipeline: a label as it is, a number in digits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from fullstack_ml.inputs import Finding
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.seams import find_choice


class Answer(Protocol):
    """What a module of this seam defines."""

    def check(self, product: Product) -> Iterator[Finding]:
        """Yield what is wrong with ``formulation.answer``: place in the file, what, fix."""


# What a module has to define; find_choice() and make check name what is missing.
NEEDED = tuple(name for name in (*Answer.__annotations__, *vars(Answer)) if not name.startswith("_"))


def answer_of(product: Product) -> Answer:
    """Return the module that knows the product's answer.

    Raises:
        UserError: if there is none, or it does not fill the seam.
    """
    return answer_named(product.formulation.answer.type, "product.yaml, formulation.answer.type")


def answer_named(name: str, where: str) -> Answer:
    """Return the answer module ``name``, which ``where`` chose."""
    chosen: Answer = find_choice("answers", name, where)
    return chosen
