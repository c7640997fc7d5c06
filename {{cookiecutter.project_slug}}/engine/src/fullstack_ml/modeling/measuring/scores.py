"""Metrics of probabilities against the truth, as plain numbers.

Reads and writes nothing. ``probabilities`` is (records, labels), ``truth`` holds label indices.
"""

import numpy as np

from fullstack_ml.modeling.measuring.intervals import columns, metrics, totals

HEADLINE = ("accuracy", "macro_f1", "log_loss", "brier", "ece")


def confusion(predicted: np.ndarray, truth: np.ndarray, labels: int) -> np.ndarray:
    """Count records by right label (rows) and predicted label (columns)."""
    return np.bincount(truth * labels + predicted, minlength=labels * labels).reshape(labels, labels)


def recalls(matrix: np.ndarray) -> np.ndarray:
    """Recall per label from a confusion matrix; NaN for a label without records."""
    with np.errstate(invalid="ignore", divide="ignore"):
        result: np.ndarray = matrix.diagonal() / matrix.sum(axis=1)
    return result


def reliability(probabilities: np.ndarray, truth: np.ndarray, bins: int) -> list[dict[str, float]]:
    """Per bin of the top probability: records, mean probability, accuracy; empty bins are left out."""
    top = probabilities.max(axis=1)
    hit = probabilities.argmax(axis=1) == truth
    which = np.minimum((top * bins).astype(int), bins - 1)
    return [
        {"records": int(mine.sum()), "confidence": float(top[mine].mean()), "accuracy": float(hit[mine].mean())}
        for mine in (which == b for b in range(bins))
        if mine.any()
    ]


def headline(probabilities: np.ndarray, truth: np.ndarray, bins: int = 10) -> dict[str, float]:
    """Return the metrics that need nothing but probabilities and truth."""
    nothing = np.zeros(len(truth), bool)
    found = metrics(totals(columns(probabilities, truth, nothing, nothing, bins), 0, 0), 0, (0.0, 0.0))
    return {name: float(found[name][0]) for name in HEADLINE}


def apart(familiar: np.ndarray, strange: np.ndarray) -> dict[str, np.ndarray]:
    """Say how well a score (higher is stranger) tells strange records from familiar ones, per familiar record.

    The mean of ``novelty_auroc`` is the chance that a strange record scores higher than a familiar one, ties counting
    half (Mann and Whitney 1947); that of ``novelty_false_alarms`` is the share of familiar records above the limit that
    catches 95 % of the strange.
    """
    familiar = np.nan_to_num(familiar, nan=np.inf, posinf=np.inf)
    ranked = np.sort(np.nan_to_num(strange, nan=np.inf, posinf=np.inf))
    not_above, below = (np.searchsorted(ranked, familiar, side) for side in ("right", "left"))
    limit = ranked[int(0.05 * len(ranked))]
    return {
        "novelty_auroc": 1 - (not_above + below) / (2 * len(ranked)),
        "novelty_false_alarms": (familiar >= limit).astype(np.float32),
    }


def separation(familiar: np.ndarray, strange: np.ndarray) -> dict[str, float]:
    """Return the means of ``apart``."""
    found = apart(familiar, strange)
    return {name.removeprefix("novelty_"): float(values.mean()) for name, values in found.items()}
