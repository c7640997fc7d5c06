"""Metrics with confidence intervals, from sums over records alone.

Reads and writes nothing. Every metric here is a function of sums of per-record columns, so one matrix product gives the
sums of a thousand resamples, and memory does not grow with the records.
"""

from collections.abc import Iterator

import numpy as np

CHUNK = 8192
# The metrics that are shares, as sum over sum.
SHARES = {
    "accuracy": ("hit", "one"),
    "set_coverage": ("covered", "one"),
    "answered_share": ("answered", "one"),
    "answered_error": ("answered_wrong", "answered"),
    "novelty_auroc": ("novelty_auroc", "one"),
    "novelty_false_alarms": ("novelty_false_alarms", "one"),
}
# Poisson(1) by table: a uniform 16-bit number is looked up here.
POISSON = np.searchsorted(
    np.cumsum([0.36787944, 0.36787944, 0.18393972, 0.06131324, 0.01532831, 0.00306566, 0.00051094, 0.00007299]),
    (np.arange(65536) + 0.5) / 65536,
).astype(np.float32)


def columns(
    probabilities: np.ndarray, truth: np.ndarray, answers: np.ndarray, sets: np.ndarray, bins: int
) -> dict[str, np.ndarray]:
    """Return the per-record columns, each (records,) or (records, parts), that all metrics are sums of.

    ``answers`` says per record whether it is answered, ``sets`` whether its prediction set holds the right label.
    """
    predicted, top = probabilities.argmax(axis=1), probabilities.max(axis=1)
    hit = (predicted == truth).astype(np.float32)
    one_hot = np.eye(probabilities.shape[1], dtype=np.float32)
    in_bin = np.eye(bins, dtype=np.float32)[np.minimum((top * bins).astype(int), bins - 1)]
    right = np.maximum(probabilities[np.arange(len(truth)), truth], np.finfo(np.float32).tiny)
    answered = answers.astype(np.float32)
    return {
        "one": np.ones(len(truth), np.float32),
        "hit": hit,
        "truth": one_hot[truth],
        "predicted": one_hot[predicted],
        "label_hit": one_hot[truth] * hit[:, None],
        "bin_gap": in_bin * (hit - top)[:, None],
        "log_loss": -np.log(right),
        "brier": ((probabilities - one_hot[truth]) ** 2).sum(axis=1),
        "answered": answered,
        "answered_wrong": answered * (1 - hit),
        "covered": sets.astype(np.float32),
    }


def metrics(sums: dict[str, np.ndarray], majority: int, costs: tuple[float, float]) -> dict[str, np.ndarray]:
    """Return every metric of sums whose first axis is the resample; NaN where a metric is undefined.

    ``majority`` is the label that the baseline always answers, ``costs`` that of a wrong answer and of none. The
    calibration error is |accuracy - confidence| per bin, weighted by records (Naeini et al. 2015).
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        size = sums["one"][:, 0]
        share = {name: sums[name][:, 0] / size for name in sums if sums[name].shape[1] == 1}
        recall = sums["label_hit"] / sums["truth"]
        f1 = np.nan_to_num(2 * sums["label_hit"] / (sums["truth"] + sums["predicted"]))
        silent = 1 - share["answered"]
        return {
            "accuracy": share["hit"],
            "macro_f1": f1.mean(axis=1),
            "log_loss": share["log_loss"],
            "brier": share["brier"],
            "ece": np.abs(sums["bin_gap"]).sum(axis=1) / size,
            "margin_over_baseline": share["hit"] - sums["truth"][:, majority] / size,
            "worst_label_recall": recall.min(axis=1),
            "collapse": 1 - np.minimum(1, (sums["predicted"] / sums["truth"]).min(axis=1)),
            "set_coverage": share["covered"],
            "answered_share": share["answered"],
            "answered_error": sums["answered_wrong"][:, 0] / sums["answered"][:, 0],
            "cost_per_record": costs[0] * share["answered_wrong"] + costs[1] * silent,
            **{name: values for name, values in share.items() if name.startswith("novelty_")},
        }


def totals(table: dict[str, np.ndarray], resamples: int, seed: int) -> dict[str, np.ndarray]:
    """Sum the columns over all records (first row) and over ``resamples`` Poisson resamples of them.

    The Poisson bootstrap gives every record an independent Poisson(1) weight (Hanley and MacGibbon 2006).
    """
    wide = {name: column.reshape(len(column), -1) for name, column in table.items()}
    matrix = np.concatenate(list(wide.values()), axis=1)
    random = np.random.default_rng(seed)
    sums = np.zeros((resamples + 1, matrix.shape[1]), np.float64)
    for start in range(0, len(matrix), CHUNK):
        part = matrix[start : start + CHUNK]
        sums[0] += part.sum(axis=0, dtype=np.float64)
        sums[1:] += POISSON[random.integers(0, 65536, (resamples, len(part)), np.uint16)] @ part
    return dict(_cut(sums, wide))


def _cut(sums: np.ndarray, wide: dict[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    """Cut the summed matrix back into the columns' names."""
    start = 0
    for name, column in wide.items():
        yield name, sums[:, start : start + column.shape[1]]
        start += column.shape[1]


def interval(values: np.ndarray, level: float = 0.95) -> list[float] | None:
    """Return the percentile interval of resampled values, or None when too many resamples left it undefined."""
    known = values[np.isfinite(values)]
    if len(known) < 0.95 * len(values):
        return None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return [float(low), float(high)]


def bounds(found: dict[str, np.ndarray], sums: dict[str, np.ndarray]) -> dict[str, list[float] | None]:
    """Return the 95 % interval of every metric of ``metrics()``.

    No error among 50 answers is not certainty, and no resample shows one: where all resamples agree on a share,
    Wilson's interval takes their place.
    """
    known = {name: interval(values[1:]) for name, values in found.items()}
    for name, (part, whole) in SHARES.items():
        if len(set(known.get(name) or [])) == 1:
            known[name] = wilson(int(sums[part][0, 0]), int(sums[whole][0, 0]))
    if known["worst_label_recall"] == [1.0, 1.0]:
        fewest = int(sums["truth"][0].min())
        known["worst_label_recall"] = wilson(fewest, fewest)
    return known


def wilson(hits: int, records: int) -> list[float]:
    """Return the 95 % interval of a share (Wilson 1927), which also holds for few records."""
    z = 1.959964
    share, spread = hits / records, z * z / records
    middle = (share + spread / 2) / (1 + spread)
    half = z * float(np.sqrt(share * (1 - share) / records + spread / (4 * records))) / (1 + spread)
    return [max(0.0, middle - half), min(1.0, middle + half)]
