"""Which labels are answered, and whether: the one rule that evaluation, server and edge page apply.

Outputs are float32 (records, labels): how probable each label is, whatever the others are. A record is answered as a
whole, with all its labels, or not at all: who has to look at it reads it once for all of them, and is shown every
candidate. The numbers of the rule stand in the artefact's metadata under ``decision``; the edge page has the same rule
in JavaScript, and a test holds the two together.

Reads and writes nothing.
"""

from dataclasses import dataclass, field

import numpy as np

from fullstack_ml.answers.calibrating import WHERE, novelty_limit
from fullstack_ml.answers.labels.contract import excluded
from fullstack_ml.answers.words import ACCEPT, UNCERTAIN, UNFAMILIAR, RuleAsText, Scored
from fullstack_ml.product.formulation import least_records
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError

FEW = 10  # records with a label, and without it, below which its threshold stays in the middle
HALF = 0.5


@dataclass(frozen=True)
class Rule(RuleAsText):
    """When to answer, and what.

    ``thresholds``: a label is answered from this probability on, one per label. ``floor``: from it on a label is a
    candidate. ``confidence``: how probable it has to be that all labels are right. ``novelty``: a record above it is
    ``unfamiliar``; null where the product always answers. ``coverage``: the share of a record's labels that its
    candidates are made to hold. ``excludes``: places of labels of which at most one is answered.
    """

    thresholds: list[float]
    floor: float
    confidence: float
    novelty: float | None
    coverage: float
    excludes: list[list[int]] = field(default_factory=list)


def plain(labels: int) -> Rule:
    """Return the rule that answers every label that is more probable than not."""
    return Rule([HALF] * labels, HALF, 0.0, None, 1.0)


def chosen(outputs: np.ndarray, rule: Rule) -> np.ndarray:
    """Return which labels are answered, bool (records, labels).

    Of labels that exclude each other only the most probable stays, of equal ones the first.
    """
    given = outputs >= np.array(rule.thresholds, np.float32)
    for group in rule.excludes:
        best = np.where(given[:, group], outputs[:, group], -1).argmax(axis=1)
        given[:, group] &= best[:, np.newaxis] == np.arange(len(group))
    return given


def candidates(outputs: np.ndarray, rule: Rule) -> np.ndarray:
    """Return which labels a person is shown: all that may well be right, and all that reach their threshold."""
    return outputs >= np.minimum(np.array(rule.thresholds, np.float32), np.float32(rule.floor))


def confidences(outputs: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return how probable it is that all labels of a record are right, as if they came by chance beside each other.

    The factors are multiplied in the order of the labels, in float64, as the edge page does: both come to the same
    bits.
    """
    shares, found = outputs.astype(np.float64), np.ones(len(outputs))
    for column, answered in zip(shares.T, given.T, strict=True):
        found *= np.where(answered, column, 1 - column)
    return found


def decide(outputs: np.ndarray, novelty: np.ndarray, rule: Rule) -> np.ndarray:
    """Return ``accept``, ``unfamiliar`` or ``uncertain`` per record.

    A record is accepted when it is familiar, every candidate is answered, and all labels are right with a probability
    of at least the confidence. What is not finite is never accepted.
    """
    finite = np.isfinite(outputs).all(axis=1)
    if rule.novelty is None:
        return np.where(finite, ACCEPT, UNCERTAIN).astype(object)
    given = chosen(outputs, rule)
    sure = finite & ~(candidates(outputs, rule) & ~given).any(axis=1)
    sure &= confidences(outputs, given) >= rule.confidence
    familiar = novelty <= rule.novelty  # NaN is unfamiliar
    return np.where(familiar, np.where(sure, ACCEPT, UNCERTAIN), UNFAMILIAR).astype(object)


def best_threshold(probability: np.ndarray, truth: np.ndarray) -> float:
    """Return the threshold of the highest F1 of one label, (records,) each; of equal ones the nearest to one half.

    With too few records that have the label, or have it not, chance would choose it: one half then.
    """
    if min(truth.sum(), (~truth).sum()) < FEW:
        return HALF
    order = np.argsort(-probability, kind="stable")
    ends = np.flatnonzero(np.diff(probability[order], append=-1))  # of equal probabilities the last
    hits = np.cumsum(truth[order])[ends]
    f1 = 2 * hits / (ends + 1 + truth.sum())
    levels = probability[order][ends].astype(np.float64)
    middle = (levels + np.append(levels[1:], levels[-1])) / 2  # between what is answered and what is not
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    return float(np.float32(middle[best[np.abs(middle[best] - HALF).argmin()]]))


def controlled_floor(outputs: np.ndarray, truth: np.ndarray, coverage: float) -> float:
    """Return the highest floor at which a new record's candidates miss at most ``1 - coverage`` of its labels.

    That is the mean over records that have a label, by conformal risk control (Angelopoulos et al. 2022, Conformal Risk
    Control): of n records the missed shares may sum up to (n + 1)(1 - coverage) - 1.

    Raises:
        UserError: if there are too few records with a label.
    """
    having = truth.any(axis=1)
    outputs, truth = outputs[having], truth[having]
    allowed = (len(truth) + 1) * (1 - coverage) - 1 + 1e-9
    if allowed < 0:
        what = f"a coverage of {coverage:g} needs at least {least_records(coverage)} calibration records with a label"
        what += f", and there are {len(truth)}"
        raise UserError(what, WHERE, "collect more, raise the share of the calibration split, or lower the coverage")
    weights = np.broadcast_to(1 / truth.sum(axis=1, keepdims=True), truth.shape)[truth]
    values = outputs[truth]
    levels, first = np.unique(values, return_inverse=True)
    below = np.cumsum(np.bincount(first, weights)) - np.bincount(first, weights)  # missed by this level as the floor
    return float(levels[below <= allowed][-1])


def fit_rule(scored: Scored, truth: np.ndarray, product: Product) -> Rule:
    """Return the rule for calibrated scores of records whose labels are ``truth``, bool (records, labels)."""
    abstain, cost = product.formulation.abstain, product.service.error_cost
    pairs = zip(scored.outputs.T, truth.T, strict=True)
    thresholds, groups = [best_threshold(share, mine) for share, mine in pairs], excluded(product)
    if abstain is None:
        return Rule(thresholds, HALF, 0.0, None, 1.0, groups)
    floor = controlled_floor(scored.outputs, truth, abstain.coverage)
    # A wrong answer costs (1 - p) * wrong on average, silence costs abstain: they meet at p = 1 - abstain / wrong.
    confidence = max(0.0, 1.0 - cost.abstain / cost.wrong)
    limit = novelty_limit(scored.novelty, abstain.false_alarms)
    return Rule(thresholds, floor, confidence, limit, abstain.coverage, groups)
