"""How far annotators agree: Krippendorff's alpha with intervals, Cohen's kappa.

Reads and writes nothing. Takes tables of ``tables.LABEL`` with one label per annotator and record; a missing label
says that the record cannot be annotated, and counts as an answer of its own.

Alpha for nominal and ordinal values: K. Krippendorff (2011), Computing Krippendorff's alpha-reliability. Intervals: 95
of 100 bootstrap samples of the records, as in A. Zapf et al. (2016), Measuring inter-rater reliability for nominal
data, BMC Medical Research Methodology 16. Records with the same labels are counted together, so that a sample of a
million records is one draw from a multinomial distribution.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from fullstack_ml.data.label.aggregate import AGGREGATIONS, shared

__all__ = ["AGGREGATIONS"]
CANNOT = "cannot be annotated"
SAMPLES, SEED = 1000, 20261101
# Samples drawn at a time, so that memory does not grow with their number.
CHUNK = 50
# Of (units, values) and (samples, units) to (samples,).
Alpha = Callable[[np.ndarray, np.ndarray], np.ndarray]


def alpha(counts: np.ndarray, weights: np.ndarray, distances: np.ndarray | None = None) -> np.ndarray:
    """Krippendorff's alpha of units with value ``counts``, once per row of ``weights``.

    Args:
        counts: (units, values), how often each unit got each value; a unit with fewer than two is not used.
        weights: (samples, units), how often each unit stands in each sample.
        distances: (values, values), how far two values are apart; else 1 where they differ.

    Returns:
        (samples,); NaN where there is nothing to compare, or where only one value was ever used.
    """
    labels = counts.sum(axis=1)
    used = np.where(labels > 1, weights, 0)
    totals = used @ counts
    n = totals.sum(axis=1)
    apart, expected = (
        many**2 - (of**2).sum(axis=1) if distances is None else ((of @ distances) * of).sum(axis=1)
        for of, many in ((counts, labels), (totals, n))
    )
    apart = apart / np.maximum(labels - 1, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        result: np.ndarray = np.where(expected > 0, 1 - (n - 1) * (used @ apart) / expected, np.nan)
    return result


def ordinal(counts: np.ndarray, weights: np.ndarray, steps: int = -1) -> np.ndarray:
    """Krippendorff's alpha of steps, the lowest first: two are as far apart as labels lie between them in the sample.

    Takes and returns what ``alpha`` does. Values from ``steps`` on are none and left out, such as the last one, that a
    record cannot be annotated.
    The ordinal difference is the square of a distance between mean ranks, n_1 + ... + n_k less half of n_k.
    """
    counts = counts[:, :steps]
    labels = counts.sum(axis=1)
    totals = np.where(labels > 1, weights, 0) @ counts
    rank = totals.cumsum(axis=1) - totals / 2
    apart = (labels * (rank**2 @ counts.T) - (rank @ counts.T) ** 2) / np.maximum(labels - 1, 1)
    n = totals.sum(axis=1)
    expected = n * (totals * rank**2).sum(axis=1) - (totals * rank).sum(axis=1) ** 2
    observed = (np.where(labels > 1, weights, 0) * apart).sum(axis=1)
    several = (totals > 0).sum(axis=1) > 1
    with np.errstate(invalid="ignore", divide="ignore"):
        result: np.ndarray = np.where(several, 1 - (n - 1) * observed / expected, np.nan)
    return result


def kappa(table: np.ndarray) -> float | None:
    """Cohen's kappa (1960) from a square table of counts of two annotators; None if both used one value only."""
    n = float(table.sum())
    expected = float(table.sum(axis=0) @ table.sum(axis=1)) / n**2
    return None if expected == 1 else (float(table.trace()) / n - expected) / (1 - expected)


def as_interval(value: float, samples: np.ndarray) -> dict[str, float | None]:
    """Give a value with its 95 % interval; None where more than one of 20 samples left it undefined."""
    good = samples[np.isfinite(samples)]
    low, high = np.percentile(good, [2.5, 97.5]) if len(good) and len(good) >= 0.95 * len(samples) else (np.nan, np.nan)
    given = {"alpha": value, "low": low, "high": high}
    return {name: float(number) if np.isfinite(number) else None for name, number in given.items()}


def bootstrap(
    tables: dict[str, np.ndarray], units: np.ndarray, alpha: Alpha = alpha
) -> dict[str, dict[str, float | None]]:
    """Alpha with its interval for each of ``tables`` of value counts, over the same samples of ``units``."""
    random, drawn = np.random.default_rng(SEED), dict[str, list[np.ndarray]]()
    n = int(units.sum())
    for _ in range(0, SAMPLES if n else 0, CHUNK):
        weights = random.multinomial(n, units / n, CHUNK)
        for name, counts in tables.items():
            drawn.setdefault(name, []).append(alpha(counts, weights))
    whole = {name: float(alpha(counts, units[None])[0]) for name, counts in tables.items()}
    return {name: as_interval(value, np.concatenate(drawn.get(name, [np.empty(0)]))) for name, value in whole.items()}


