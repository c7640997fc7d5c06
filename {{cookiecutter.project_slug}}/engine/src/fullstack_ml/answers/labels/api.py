"""Several labels at the server: a list in requests and answers, their scores, and whether a late answer was right.

Reads and writes nothing. A late answer is right as a whole or not, as one label is.
"""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from fullstack_ml.answers.label.api import Share, judge, scores
from fullstack_ml.answers.labels.contract import contrary, joined
from fullstack_ml.answers.words import names_in
from fullstack_ml.product.types import Product

__all__ = ["example", "expected", "from_text", "json_type", "judge", "scores", "scores_type", "to_text"]


def possible(names: list[str], product: Product) -> list[str]:
    """Return the list; a ``PydanticCustomError`` where a label stands twice, or beside one that it excludes."""
    if len(set(names)) < len(names):
        raise PydanticCustomError("twice", "a label stands there twice")
    if both := contrary(names, product):
        raise PydanticCustomError("excluded", "{both} exclude each other", {"both": " and ".join(both)})
    return names


def json_type(product: Product) -> Any:
    """Return a list of labels, which may be empty."""
    known: Any = Literal[tuple(product.formulation.label_names)]
    says = Field(description="the labels of the record, or none", json_schema_extra={"uniqueItems": True})
    return Annotated[list[known], AfterValidator(partial(possible, product=product)), says]


def scores_type(product: Product) -> Any:
    """Return a probability per label."""
    known: Any = Literal[tuple(product.formulation.label_names)]
    return Annotated[dict[known, Share], Field(description="calibrated probability of every label, for itself")]


def example(product: Product) -> list[str]:
    """Return the first label alone."""
    return product.formulation.label_names[:1]


def from_text(text: str, product: Product) -> list[str]:
    """Return the list of labels that the log keeps as text."""
    return names_in(text)


def to_text(answer: Sequence[str], product: Product) -> str:
    """Write a list of labels as the log keeps it."""
    return joined(answer)


def expected(given: Sequence[str], scores: Sequence[dict[str, float]], product: Product) -> np.ndarray:
    """Return the probability that all labels are right, as if each were right for itself."""
    chances = [
        np.prod([share if name in names_in(one) else 1 - share for name, share in shares.items()])
        for one, shares in zip(given, scores, strict=True)
    ]
    return np.array(chances, dtype=np.float64)
