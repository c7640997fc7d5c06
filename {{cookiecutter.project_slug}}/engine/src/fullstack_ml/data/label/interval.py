"""How far annotators agree on numbers, and the number that stands for theirs.

Reads and writes nothing. Takes tables of ``tables.LABEL`` with one label per annotator and record, a number as text; a
missing one says that the record cannot be annotated. Alpha for interval data, whose difference is the square of a
distance: K. Krippendorff (2011), Computing Krippendorff's alpha-reliability.
"""

from typing import Any

import numpy as np
import polars as pl

from fullstack_ml.data.label.aggregate import Method, adjudicated, shared
from fullstack_ml.data.label.agreement import bootstrap, by_pair

NUMBER = pl.col("label").cast(pl.Float64, strict=False)  # null for what is none


def alpha(sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Krippendorff's alpha of numbers, once per row of ``weights``.

    Args:
        sums: (units, 3), the count of a unit's numbers, their sum, and the sum of their squares.
        weights: (samples, units), how often each unit stands in each sample.

    Returns:
        (samples,); NaN where there is nothing to compare, or where all numbers are the same.
    """
    count, total, squares = sums.T
    used = np.where(count > 1, weights, 0)
    apart = (count * squares - total**2) / np.maximum(count - 1, 1)
    n, whole, power = used @ count, used @ total, used @ squares
    expected = n * power - whole**2
    with np.errstate(invalid="ignore", divide="ignore"):
        result: np.ndarray = np.where(expected > 1e-12, 1 - (n - 1) * (used @ apart) / expected, np.nan)
    return result


def measure(said: pl.DataFrame, names: list[str]) -> dict[str, Any]:
    """Return the agreement report of numbers, of the same parts as ``agreement.measure``; there are no ``names``."""
    centred = centre(said)
    every = spread(centred)
    several = shared(said)
    return {
        "metrics": {"agreement_alpha": every["alpha"], "worst_label_alpha": None},
        "intervals": {} if every["low"] is None else {"agreement_alpha": [every["low"], every["high"]]},
        "alpha": every,
        "per_label": {},
        "pairs": by_pair(centred, "value", spread),
        "with_others": {},
        "shared_records": len(several),
        "disagreements": several.filter(pl.col("different") > 1).height,
    }


def centre(said: pl.DataFrame) -> pl.DataFrame:
    """Add the column ``value``: the number less the mean of all; who gave none, or a kind out of scope, is left out."""
    value = said.with_columns(value=NUMBER).drop_nulls("value")
    return value.with_columns(value=pl.col("value") - pl.col("value").mean())


def overall(said: pl.DataFrame, names: list[str]) -> dict[str, float | None]:
    """Alpha over all numbers, with its interval."""
    return spread(centre(said))


def spread(centred: pl.DataFrame) -> dict[str, float | None]:
    """Return alpha of the column ``value`` with its 95 % interval."""
    x = pl.col("value")
    units = centred.group_by("id").agg(count=pl.len(), total=x.sum(), squares=(x**2).sum()).filter(pl.col("count") > 1)
    sums = units.sort("id").drop("id").to_numpy().astype(float).reshape(-1, 3)
    return bootstrap({"": sums}, np.ones(len(sums)), alpha)[""]


def middle(labels: pl.DataFrame) -> pl.DataFrame:
    """Take the median, the lower of two, as somebody wrote it; none where most say that there is none."""
    value = pl.col("label").cast(pl.Float64)
    ordered = pl.col("label").sort_by(value).drop_nulls()
    given = pl.col("label").count() / pl.len()
    latest = pl.col("guide_version").sort_by("annotated_at").last()
    grouped = labels.group_by("id").agg(
        label=ordered.get((pl.col("label").count() - 1) // 2, null_on_oob=True),
        votes=pl.len(), share=given, guide_version=latest,
    )  # fmt: skip
    most = pl.col("share") >= 0.5
    return grouped.with_columns(
        label=pl.when(most).then("label"), share=pl.when(most).then("share").otherwise(1 - pl.col("share"))
    )


def alike(labels: pl.DataFrame) -> pl.DataFrame:
    """Take all numbers for one: two that differ are no tie to decide, a number and none or a kind are."""
    return labels.with_columns(label=pl.when(NUMBER.is_not_null()).then(pl.lit("a number")).otherwise("label"))


AGGREGATIONS: dict[str, Method] = {"majority": middle, "adjudicated": adjudicated}