def alphas(
    said: pl.DataFrame, names: list[str], alpha: Alpha, by_label: bool = True
) -> dict[str, dict[str, float | None]]:
    """Alpha over all labels under the key ``""``, and ``by_label`` of each against the rest under its name."""
    columns = [*names, CANNOT]
    wide = said.group_by("id").agg(*[(pl.col("label") == name).sum().alias(name) for name in columns])
    patterns = wide.drop("id").group_by(columns).len("units").filter(pl.sum_horizontal(columns) > 1).sort(columns)
    counts, units = patterns.select(columns).to_numpy().astype(float), patterns["units"].to_numpy()
    rest = counts.sum(axis=1, keepdims=True) - counts
    single = {name: np.stack([counts[:, i], rest[:, i]], axis=1) for i, name in enumerate(columns)}
    return bootstrap({"": counts}, units, alpha) | bootstrap(single if by_label else {}, units)


def pairs(said: pl.DataFrame, names: list[str], alpha: Alpha) -> list[dict[str, Any]]:
    """Alpha with its interval, Cohen's kappa and shared records of every two annotators who share any."""
    position = {name: i for i, name in enumerate([*names, CANNOT])}
    coded = said.select("id", "annotator", value=pl.col("label").replace_strict(position, return_dtype=pl.Int64))
    both = coded.join(coded, on="id", suffix="_b").filter(pl.col("annotator") < pl.col("annotator_b"))
    cells = both.group_by("annotator", "annotator_b", "value", "value_b").len("units").sort(pl.all())
    found = []
    for (a, b), mine in cells.group_by("annotator", "annotator_b", maintain_order=True):
        first, second, units = (mine[column].to_numpy() for column in ("value", "value_b", "units"))
        eye = np.eye(len(position))
        table = np.zeros((len(position), len(position)))
        table[first, second] = units
        result = bootstrap({"": eye[first] + eye[second]}, units, alpha)[""]
        found.append({"annotators": [a, b], "records": int(units.sum()), **result, "kappa": kappa(table)})
    return found


def by_pair(
    said: pl.DataFrame, column: str, measure: Callable[[pl.DataFrame], dict[str, float | None]]
) -> list[dict[str, Any]]:
    """Measure what every two annotators say in ``column`` of the records that they share; they have no kappa."""
    both = said.join(said, on="id", suffix="_b").filter(pl.col("annotator") < pl.col("annotator_b"))
    found = []
    for (a, b), mine in both.sort("annotator", "annotator_b").group_by("annotator", "annotator_b", maintain_order=True):
        values = pl.concat([mine.select("id", column), mine.select("id", pl.col(f"{column}_b").alias(column))])
        found.append({"annotators": [a, b], "records": len(mine), **measure(values), "kappa": None})
    return found


def with_others(said: pl.DataFrame, names: list[str], alpha: Alpha) -> dict[str, float]:
    """Return for each annotator alpha over all comparisons with somebody else."""
    position = {name: i for i, name in enumerate([*names, CANNOT])}
    coded = said.select("id", "annotator", value=pl.col("label").replace_strict(position, return_dtype=pl.Int64))
    both = coded.join(coded, on="id", suffix="_b").filter(pl.col("annotator") != pl.col("annotator_b"))
    eye, found = np.eye(len(position)), {}
    for (who,), mine in (
        both.group_by("annotator", "value", "value_b").len("units").sort(pl.all()).group_by("annotator")
    ):
        first, second, units = (mine[column].to_numpy() for column in ("value", "value_b", "units"))
        found[str(who)] = float(alpha(eye[first] + eye[second], units[None])[0])
    return {who: value for who, value in found.items() if np.isfinite(value)}


def overall(said: pl.DataFrame, names: list[str], alpha: Alpha = alpha) -> dict[str, float | None]:
    """Alpha over all labels, with its interval."""
    return alphas(said.with_columns(pl.col("label").fill_null(CANNOT)), names, alpha, by_label=False)[""]


def measure(said: pl.DataFrame, names: list[str], alpha: Alpha = alpha) -> dict[str, Any]:
    """Return the agreement report; ``metrics`` holds what a requirement may name, None where it was not measured."""
    said = said.with_columns(pl.col("label").fill_null(CANNOT))
    every = alphas(said, names, alpha)
    labels = {name: value for name, value in every.items() if name}
    worst = [value["alpha"] for name, value in labels.items() if name != CANNOT]
    several = shared(said)
    return {
        "metrics": {
            "agreement_alpha": every[""]["alpha"],
            "worst_label_alpha": None if None in worst else min((v for v in worst if v is not None), default=None),
        },
        "intervals": {} if every[""]["low"] is None else {"agreement_alpha": [every[""]["low"], every[""]["high"]]},
        "alpha": every[""],
        "per_label": labels if len(several) else {},
        "pairs": pairs(said, names, alpha),
        "with_others": with_others(said, names, alpha),
        "shared_records": len(several),
        "disagreements": several.filter(pl.col("different") > 1).height,
    }
