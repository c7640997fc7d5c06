"""Features of raw records that ``product.yaml`` does not allow: missing, out of range, or not among the values.

Reads and writes nothing.
"""

from collections.abc import Iterator
from typing import Any

import polars as pl

from fullstack_ml.product.formulation import Feature, moment
from fullstack_ml.product.types import Product

Violation = tuple[str, str, str]  # rule, record id, what is wrong


def strange(feature: Feature) -> tuple[str, pl.Expr] | None:
    """Return what is wrong with a value, and the rows in which it is; None where every value is right."""
    column = pl.col(feature.name)
    if feature.ranged:
        low, high = (moment(end) if isinstance(end, str) else end for end in (feature.low, feature.high))
        inside = pl.lit(True)
        inside &= column >= low if low is not None else inside
        inside &= column <= high if high is not None else inside
        if feature.type == "number":
            inside &= column.is_finite()
        return "out of range", ~inside
    if feature.type == "text":
        return "too long", column.str.len_chars() > feature.longest
    if feature.values and feature.other == "refused":
        return "not listed", ~column.is_in(feature.values)
    return None


def is_missing(feature: Feature) -> pl.Expr:
    """Return the rows in which nothing is there."""
    column = pl.col(feature.name)
    return column.is_null() | column.is_nan() if feature.type == "number" else column.is_null()


def violations(frame: pl.DataFrame, product: Product) -> Iterator[Violation]:
    """Yield what is wrong with the features of a batch of raw records."""
    for feature in product.formulation.input.features:
        name, gaps = feature.name, is_missing(feature)
        if feature.missing == "refused":
            for record in frame.filter(gaps)["id"]:
                yield f"{name} missing", record, f"{name} is missing"
        found = strange(feature)
        if found:
            rule, wrong = found
            for record, value in frame.filter(wrong.fill_null(False) & ~gaps).select("id", name).iter_rows():
                yield f"{name} {rule}", record, f"{name} is {said(value)}, allowed: {feature.allowed}"


def said(value: Any) -> str:
    """Write a value."""
    return f"{value:.6g}" if isinstance(value, float) else repr(value) if isinstance(value, str) else str(value)
