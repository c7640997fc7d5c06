"""Resamples behind the confidence intervals of metrics.

Reads and writes nothing. Most metrics are functions of sums of per-record columns, so one matrix product gives the sums
of a thousand resamples, and memory does not grow with the records; the others get the weights of every resample.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl

from fullstack_ml.product.metrics import Metric, Sums, wilson

CHUNK = 8192
# Poisson(1) by table: a uniform 16-bit number is looked up here.
POISSON = np.searchsorted(
    np.cumsum([0.36787944, 0.36787944, 0.18393972, 0.06131324, 0.01532831, 0.00306566, 0.00051094, 0.00007299]),
    (np.arange(65536) + 0.5) / 65536,
).astype(np.float32)


def totals(
    table: dict[str, np.ndarray], resamples: int, seed: int, groups: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Sum the columns over all records (first row) and over ``resamples`` Poisson resamples of them.

    The Poisson bootstrap gives every record an independent Poisson(1) weight (Hanley and MacGibbon 2006). ``groups``,
    a whole number per record, keeps what belongs together together: all records of a group get the weight of their
    group, since ten pictures of one person say less than pictures of ten (Field and Welsh 2007).
    """
    wide = {name: column.reshape(len(column), -1) for name, column in table.items()}
    matrix = np.concatenate(list(wide.values()), axis=1)
    if groups is not None:
        order = np.argsort(groups, kind="stable")
        starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
        matrix = np.add.reduceat(matrix[order], starts, axis=0)
    random = np.random.default_rng(seed)
    sums = np.zeros((resamples + 1, matrix.shape[1]), np.float64)
    for start in range(0, len(matrix), CHUNK):
        part = matrix[start : start + CHUNK]
        sums[0] += part.sum(axis=0, dtype=np.float64)
        sums[1:] += POISSON[random.integers(0, 65536, (resamples, len(part)), np.uint16)] @ part
    return dict(_cut(sums, wide))


def weights(records: int, resamples: int, seed: int, groups: np.ndarray | None = None) -> Iterator[np.ndarray]:
    """Yield how often every record counts: once in all records, then as in ``totals`` in each of the resamples."""
    yield np.ones(records, np.float32)
    units = np.arange(records) if groups is None else np.unique(groups, return_inverse=True)[1]
    random = np.random.default_rng(seed)
    for _ in range(resamples):
        yield POISSON[random.integers(0, 65536, int(units.max()) + 1, np.uint16)][units]


def _cut(sums: np.ndarray, wide: dict[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    """Cut the summed matrix back into the columns' names."""
    start = 0
    for name, column in wide.items():
        yield name, sums[:, start : start + column.shape[1]]
        start += column.shape[1]


def groups_of(group: pl.Series) -> np.ndarray | None:
    """Return a whole number per record, the same within a group; a record without one stands alone.

    None where no two records share a group.
    """
    frame = pl.DataFrame({"group": group.cast(pl.String)}).with_row_index("place")
    alone, shared = pl.format("alone {}", "place"), pl.format("group {}", "group")
    named = pl.when(pl.col("group").is_null()).then(alone).otherwise(shared)
    numbers = frame.select(number=named.rank("dense").cast(pl.Int64))["number"]
    return numbers.to_numpy() if numbers.n_unique() < len(numbers) else None


def interval(values: np.ndarray, level: float = 0.95) -> list[float] | None:
    """Return the percentile interval of resampled values, or None when too many resamples left it undefined."""
    known = values[np.isfinite(values)]
    if len(known) < 0.95 * len(values):
        return None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return [float(low), float(high)]


def bounds(values: dict[str, np.ndarray], sums: Sums, metrics: Mapping[str, Metric]) -> dict[str, list[float] | None]:
    """Return the 95 % interval of every metric in ``values``, which holds its value on all records and resamples.

    No error among 50 answers is not certainty, and no resample shows one: where all resamples agree on a share,
    Wilson's interval takes their place.
    """
    found = {name: interval(of_metric[1:]) for name, of_metric in values.items()}
    for name, ends in found.items():
        counts = metrics[name].counts
        if counts and len(set(ends or [])) == 1:
            found[name] = wilson(int(sums[counts[0]][0, 0]), int(sums[counts[1]][0, 0]))
        elif metrics[name].fewest and ends == [1.0, 1.0]:
            fewest = int(sums[metrics[name].fewest][0].min())
            found[name] = wilson(fewest, fewest)
    return found
