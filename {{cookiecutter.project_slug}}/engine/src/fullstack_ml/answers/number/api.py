"""A number at the server: its type in requests and answers, its interval, and how far off a late answer shows it.

Reads and writes nothing.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from typing_extensions import TypedDict

from fullstack_ml.answers.number.contract import number, options_of
from fullstack_ml.answers.number.rule import USUAL, covered, ends
from fullstack_ml.product.types import Product


class Interval(TypedDict):
    """The number as the model gave it, also where it is not answered, and the interval around it."""

    value: float
    low: float
    high: float


def json_type(product: Product) -> Any:
    """Return a number of the contract's range."""
    given = options_of(product)
    says = f"in {given.unit}" if given.unit else "a number"
    return Annotated[float, Field(ge=given.low, le=given.high, strict=True, allow_inf_nan=False, description=says)]


def scores_type(product: Product) -> Any:
    """Return the number with its interval."""
    return Annotated[Interval, Field(description="the number and its interval, also where it is not answered")]


def example(product: Product) -> float:
    """Return the middle of the range."""
    given = options_of(product)
    return (given.low + given.high) / 2


def scores(outputs: np.ndarray, product: Product) -> list[dict[str, float]]:
    """Return number, low and high of every record."""
    rows = zip(outputs[:, 0].tolist(), *(end.tolist() for end in ends(outputs)), strict=True)
    return [{"value": value, "low": low, "high": high} for value, low, high in rows]


def judge(given: Sequence[str | None], right: Sequence[str]) -> np.ndarray:
    """Return the absolute error of every answer; NaN where none was given."""
    return np.array([abs(number(one or "none") - number(other)) for one, other in zip(given, right, strict=True)])


def held(scores: Sequence[Interval], right: Sequence[str]) -> np.ndarray:
    """Return 1 for every interval, as the log keeps it, that holds the right number, 0 for the others."""
    logged = np.array([(one["value"], one["low"], one["high"]) for one in scores], np.float32).reshape(-1, 3)
    return covered(logged, np.array([number(one) for one in right])).astype(np.float64)


def expected(given: Sequence[str], scores: Sequence[Interval], product: Product) -> np.ndarray:
    """Return the absolute error that goes with the width of every interval, where errors are normal.

    Half the width of an interval that holds a share c is z((1 + c) / 2) deviations, and the mean error sqrt(2 / pi).
    """
    abstain = product.formulation.abstain
    half = NormalDist().inv_cdf((1 + (abstain.coverage if abstain else USUAL)) / 2)
    widths = np.array([one["high"] - one["low"] for one in scores], dtype=np.float64)
    return widths / 2 / half * math.sqrt(2 / math.pi)
