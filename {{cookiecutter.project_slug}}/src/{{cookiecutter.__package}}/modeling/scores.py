"""Metrics of probabilities against the truth, in numpy alone.

Reads and writes nothing. ``probabilities`` is (records, labels), ``truth`` holds label indices.
"""

import numpy as np


def accuracy(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Share of records whose most probable label is the right one."""
    return float((probabilities.argmax(axis=1) == truth).mean())


def confusion(predicted: np.ndarray, truth: np.ndarray, labels: int) -> np.ndarray:
    """Count records by right label (rows) and predicted label (columns)."""
    return np.bincount(truth * labels + predicted, minlength=labels * labels).reshape(labels, labels)


def recalls(matrix: np.ndarray) -> np.ndarray:
    """Recall per label from a confusion matrix; NaN for a label without records."""
    with np.errstate(invalid="ignore", divide="ignore"):
        result: np.ndarray = matrix.diagonal() / matrix.sum(axis=1)
    return result


def macro_f1(matrix: np.ndarray) -> float:
    """Mean over labels of 2 TP / (2 TP + FP + FN); a label that is neither right nor predicted counts as 0."""
    hits = matrix.diagonal()
    total = matrix.sum(axis=0) + matrix.sum(axis=1)
    return float(np.mean(np.divide(2.0 * hits, total, out=np.zeros(len(hits)), where=total > 0)))


def log_loss(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Mean negative log probability of the right label, in nats."""
    right = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    return float(-np.log(np.maximum(right, np.finfo(np.float32).tiny)).mean())


def brier(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Mean over records of the squared distance between the probabilities and the truth (Brier 1950)."""
    target = np.eye(probabilities.shape[1])[truth]
    return float(((probabilities - target) ** 2).sum(axis=1).mean())


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


def ece(probabilities: np.ndarray, truth: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error: |accuracy - confidence| per bin, weighted by records (Naeini et al. 2015)."""
    rows = reliability(probabilities, truth, bins)
    return sum(row["records"] * abs(row["accuracy"] - row["confidence"]) for row in rows) / len(truth)


def headline(probabilities: np.ndarray, truth: np.ndarray, bins: int = 10) -> dict[str, float]:
    """Return the metrics that need nothing but probabilities and truth."""
    matrix = confusion(probabilities.argmax(axis=1), truth, probabilities.shape[1])
    return {
        "accuracy": accuracy(probabilities, truth),
        "macro_f1": macro_f1(matrix),
        "log_loss": log_loss(probabilities, truth),
        "brier": brier(probabilities, truth),
        "ece": ece(probabilities, truth, bins),
    }


def separation(familiar: np.ndarray, strange: np.ndarray) -> dict[str, float]:
    """Say how well a score (higher is stranger) tells strange records from familiar ones.

    ``auroc`` is the chance that a strange record scores higher than a familiar one, ties counting half (Mann and
    Whitney 1947); ``false_alarms`` is the share of familiar records above the limit that catches 95 % of the strange.
    """
    ranked = np.sort(np.nan_to_num(familiar, nan=np.inf, posinf=np.inf))
    strange = np.nan_to_num(strange, nan=np.inf, posinf=np.inf)
    below, not_above = np.searchsorted(ranked, strange, "left"), np.searchsorted(ranked, strange, "right")
    limit = np.sort(strange)[int(0.05 * len(strange))]
    return {
        "auroc": float((below + not_above).mean() / (2 * len(ranked))),
        "false_alarms": float((ranked >= limit).mean()),
    }
