"""Find a column that alone gives the answer: often it was written down after it.

Reads and writes nothing.
"""

import numpy as np
import polars as pl

from fullstack_ml.data.collect.sources.conversion import is_missing
from fullstack_ml.draft.columns import Column
from fullstack_ml.pages.words import words

ENOUGH, SURE, ROWS = 100, 0.995, 5_000
KNOWN = "was it known before the answer?"
GAPS, COMMON = 30, 0.8  # rows by which a gap can tell a label, and the share of a label from which on that is chance


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
    else:
        rows = rows.filter(pl.len().over("label") >= 3)  # the others cannot be in every fold
    counts = rows["label"].value_counts()["count"]
    if len(rows) < ENOUGH or len(counts) < 2 or counts.max() > 0.9 * len(rows):  # type: ignore[operator]
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


def told_by_gap(sample: pl.DataFrame, column: Column, answer: str) -> str:
    """Say which label is given away by whether the column is filled, as a reason to cancel is; "" if none is.

    Values of nature may well tell one label from the others; that a cell is filled only there is written afterwards.
    """
    rows = sample.select(filled=~is_missing(pl.col(column.name).fill_null("")), label=answer).drop_nulls("label")
    for filled in (True, False):
        labels = rows.filter(pl.col("filled") == filled)["label"]
        if len(labels) < GAPS or len(labels) == len(rows):
            continue
        label, count = labels.value_counts(sort=True, name="count").row(0)
        if count >= SURE * len(labels) and (rows["label"] == label).mean() <= COMMON:
            text = "it is empty only where the answer is %(label)s"
            if filled:
                text = "it is filled only where the answer is %(label)s"
            return f"{words(text, label=repr(label))}: {words(KNOWN)}"
    return ""
