"""How differently the model serves the groups into which the slices cut the records.

Reads and writes nothing. The slices of one column of product.yaml are the groups of a partition; ``source`` and
``kind`` are partitions too.
"""

from typing import Any

import numpy as np
import polars as pl

from fullstack_ml.modeling.measuring.intervals import interval, totals, wilson
from fullstack_ml.pipeline.config import Evaluate
from fullstack_ml.pipeline.tables import slice_mask
from fullstack_ml.product.types import Product

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


def resampled(groups: np.ndarray, hit: np.ndarray, names: list[str], resamples: int, seed: int) -> np.ndarray:
    """Return the largest difference of accuracy between the groups ``names``: on all records, then on each resample."""
    member = (groups[:, None] == np.array(names)[None, :]).astype(np.float32)
    sums = totals({"records": member, "hits": member * hit[:, None]}, resamples, seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        accuracy = sums["hits"] / sums["records"]
    result: np.ndarray = accuracy.max(axis=1) - accuracy.min(axis=1)
    return result


def gaps(
    product: Product, frame: pl.DataFrame, hit: np.ndarray, answered: np.ndarray, settings: Evaluate, seed: int
) -> tuple[dict[str, Any], np.ndarray | None]:
    """Return the groups of every partition with their differences, and the largest gap on all records and resamples.

    ``hit`` and ``answered`` are 1 or 0 per record. The largest gap is None where no partition can be compared.
    """
    found, largest = {}, []
    for column, groups in partitions(product, frame).items():
        found[column] = gap_of(groups, hit, answered, settings.min_slice)
        if found[column]["gap"] is not None:
            values = resampled(groups, hit, list(found[column]["groups"]), settings.resamples, seed)
            found[column]["gap_interval"] = interval(values[1:])
            largest.append(values)
    return found, np.max(largest, axis=0) if largest else None
