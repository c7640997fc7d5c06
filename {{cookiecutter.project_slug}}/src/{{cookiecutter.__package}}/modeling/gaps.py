"""How differently the model serves the groups into which the slices cut the records.

Reads and writes nothing. The slices of one column of product.yaml are the groups of a partition; ``source`` and
``kind`` are partitions too.
"""

from typing import Any

import numpy as np
import polars as pl

from ..decision import ACCEPT
from ..product import Product
from ..records import slice_mask
from .intervals import interval, totals, wilson
from .measure import Tested

ALWAYS = ("source", "kind")


def partitions(product: Product, frame: pl.DataFrame) -> dict[str, np.ndarray]:
    """Return the group of every record by column; a record in no slice is ``other``, one in several in the first."""
    found = {}
    for column in dict.fromkeys(part.column for part in product.data.slices):
        group = pl.lit(None, dtype=pl.String)
        for part in reversed([part for part in product.data.slices if part.column == column]):
            group = pl.when(slice_mask(part)).then(pl.lit(part.id)).otherwise(group)
        found[column] = frame.select(group=group.fill_null("other"))["group"].to_numpy()
    for column in ALWAYS:
        if column not in found:
            found[column] = frame[column].fill_null("other").to_numpy()
    return found


def gap_of(groups: np.ndarray, hit: np.ndarray, answered: np.ndarray, smallest: int) -> dict[str, Any]:
    """Compare the groups with at least ``smallest`` records; fewer than two of them leave nothing to compare."""
    from fairlearn.metrics import MetricFrame, count  # slow to import

    def share(y_true: np.ndarray, y_pred: np.ndarray) -> float:
        return float(np.mean(y_pred))

    names, sizes = np.unique(groups, return_counts=True)
    small = {str(name): int(size) for name, size in zip(names, sizes, strict=True) if size < smallest}
    kept = ~np.isin(groups, list(small))
    if len(names) - len(small) < 2:
        why = f"all records are {names[0]!s}" if len(names) == 1 else f"fewer than two groups of {smallest} records"
        return {"gap": None, "not_measurable": why, "groups": {}, "small": small}
    frames = {
        name: MetricFrame(metrics={"records": count, name: share}, y_true=hit[kept], y_pred=values[kept],
                          sensitive_features=groups[kept])
        for name, values in (("accuracy", hit), ("answered_share", answered))
    }  # fmt: skip
    rows = {
        str(name): {
            "records": int(row["records"]),
            "accuracy": float(row["accuracy"]),
            "accuracy_interval": wilson(round(row["accuracy"] * row["records"]), int(row["records"])),
            "answered_share": float(frames["answered_share"].by_group["answered_share"][name]),
        }
        for name, row in frames["accuracy"].by_group.iterrows()
    }
    gap = {name: float(frame.difference(method="between_groups")[name]) for name, frame in frames.items()}
    return {"gap": gap["accuracy"], "answered_gap": gap["answered_share"], "groups": rows, "small": small}


def gap_interval(groups: np.ndarray, hit: np.ndarray, names: list[str], resamples: int, seed: int) -> Any:
    """Return the 95 % interval of the largest difference of accuracy between the groups ``names``."""
    member = (groups[:, None] == np.array(names)[None, :]).astype(np.float32)
    sums = totals({"records": member, "hits": member * hit[:, None]}, resamples, seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        accuracy = sums["hits"][1:] / sums["records"][1:]
    return interval(accuracy.max(axis=1) - accuracy.min(axis=1))


def gaps(product: Product, tested: Tested, smallest: int, resamples: int, seed: int) -> dict[str, Any]:
    """Return the groups of every partition with their accuracy, share of answers and largest differences."""
    truth = tested.examples.truth
    hit = (tested.scored.probabilities.argmax(axis=1) == truth).astype(np.float32)
    answered = (tested.decisions == ACCEPT).astype(np.float32)
    found = {}
    for column, groups in partitions(product, tested.examples.frame).items():
        found[column] = gap_of(groups, hit, answered, smallest)
        if found[column]["gap"] is not None:
            names = list(found[column]["groups"])
            found[column]["gap_interval"] = gap_interval(groups, hit, names, resamples, seed)
    return found


def largest(found: dict[str, Any]) -> tuple[float | None, list[float] | None]:
    """Return the largest gap of accuracy with its interval; None when no partition could be compared."""
    known = [part for part in found.values() if part["gap"] is not None]
    top = max(known, key=lambda part: part["gap"], default=None)
    return (None, None) if top is None else (top["gap"], top["gap_interval"])
