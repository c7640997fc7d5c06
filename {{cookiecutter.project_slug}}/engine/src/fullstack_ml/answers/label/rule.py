"""Answer or abstain: the one rule that evaluation, server and edge page apply to scored records of one label.

The numbers of the rule stand in the artefact's metadata under ``decision``; none is chosen by hand. The edge page has
the same rule in JavaScript, and a test holds the two together.

Reads and writes nothing.
"""

from dataclasses import dataclass, replace

import numpy as np

from fullstack_ml.answers.calibrating import conformal_quantile, novelty_limit
from fullstack_ml.answers.words import ACCEPT, UNCERTAIN, UNFAMILIAR, RuleAsText, Scored
from fullstack_ml.product.types import Product

POWERS = {None: 0, "absolute": 1, "squared": 2}  # of the steps between two labels: what they do to the cost
MANY = 64  # records from which on their labels are gone through one by one
WORDS = np.array([UNCERTAIN, ACCEPT, UNFAMILIAR], dtype=object)


@dataclass(frozen=True)
class Rule(RuleAsText):
    """When to answer.

    ``novelty``: a record above it is ``unfamiliar``; null when the product never asks. ``floor``: a label belongs to
    the conformal prediction set when its probability reaches it (Sadinle, Lei and Wasserman 2019, Least Ambiguous
    Set-Valued Classifiers). ``confidence``: lowest top probability at which an answer costs less than abstaining
    (Chow 1970, On Optimum Recognition Error and Reject Tradeoff). ``costs``: where errors cost differently, what each
    costs in abstentions, (right labels, answered labels).
    """

    floor: float
    confidence: float
    novelty: float | None
    coverage: float
    costs: list[list[float]] | None = None


ALWAYS = Rule(floor=0.0, confidence=0.0, novelty=None, coverage=1.0)


def price_list(product: Product) -> np.ndarray:
    """Return what each error costs, (right labels, answered labels); nothing on the diagonal."""
    names, cost = product.formulation.label_names, product.service.error_cost
    place = np.arange(len(names))
    prices = cost.wrong * np.abs(place[:, np.newaxis] - place) ** POWERS[cost.by_distance]
    for right, row in cost.by_label.items():
        for given, price in row.items():
            prices[names.index(right), names.index(given)] = price
    return np.asarray(prices) * (1 - np.eye(len(names)))


def expected_costs(probabilities: np.ndarray, costs: list[list[float]]) -> np.ndarray:
    """Return what answering each label costs on average, (records, labels).

    The terms are added in the order of the labels, in float64, as the edge page adds them: both come to the same bits.
    """
    shares = probabilities.astype(np.float64).T[:, :, np.newaxis]
    return np.asarray(sum(share * np.array(row) for share, row in zip(shares, costs, strict=True)))


def chosen(probabilities: np.ndarray, rule: Rule) -> np.ndarray:
    """Return the index of the label that is answered: the most probable, or where errors differ the cheapest.

    The lowest expected cost is the best that can be done with calibrated probabilities (Elkan 2001, The Foundations of
    Cost-Sensitive Learning).
    """
    if rule.costs is None:
        return np.asarray(probabilities.argmax(axis=1))
    return np.asarray(expected_costs(probabilities, rule.costs).argmin(axis=1))


def two_largest(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest and the second largest of every row; NaN counts as the largest.

    Of many rows column by column, which is several times as fast as a partition of every row.
    """
    if len(values) < MANY:
        second, first = np.partition(values, -2, axis=1)[:, -2:].T
        return first, second
    columns = np.ascontiguousarray(values.T)
    first, second = columns[0], np.full(len(values), -np.inf, values.dtype)
    for column in columns[1:]:
        second = np.maximum(second, np.minimum(first, column))
        first = np.maximum(first, column)
    return first, second


def decide(probabilities: np.ndarray, novelty: np.ndarray, rule: Rule) -> np.ndarray:
    """Return ``accept``, ``unfamiliar`` or ``uncertain`` per record.

    ``probabilities`` is (records, labels), ``novelty`` is (records,). A record is accepted when it is familiar, exactly
    one label reaches the floor, and its probability reaches the confidence. Where errors cost differently, that label
    has to be the cheapest too, and to cost no more on average than an abstention.
    """
    if replace(rule, costs=None) == ALWAYS:
        return np.full(len(probabilities), ACCEPT, dtype=object)
    first, second = two_largest(probabilities)
    sure = (first >= max(rule.floor, rule.confidence)) & (second < rule.floor)
    if rule.costs is not None:
        costs = expected_costs(probabilities, rule.costs)
        sure &= (costs.argmin(axis=1) == probabilities.argmax(axis=1)) & (costs.min(axis=1) <= 1)
    familiar = True if rule.novelty is None else novelty <= rule.novelty  # NaN is unfamiliar
    return WORDS[np.where(familiar, sure, 2)]


def fit_rule(scored: Scored, truth: np.ndarray, product: Product) -> Rule:
    """Return the rule for calibrated scores of records whose labels are ``truth`` (indices)."""
    abstain, cost = product.formulation.abstain, product.service.error_cost
    costs = (price_list(product) / cost.abstain).tolist() if cost.differs else None
    if abstain is None:
        return replace(ALWAYS, costs=costs)
    right = scored.outputs[np.arange(len(truth)), truth]
    floor = 1.0 - conformal_quantile(1.0 - right, abstain.coverage)
    # An answer costs (1 - p) * wrong on average, silence costs abstain: they meet at p = 1 - abstain / wrong.
    confidence = 0.0 if costs else max(0.0, 1.0 - cost.abstain / cost.wrong)
    limit = novelty_limit(scored.novelty, abstain.false_alarms)
    return Rule(floor=floor, confidence=confidence, novelty=limit, coverage=abstain.coverage, costs=costs)
