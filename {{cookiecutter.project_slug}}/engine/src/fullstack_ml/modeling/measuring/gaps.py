"""How differently the model serves the groups into which the slices cut the records.

The slices of one column of product.yaml are the groups of a partition; ``source`` and ``kind`` are partitions too.
Groups are compared on the mean of the answer's ``score``, which is its main metric.

Reads and writes nothing.
"""

from typing import Any

import numpy as np
import polars as pl

from fullstack_ml.answers import Answer
from fullstack_ml.modeling.measuring.intervals import groups_of, interval, totals
from fullstack_ml.pipeline.config import Evaluate
from fullstack_ml.pipeline.tables import slice_mask
from fullstack_ml.product.metrics import Metric, wilson
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.sentences import sentence

ALWAYS = ("source", "kind")


def partitions(product: Product, frame: pl.DataFrame) -> dict[str, np.ndarray]:
    """Return the group of every record by column; a record in no slice is ``other``, one in several in the first."""
    groups = {}
    for column in dict.fromkeys(part.column for part in product.data.slices):
        group = pl.lit(None, dtype=pl.String)
        for part in reversed([part for part in product.data.slices if part.column == column]):
            group = pl.when(slice_mask(part)).then(pl.lit(part.id)).otherwise(group)
        groups[column] = frame.select(group=group.fill_null("other"))["group"].to_numpy()
    for column in ALWAYS:
        if column not in groups:
            groups[column] = frame[column].fill_null("other").to_numpy()
    return groups


def score_interval(score: np.ndarray, metric: Metric) -> list[float]:
    """Return the 95 % interval of a mean score: Wilson's where it is a share, else that of the normal distribution."""
    if metric.counts:
        return wilson(round(float(score.sum())), len(score))
    half = 1.96 * float(score.std(ddof=1)) / float(np.sqrt(len(score))) if len(score) > 1 else float("inf")
    return [float(score.mean()) - half, float(score.mean()) + half]


def gap_of(
    answer: Answer, groups: np.ndarray, score: np.ndarray, answered: np.ndarray, smallest: int
) -> dict[str, Any]:
    """Compare the groups with at least ``smallest`` records; fewer than two of them leave nothing to compare."""
    names, sizes = np.unique(groups, return_counts=True)
    small = {str(name): int(size) for name, size in zip(names, sizes, strict=True) if size < smallest}
    if len(names) - len(small) < 2:
        why = sentence("fewer than two groups of %(smallest)s records", smallest=smallest)
        if len(names) == 1:
            why = sentence("all records are %(name)s", name=str(names[0]))
        return {"gap": None, "not_measurable": why, "groups": {}, "small": small}
    rows: dict[str, Any] = {}
    for name in map(str, names):
        if name not in small:
            mine = groups == name
            rows[name] = {
                "records": int(mine.sum()),
                answer.MAIN: float(score[mine].mean()),
                f"{answer.MAIN}_interval": score_interval(score[mine], answer.METRICS[answer.MAIN]),
                "answered_share": float(answered[mine].mean()),
            }
    gap = {key: np.ptp([row[key] for row in rows.values()]) for key in (answer.MAIN, "answered_share")}
    gaps = {"gap": float(gap[answer.MAIN]), "answered_gap": float(gap["answered_share"])}
    return {**gaps, "groups": rows, "small": small}


def resampled(
    groups: np.ndarray, score: np.ndarray, names: list[str], resamples: int, seed: int, units: np.ndarray | None = None
) -> np.ndarray:
    """Return the largest difference of the mean score between ``names``: on all records, then on each resample."""
    member = (groups[:, None] == np.array(names)[None, :]).astype(np.float32)
    sums = totals({"records": member, "scores": member * score[:, None]}, resamples, seed, units)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums["scores"] / sums["records"]
    result: np.ndarray = means.max(axis=1) - means.min(axis=1)
    return result


def gaps(
    answer: Answer,
    product: Product,
    frame: pl.DataFrame,
    table: dict[str, np.ndarray],
    settings: Evaluate,
    seed: int,
) -> tuple[dict[str, Any], np.ndarray | None]:
    """Return the groups of every partition with their differences, and the largest gap on all records and resamples.

    ``table`` holds ``score`` and ``answered`` per record. The largest gap is None where no partition can be compared.
    """
    reports, largest, units = {}, [], groups_of(frame["group"])
    for column, groups in partitions(product, frame).items():
        reports[column] = gap_of(answer, groups, table["score"], table["answered"], settings.min_slice)
        if reports[column]["gap"] is not None:
            compared = list(reports[column]["groups"])
            values = resampled(groups, table["score"], compared, settings.resamples, seed, units)
            reports[column]["gap_interval"] = interval(values[1:])
            largest.append(values)
    return reports, np.max(largest, axis=0) if largest else None
