"""The metrics of several labels: what each record adds, and the row of every metric with its function.

Reads and writes nothing.
"""

from collections.abc import Callable

import numpy as np

from fullstack_ml.answers.label.metrics import collapse, ece, mean_loss, precision_of
from fullstack_ml.answers.labels.rule import Rule, candidates, chosen
from fullstack_ml.product.metrics import Metric, Sums, Values

BINS = 10
LEAST = 1e-7  # what a probability of 0 counts as in the log loss


def losses(outputs: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the mean over labels of the negative log probability of what is right, (records,)."""
    right = np.where(truth, outputs, 1 - outputs.astype(np.float64))
    return np.asarray(-np.log(np.maximum(right, LEAST)).mean(axis=1))


def columns(
    outputs: np.ndarray, truth: np.ndarray, answered: np.ndarray, rule: Rule, cost: float = 0.0, bins: int = BINS
) -> dict[str, np.ndarray]:
    """Return the per-record columns, each (records,) or (records, parts), that all metrics are sums of.

    ``answered`` says per record whether it is answered, ``cost`` what a wrong answer costs. ``score`` is what groups
    and slices are compared on: 1 where all labels of a record are right. ``alone`` counts the records that have one
    label alone, and last those that have none.
    """
    given, labels, shares = chosen(outputs, rule), truth.shape[1], outputs.astype(np.float64)
    hit = (given == truth).all(axis=1).astype(np.float64)
    many = truth.sum(axis=1)
    place = np.minimum((outputs * bins).astype(int), bins - 1) + bins * np.arange(len(outputs))[:, np.newaxis]
    gaps = np.bincount(place.ravel(), (truth - shares).ravel(), bins * len(outputs)).reshape(-1, bins)
    held = (candidates(outputs, rule) & truth).sum(axis=1) / np.maximum(many, 1)
    return {
        "score": hit,
        "truth": truth.astype(np.float64),
        "predicted": given.astype(np.float64),
        "label_hit": (truth & given).astype(np.float64),
        "alone": np.column_stack([truth & (many == 1)[:, np.newaxis], many == 0]).astype(np.float64),
        "none_hit": hit * (many == 0),
        "wrong_labels": (given != truth).mean(axis=1),
        "bin_gap": gaps / labels,
        "log_loss": losses(outputs, truth),
        "brier": ((shares - truth) ** 2).mean(axis=1),
        "answered_wrong": answered * (1 - hit),
        "answered_cost": answered * (1 - hit) * cost,
        "held": held,
        "having": (many > 0).astype(np.float64),
    }


def f1_of(truth: np.ndarray, predicted: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """Return the F1 score of counts; 0 where nothing was right and nothing was answered."""
    found = truth + predicted
    return np.asarray(np.divide(2 * hits, found, out=np.zeros_like(found), where=found > 0))


def _per_label(sums: Sums) -> np.ndarray:
    return f1_of(sums["truth"], sums["predicted"], sums["label_hit"])


def _micro_f1(sums: Sums) -> Values:
    return f1_of(*(sums[name].sum(axis=1) for name in ("truth", "predicted", "label_hit")))


def _margin(sums: Sums) -> Values:
    return np.asarray(sums.mean("score") - sums["alone"][:, sums.facts["majority"]] / sums["one"][:, 0])


def average_precision(outputs: np.ndarray, truth: np.ndarray) -> Callable[[np.ndarray], float]:
    """Return the mean over labels of the average precision, as a function of the records' weights."""
    measures = [precision_of(share, mine) for share, mine in zip(outputs.T, truth.T, strict=True)]
    return lambda weights: float(np.mean([measure(weights) for measure in measures]))


def _share(meaning: str, part: str, whole: str) -> Metric:
    return Metric("share", "higher", meaning, lambda sums: sums.ratio(part, whole), (part, whole))


METRICS: dict[str, Metric] = {
    "subset_accuracy": _share("share of records of which all labels are right", "score", "one"),
    "micro_f1": Metric("share", "higher", "F1 score of all labels of all records together", _micro_f1),
    "macro_f1": Metric("share", "higher", "mean over labels of the F1 score", lambda s: _per_label(s).mean(axis=1)),
    "worst_label_f1": Metric("share", "higher", "lowest F1 score of a label", lambda s: _per_label(s).min(axis=1)),
    "worst_label_recall": Metric(
        "share",
        "higher",
        "share that is found of the label that is missed most",
        lambda sums: (sums["label_hit"] / sums["truth"]).min(axis=1),
        fewest="truth",
    ),
    "none_recall": Metric(
        "share",
        "higher",
        "share of the records without a label that get none",
        lambda sums: sums["none_hit"][:, 0] / sums["alone"][:, -1],
    ),
    "hamming_loss": mean_loss("wrong_labels", "share", "share of all labels of all records that are wrong"),
    "average_precision": Metric(
        "share", "higher", "mean over labels of the area under precision and recall", weighted=average_precision
    ),
    "log_loss": mean_loss("log_loss", "nats", "mean over labels of the negative log probability of what is right"),
    "brier": mean_loss("brier", "share", "mean over labels of the squared error of the probability"),
    "ece": Metric("share", "lower", "expected calibration error of the probabilities of all labels", ece),
    "margin_over_baseline": Metric(
        "share", "higher", "subset accuracy above always answering the most frequent label alone, or none", _margin
    ),
    "worst_slice_subset_accuracy": Metric("share", "higher", "lowest subset accuracy of a measurable slice"),
    "collapse": Metric("share", "lower", "how strongly the most neglected label is under-predicted", collapse),
    "set_coverage": Metric(
        "share",
        "higher",
        "share of a record's labels that its candidates hold, over records with a label",
        lambda sums: sums.ratio("held", "having"),
    ),
}
