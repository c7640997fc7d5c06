"""A label at the server: its type in requests and answers, its scores, and whether a late answer was right.

Reads and writes nothing.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from fullstack_ml.product.types import Product

Share = Annotated[float, Field(ge=0, le=1)]


def json_type(product: Product) -> Any:
    """Return one of the labels."""
    return Literal[tuple(product.formulation.label_names)]


def scores_type(product: Product) -> Any:
    """Return a probability per label."""
    says = Field(description="calibrated probability of every label")
    return Annotated[dict[json_type(product), Share], says]  # type: ignore[misc]


def example(product: Product) -> str:
    """Return the first label."""
    return product.formulation.label_names[0]


def from_text(text: str, product: Product) -> str:
    """A label is text in JSON too."""
    return text


def to_text(answer: str, product: Product) -> str:
    """A label is text in the log too."""
    return answer


def scores(outputs: np.ndarray, product: Product) -> list[dict[str, float]]:
    """Return the probabilities of every record by label."""
    names = product.formulation.label_names
    return [dict(zip(names, shares, strict=True)) for shares in outputs.tolist()]


def judge(given: Sequence[str | None], right: Sequence[str]) -> np.ndarray:
    """Return 1 where the answer was right, else 0: the mean is the accuracy."""
    return np.array([one == other for one, other in zip(given, right, strict=True)], dtype=np.float64)


def expected(given: Sequence[str], scores: Sequence[dict[str, float]], product: Product) -> np.ndarray:
    """Return the probability of the label that was given, which is calibrated: the mean is the accuracy to expect.

    Guillory, Shankar, Ebrahimi, Darrell and Schmidt 2021, Predicting with confidence on unseen distributions.
    """
    return np.array([shares.get(one, np.nan) for one, shares in zip(given, scores, strict=True)], dtype=np.float64)
