"""The metrics of one label: what each record adds, and the row of every metric with its function.

Reads and writes nothing.
"""

from collections.abc import Callable

import numpy as np

from fullstack_ml.answers.label.rule import Rule, chosen
from fullstack_ml.product.metrics import Metric, Sums, Values, share_of

BINS = 10
TINY = np.finfo(np.float32).tiny


def right_probability(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the probability of every record's own label, (records,)."""
    return np.asarray(probabilities[np.arange(len(truth)), truth])


def columns(
    probabilities: np.ndarray,
    truth: np.ndarray,
    answered: np.ndarray,
    rule: Rule,
    prices: np.ndarray | float = 0.0,
    bins: int = BINS,
) -> dict[str, np.ndarray]:
    """Return the per-record columns, each (records,) or (records, parts), that all metrics are sums of.

    ``answered`` says per record whether it is answered, ``abstained`` that it is given back; a label of a probability
    of at least the rule's floor is in the prediction set. ``score`` is what groups and slices are compared on: 1 for a
    right label. ``prices``: what an error costs, (right labels, answered labels).
    """
    predicted, top = chosen(probabilities, rule), probabilities.max(axis=1)
    top_hit = (probabilities.argmax(axis=1) == truth).astype(np.float32)
    hit = (predicted == truth).astype(np.float32)
    one_hot = np.eye(probabilities.shape[1], dtype=np.float32)
    in_bin = np.eye(bins, dtype=np.float32)[np.minimum((top * bins).astype(int), bins - 1)]
    right = right_probability(probabilities, truth)
    covered, abstained = (right >= rule.floor).astype(np.float32), 1 - answered.astype(np.float32)
    return {
        "score": hit,
        "truth": one_hot[truth],
        "predicted": one_hot[predicted],
        "steps_squared": (predicted - truth).astype(np.float64) ** 2,
        "label_hit": one_hot[truth] * hit[:, None],
        "bin_gap": in_bin * (top_hit - top)[:, None],
        "log_loss": -np.log(np.maximum(right, TINY)),
        "brier": ((probabilities - one_hot[truth]) ** 2).sum(axis=1),
        "answered_wrong": answered.astype(np.float32) * (1 - hit),
        "answered_cost": answered * np.broadcast_to(prices, (len(one_hot), len(one_hot)))[truth, predicted],
        "covered": covered,
        "abstained": abstained,
        "abstained_covered": abstained * covered,
    }


def f1_of(truth: np.ndarray, predicted: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """Return the F1 score of counts; 0 where nothing was right and nothing was answered."""
    found = truth + predicted
    return np.asarray(np.divide(2 * hits, found, out=np.zeros_like(found), where=found > 0))


def f1_per_label(sums: Sums) -> Values:
    """Return the F1 score of every label, (resamples + 1, labels)."""
    return f1_of(sums["truth"], sums["predicted"], sums["label_hit"])


def ece(sums: Sums) -> Values:
    """Weigh |share that is right - probability| per bin by the records (Naeini et al. 2015)."""
    return np.asarray(np.abs(sums["bin_gap"]).sum(axis=1) / sums["one"][:, 0])


def _margin(sums: Sums) -> Values:
    return np.asarray(sums.mean("score") - sums["truth"][:, sums.facts["majority"]] / sums["one"][:, 0])


def _worst_recall(sums: Sums) -> Values:
    return np.asarray((sums["label_hit"] / sums["truth"]).min(axis=1))


def _quadratic_kappa(sums: Sums) -> Values:
    """Weigh an error by its squared distance, against what the same shares of labels reach by chance (Cohen 1968).

    NaN where chance makes no error either.
    """
    places, records = np.arange(sums["truth"].shape[1]), sums["one"][:, 0]
    right, given = sums["truth"], sums["predicted"]
    by_chance = (right @ places**2 + given @ places**2) / records - 2 * (right @ places) * (given @ places) / records**2
    return np.asarray(1 - sums.mean("steps_squared") / by_chance)


def collapse(sums: Sums) -> Values:
    """Return how far the rarest prediction falls short of its label's records, from 0 to 1."""
    return np.asarray(1 - np.minimum(1, (sums["predicted"] / sums["truth"]).min(axis=1)))


def average_precision(probabilities: np.ndarray, truth: np.ndarray) -> Callable[[np.ndarray], float]:
    """Return the mean over labels of the average precision, as a function of the records' weights.

    ``truth`` is (records,), the label of each, or bool (records, labels).
    """
    own = truth if truth.ndim == 2 else truth[:, np.newaxis] == np.arange(probabilities.shape[1])
    measures = [precision_of(column, mine) for column, mine in zip(probabilities.T, own.T, strict=True)]
    return lambda weights: float(np.mean([measure(weights) for measure in measures]))


def precision_of(probability: np.ndarray, mine: np.ndarray) -> Callable[[np.ndarray], float]:
    """Return the average precision of one label, (records,) each, as a function of the records' weights.

    It is the precision at each probability of the label, weighed by the recall that is won there (scikit-learn's
    ``average_precision_score``), and knows no threshold: of a rare label chance reaches no more than its share. NaN
    where no record has the label.
    """
    order = np.argsort(-probability, kind="stable")
    ends = np.flatnonzero(np.diff(probability[order], append=-1.0))  # of equal probabilities the last

    def measure(weights: np.ndarray) -> float:
        weight = weights[order].astype(np.float64)
        hits, seen = np.cumsum(weight * mine[order])[ends], np.cumsum(weight)[ends]
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.where(seen > 0, hits / seen, 0.0)
            return float(np.sum(np.diff(hits, prepend=0.0) * precision) / hits[-1])

    return measure


def mean_loss(name: str, unit: str, meaning: str) -> Metric:
    """Return the metric that is the mean of a column, better when lower."""
    return Metric(unit, "lower", meaning, lambda sums: sums.mean(name))


METRICS: dict[str, Metric] = {
    "accuracy": share_of("higher", "share of records with the right label", "score"),
    "macro_f1": Metric("share", "higher", "mean over labels of the F1 score", lambda s: f1_per_label(s).mean(axis=1)),
    "average_precision": Metric(
        "share", "higher", "mean over labels of the area under precision and recall", weighted=average_precision
    ),
    "quadratic_kappa": Metric(
        "kappa",
        "higher",
        "agreement of ordered labels, an error weighed by its squared distance",
        _quadratic_kappa,
        needs="ordered",
    ),
    "log_loss": mean_loss("log_loss", "nats", "mean negative log probability of the right label"),
    "brier": mean_loss("brier", "share", "mean squared error of the probabilities, summed over labels"),
    "ece": Metric("share", "lower", "average gap between the stated probability and the share that is right", ece),
    "margin_over_baseline": Metric(
        "share", "higher", "accuracy beyond that of always giving the most frequent label", _margin
    ),
    "worst_slice_accuracy": Metric("share", "higher", "lowest accuracy of a measurable slice"),
    "worst_label_recall": Metric(
        "share", "higher", "recall of the label with the lowest recall", _worst_recall, fewest="truth"
    ),
    "collapse": Metric("share", "lower", "how strongly the most neglected label is under-predicted", collapse),
    "set_coverage": share_of(
        "higher", "share of all records, answered or not, whose candidates include the right label", "covered"
    ),
    "abstained_coverage": share_of(
        "higher",
        "of the records that are given back, the share whose candidates include the right label",
        "abstained_covered",
        "abstained",
    ),
}
