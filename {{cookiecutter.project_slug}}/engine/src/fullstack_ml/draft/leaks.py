"""Find a column that alone gives the answer: often it was written down after it.

Reads and writes nothing.
"""

import numpy as np
import polars as pl

from fullstack_ml.draft.columns import Column

ENOUGH, SURE, ROWS = 100, 0.995, 5_000


def alone(sample: pl.DataFrame, column: Column, answer: str, number: bool = False) -> float:
    """Return the share of rows in which a small tree on one column is right; 0 where that is nothing special.

    Of an answer that is a ``number`` it is the share of the variance that the column explains.

    Out of fold, on at most ``ROWS`` rows; ``SURE`` or more, where the most frequent label is far below.
    """
    from sklearn.model_selection import cross_val_score
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    rows = sample.select(value=column.name, label=answer).drop_nulls("label").head(ROWS)
    if number:
        rows = rows.with_columns(pl.col("label").cast(pl.Float64, strict=False)).drop_nulls("label")
    counts = rows["label"].value_counts()["count"]
    if len(rows) < ENOUGH or len(counts) < 2 or counts.max() > 0.9 * len(rows):  # type: ignore[operator]
        return 0.0
    if not number and counts.min() < 3:  # type: ignore[operator]
        return 0.0
    numeric = column.type in ("number", "whole")
    values = (
        rows["value"].cast(pl.Float64, strict=False) if numeric else rows["value"].cast(pl.Categorical).to_physical()
    )
    filled = np.nan_to_num(values.cast(pl.Float64).to_numpy(), nan=column.low - 1 if numeric else -1.0)
    leaves = max(8, 2 * len(counts))
    tree = (DecisionTreeRegressor if number else DecisionTreeClassifier)(max_leaf_nodes=leaves, random_state=0)
    share = float(cross_val_score(tree, filled.reshape(-1, 1), rows["label"].to_numpy(), cv=3).mean())
    return share if share >= SURE else 0.0
