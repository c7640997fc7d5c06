"""Keep out what the server would refuse: rows that are none, values that the contract does not allow, broken files.

Reads and writes nothing.
"""

import math

import polars as pl

from fullstack_ml.data.validate.features import is_missing, strange, violations
from fullstack_ml.inputs import input_of
from fullstack_ml.inputs.records import LONGEST
from fullstack_ml.product.formulation import Feature
from fullstack_ml.product.types import Product


def wrong(feature: Feature) -> pl.Expr:
    """Return whether a value is one that a request may not hold, for every row."""
    column, gaps = pl.col(feature.name), is_missing(feature)
    found = strange(feature)
    outside = found[1].fill_null(False) & ~gaps if found else pl.lit(False)
    if feature.type == "text" or feature.other == "allowed":  # no request may hold these either
        most = feature.longest if feature.type == "text" else LONGEST
        outside |= ~column.str.len_chars().is_between(1, most).fill_null(True)
    return outside | gaps if feature.missing == "refused" else outside


def doubtful(payload: pl.DataFrame, features: list[Feature]) -> list[Feature]:
    """Return the features of which a value may be wrong: smallest, largest and gaps say it of most in no time."""
    numbers = [f for f in features if f.type in ("number", "whole")]
    names = [feature.name for feature in numbers]
    if not names:
        return features
    gaps, lowest, highest = (payload.select(getattr(pl.col(names), of)()).row(0) for of in ("null_count", "min", "max"))
    sure = {
        feature.name
        for feature, empty, least, most in zip(numbers, gaps, lowest, highest, strict=True)
        if not empty
        and least is not None
        and -math.inf < feature.bounds[0] <= least <= most <= feature.bounds[1] < math.inf
    }
    return [feature for feature in features if feature.name not in sure]


def reasons(payload: pl.DataFrame, product: Product) -> pl.Series:
    """Return for every record why it is refused, or null."""
    told = payload["rejected"].to_list() if "rejected" in payload.columns else [None] * len(payload)
    features = doubtful(payload, product.formulation.input.features)
    if features:
        bad = left(payload, told).filter(pl.any_horizontal(map(wrong, features)))
        said: dict[str, list[str]] = {}
        for _, place, what in violations(bad, product):
            said.setdefault(place, []).append(what)
        for place in bad["id"]:
            told[int(place)] = "; ".join(said.get(place, ["a text is empty or too long"]))
    for place, what in input_of(product).faults(left(payload, told), product):
        told[int(place)] = what
    return pl.Series("rejected", told, dtype=pl.String)


def left(payload: pl.DataFrame, told: list[str | None]) -> pl.DataFrame:
    """Return the records of which nothing is told yet, each with its place as ``id``."""
    numbered = payload.with_columns(pl.int_range(pl.len()).cast(pl.String).alias("id"))
    if told.count(None) == len(told):  # to choose all would copy all
        return numbered
    return numbered.filter(pl.Series([one is None for one in told], dtype=pl.Boolean))
