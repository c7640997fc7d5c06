"""What ``product.yaml`` says of a number: its unit, the range that is possible, and how far off is too far.

Reads and writes nothing. Answers are text in the tables of the pipeline: seven digits, which is what a float32 holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from pydantic import Field, ValidationError

from fullstack_ml.product.formulation import Strict
from fullstack_ml.product.types import Finding, Product

PLACE = ("formulation", "answer", "options")
EXAMPLE = "options: {unit: kg, low: 0, high: 1000, tolerance: 5, widest: 40}"


class Options(Strict):
    """``formulation.answer.options`` of a number.

    ``low`` and ``high`` are the range outside of which no answer can be right; ``tolerance`` is the largest error that
    still is a right answer; an interval wider than ``widest`` is not answered. All are in the ``unit``.
    """

    unit: str = ""
    low: float = Field(allow_inf_nan=False)
    high: float = Field(allow_inf_nan=False)
    tolerance: float = Field(gt=0, allow_inf_nan=False)
    widest: float | None = Field(None, gt=0, allow_inf_nan=False)


def options_of(product: Product) -> Options:
    """Return the options, which ``make check`` has found right."""
    return Options(**product.formulation.answer.options)


def check(product: Product) -> Iterator[Finding]:
    """Find labels, options that are wrong or contradict each other, and costs of labels."""
    answer = product.formulation.answer
    if answer.labels:
        yield ("formulation", "answer", "labels"), "an answer of type number has no labels", "leave them out"
    if answer.ordered:
        what = "numbers are in order as they are, and ordered is said of labels"
        yield ("formulation", "answer", "ordered"), what, "leave it out; steps that have names are type: label"
    if product.service.error_cost.by_label:
        yield (
            ("service", "error_cost", "by_label"),
            "a number has no labels whose errors could cost more",
            "leave it out",
        )
    for i, kind in enumerate(product.data.kinds):
        if kind.scope == "out" and not math.isnan(number(kind.name)):
            what = f"kind {kind.name!r}, which is out of scope, reads like an answer"
            yield ("data", "kinds", i, "name"), what, "give it a name that is no number"
    try:
        given = options_of(product)
    except ValidationError as error:
        for fault in error.errors():
            key = str(fault["loc"][0]) if fault["loc"] else ""
            yield (*PLACE, key), f"options of a number: {key}: {fault['msg'].lower()}", EXAMPLE
        return
    if not given.low < given.high:
        yield (*PLACE, "low"), f"low {given.low:g} is not below high {given.high:g}", EXAMPLE
        return
    span = given.high - given.low
    for key in ("tolerance", "widest"):
        value = getattr(given, key)
        if value is not None and value >= span:
            yield (*PLACE, key), f"{key} {value:g} holds for every answer from {given.low:g} to {given.high:g}", EXAMPLE
    if given.widest is not None and product.formulation.abstain is None:
        what = "widest says when to stay silent, and the product always answers"
        yield (*PLACE, "widest"), what, "give formulation.abstain, or leave widest out"


def number(text: str) -> float:
    """Return a text as a number; NaN where it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def illegal(answers: Sequence[str], product: Product) -> dict[str, str]:
    """Return the texts that are no number from low to high."""
    given = options_of(product)
    why = f"is no number from {given.low:g} to {given.high:g}"
    return dict.fromkeys(sorted(text for text in set(answers) if not given.low <= number(text) <= given.high), why)


def written(answers: Sequence[str], renames: Mapping[str, str]) -> list[str]:
    """A number is kept as somebody wrote it."""
    return [*answers]


def named(answer: str) -> list[str]:
    """A number names no label."""
    return []


def truth(answers: Sequence[str], product: Product) -> np.ndarray:
    """Return the numbers, float64 (records,)."""
    return np.array([float(text) for text in answers], np.float64)


def to_text(answer: float, product: Product | None = None) -> str:
    """Write a number with the seven digits of a float32."""
    return f"{answer:.7g}"


def from_text(text: str, product: Product) -> float:
    """Read a number back."""
    return float(text)
