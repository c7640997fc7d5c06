"""Keep out what the server would refuse: rows that are none, values that the contract does not allow, broken files.

Reads and writes nothing.
"""

import polars as pl

from fullstack_ml.data.validate.features import is_missing, strange, violations
from fullstack_ml.inputs import input_of
from fullstack_ml.inputs.records import LONGEST
from fullstack_ml.product.formulation import Feature
from fullstack_ml.product.types import Product

PLACE = "#place"


def wrong(feature: Feature) -> pl.Expr:
    """Return whether a value is one that a request may not hold, for every row."""
    column, gaps = pl.col(feature.name), is_missing(feature)
    found = strange(feature)
    outside = found[1].fill_null(False) & ~gaps if found else pl.lit(False)
    if feature.type == "text" or feature.other == "allowed":  # no request may hold these either
        most = feature.longest if feature.type == "text" else LONGEST
        outside |= ~column.str.len_chars().is_between(1, most).fill_null(True)
    return outside | gaps if feature.missing == "refused" else outside


def reasons(payload: pl.DataFrame, product: Product) -> list[str | None]:
    """Return for every record why it is refused, or None."""
    told: list[str | None] = [None] * len(payload)
    if "rejected" in payload.columns:
        told = payload["rejected"].to_list()
    features = product.formulation.input.features
    open_ = pl.Series([one is None for one in told], dtype=pl.Boolean)
    numbered = payload.with_row_index(PLACE).filter(open_)
    if features:
        numbered = numbered.filter(pl.any_horizontal(wrong(feature) for feature in features))
    bad = numbered.with_columns(pl.col(PLACE).cast(pl.String).alias("id"))
    said: dict[str, list[str]] = {}
    for _, place, what in violations(bad, product):
        said.setdefault(place, []).append(what)
    for place in bad["id"] if features else ():
        told[int(place)] = "; ".join(said.get(place, ["a text is empty or too long"]))
    rest = numbered if not features else payload.with_row_index(PLACE).filter(pl.Series([one is None for one in told]))
    for place, what in input_of(product).faults(rest.with_columns(pl.col(PLACE).cast(pl.String).alias("id")), product):
        told[int(place)] = what
    return told
