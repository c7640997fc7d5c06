"""Answer or abstain: the one rule that evaluation, server and edge page apply to a number with its interval.

Outputs are float32 (records, 3): the number, and the low and the high end of its interval. Before calibration there
is no interval: a model gives (records, 1). The numbers of the rule stand in the artefact's metadata under
``decision``; the edge page has the same rule in JavaScript, and a test holds the two together.

Reads and writes nothing.
"""

from dataclasses import dataclass

import numpy as np

from fullstack_ml.answers.calibrating import novelty_limit
from fullstack_ml.answers.number.contract import options_of
from fullstack_ml.answers.words import ACCEPT, UNCERTAIN, UNFAMILIAR, RuleAsText, Scored
from fullstack_ml.product.types import Product

USUAL = 0.9  # coverage of the intervals where the product always answers


@dataclass(frozen=True)
class Rule(RuleAsText):
    """When to answer: ``coverage`` is what the intervals are made to reach.

    A record of a novelty above ``novelty`` is ``unfamiliar``; one of an interval wider than ``widest`` is
    ``uncertain``; null leaves the question out.
    """

    coverage: float
    novelty: float | None
    widest: float | None


def ends(outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return low and high of every interval, (records,) each; the number itself where there is none yet."""
    low, high = (1, 2) if outputs.shape[1] == 3 else (0, 0)
    return outputs[:, low], outputs[:, high]


def covered(outputs: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return per record whether its interval holds the right number, as float32: what is rounded alike is inside."""
    (low, high), right = ends(outputs), truth.astype(np.float32)
    return np.asarray((low <= right) & (right <= high))


def widths(outputs: np.ndarray) -> np.ndarray:
    """Return how wide every interval is, in the float32 of the artefact, as the page computes it too."""
    low, high = ends(outputs)
    return np.asarray(high - low)


def coverage_of(product: Product, records: int) -> float:
    """Return the coverage that intervals are made for: what the contract asks, else the usual as far as it is possible.

    Of n scores no interval can be had above n / (n + 1), and half of the calibration ``records`` may give one.
    """
    abstain, half = product.formulation.abstain, max(1, records // 2)
    return abstain.coverage if abstain else min(USUAL, half / (half + 1))


def decide(outputs: np.ndarray, novelty: np.ndarray, rule: Rule) -> np.ndarray:
    """Return ``accept``, ``unfamiliar`` or ``uncertain`` per record; what is not finite is never accepted."""
    familiar = True if rule.novelty is None else novelty <= np.float32(rule.novelty)  # NaN is unfamiliar
    narrow = True if rule.widest is None else widths(outputs) <= np.float32(rule.widest)
    sure = narrow & np.isfinite(outputs).all(axis=1)
    return np.where(familiar, np.where(sure, ACCEPT, UNCERTAIN), UNFAMILIAR).astype(object)


def fit_rule(scored: Scored, truth: np.ndarray, product: Product) -> Rule:
    """Return the rule: the contract's own width, and a novelty that few familiar records pass."""
    abstain, coverage = product.formulation.abstain, coverage_of(product, len(truth))
    if abstain is None:
        return Rule(coverage, None, None)
    limit = novelty_limit(scored.novelty, abstain.false_alarms)
    return Rule(coverage, limit, options_of(product).widest)
