"""What users corrected, as labels of an annotator of their own: weighed by the contract, and never trusted blindly.

Reads and writes nothing. ``make feedback`` writes such labels, which have the annotator ``USERS``.
"""

from typing import Any

import polars as pl

from fullstack_ml.product.metrics import wilson

USERS = "users"
OF_USERS = pl.col("annotator") == USERS


def weighed(labels: pl.DataFrame, weight: float) -> pl.DataFrame:
    """Add the column ``weight``; below 1, users have a say only where an annotator has labelled the record too."""
    beside = pl.col("id").is_in(labels.filter(~OF_USERS)["id"].unique().to_list())
    counts = ~OF_USERS | (pl.lit(weight > 0) & (pl.lit(weight >= 1) | beside))
    return labels.filter(counts).with_columns(weight=pl.when(OF_USERS).then(weight).otherwise(1.0))


def agreement(said: pl.DataFrame, people: pl.DataFrame) -> dict[str, Any]:
    """Count the labels of users, and hold them against what annotators decided: ``people`` has id and label."""
    mine = said.filter(OF_USERS)
    others = said.filter(~OF_USERS).select("id").unique()
    both = mine.join(others, on="id").join(people.select("id", decided="label"), on="id")
    same = both.filter(pl.col("label").eq_missing(pl.col("decided"))).height
    found = {"labels": len(mine), "judged": len(both)}
    if both.is_empty():
        return {**found, "same": None}
    return {**found, "same": same / len(both), "interval": wilson(same, len(both))}
