"""The metrics of several labels: what each record adds, and the row of every metric with its function.

Reads and writes nothing.
"""

import numpy as np

from fullstack_ml.answers.label.metrics import METRICS as ONE_LABEL
from fullstack_ml.answers.label.metrics import ece, f1_of, f1_per_label, mean_loss
from fullstack_ml.answers.labels.rule import Rule, candidates, chosen
from fullstack_ml.product.metrics import Metric, Sums, Values, share_of

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
    label alone, and last those that have none. ``abstained_`` begins what only the records that are given back add.
    """
    given, labels, shares = chosen(outputs, rule), truth.shape[1], outputs.astype(np.float64)
    hit = (given == truth).all(axis=1).astype(np.float64)
    many = truth.sum(axis=1)
    place = np.minimum((outputs * bins).astype(int), bins - 1) + bins * np.arange(len(outputs))[:, np.newaxis]
    gaps = np.bincount(place.ravel(), (truth - shares).ravel(), bins * len(outputs)).reshape(-1, bins)
    held = (candidates(outputs, rule) & truth).sum(axis=1) / np.maximum(many, 1)
    having, abstained = (many > 0).astype(np.float64), 1 - np.asarray(answered, np.float64)
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
        "having": having,
        "abstained_held": abstained * held,
        "abstained_having": abstained * having,
    }


def _micro_f1(sums: Sums) -> Values:
    return f1_of(*(sums[name].sum(axis=1) for name in ("truth", "predicted", "label_hit")))


def _margin(sums: Sums) -> Values:
    return np.asarray(sums.mean("score") - sums["alone"][:, sums.facts["majority"]] / sums["one"][:, 0])


METRICS: dict[str, Metric] = {
    "subset_accuracy": share_of("higher", "share of records of which all labels are right", "score"),
    "micro_f1": Metric("share", "higher", "F1 score of all labels of all records together", _micro_f1),
    "macro_f1": ONE_LABEL["macro_f1"],
    "worst_label_f1": Metric("share", "higher", "lowest F1 score of a label", lambda s: f1_per_label(s).min(axis=1)),
    "worst_label_recall": ONE_LABEL["worst_label_recall"],
    "none_recall": Metric(
        "share",
        "higher",
        "share of the records without a label that get none",
        lambda sums: sums["none_hit"][:, 0] / sums["alone"][:, -1],
    ),
    "hamming_loss": mean_loss("wrong_labels", "share", "share of all labels of all records that are wrong"),
    "average_precision": ONE_LABEL["average_precision"],
    "log_loss": mean_loss("log_loss", "nats", "mean over labels of the negative log probability of what is right"),
    "brier": mean_loss("brier", "share", "mean over labels of the squared error of the probability"),
    "ece": Metric(
        "share", "lower", "average gap between the stated probability and the share that is right, over all labels", ece
    ),
    "margin_over_baseline": Metric(
        "share", "higher", "subset accuracy above always answering the most frequent label alone, or none", _margin
    ),
    "worst_slice_subset_accuracy": Metric("share", "higher", "lowest subset accuracy of a measurable slice"),
    "collapse": ONE_LABEL["collapse"],
    "set_coverage": Metric(
        "share",
        "higher",
        "share of a record's labels that its candidates include, over all records with a label, answered or not",
        lambda sums: sums.ratio("held", "having"),
    ),
    "abstained_coverage": Metric(
        "share",
        "higher",
        "share of a record's labels that its candidates include, over records with a label that are given back",
        lambda sums: sums.ratio("abstained_held", "abstained_having"),
    ),
}
