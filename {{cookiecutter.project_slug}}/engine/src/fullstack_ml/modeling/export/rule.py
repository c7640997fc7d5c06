"""Fit the rule to answer or abstain on the calibration split.

Reads and writes nothing. No number in it is chosen by hand: the coverage and the false alarms come from
``formulation.abstain`` of product.yaml, the lowest confidence from ``service.error_cost``.
"""

import math

import numpy as np

from fullstack_ml.answers.decision import ALWAYS, Rule
from fullstack_ml.artefact.session import Scored
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError

WHERE = "formulation.abstain in product.yaml and conf/split.yaml"


def conformal_quantile(scores: np.ndarray, level: float) -> float:
    """Return the split-conformal quantile: a new score is at most this with probability ``level``.

    It is the ceil((n + 1) level)-th smallest of n scores (Vovk, Gammerman and Shafer 2005; Papadopoulos et al. 2002).

    Raises:
        UserError: if there are too few scores for the level.
    """
    rank = math.ceil((len(scores) + 1) * level)
    if rank > len(scores):
        least = math.ceil(level / (1 - level))
        what = f"a level of {level:g} needs at least {least} calibration records, and there are {len(scores)}"
        raise UserError(what, WHERE, "collect more, raise the share of the calibration split, or lower the level")
    return float(np.sort(scores)[rank - 1])


def fit_rule(scored: Scored, truth: np.ndarray, product: Product) -> Rule:
    """Return the rule for calibrated scores of records whose labels are ``truth`` (indices)."""
    abstain, cost = product.formulation.abstain, product.service.error_cost
    if abstain is None:
        return ALWAYS
    right = scored.probabilities[np.arange(len(truth)), truth]
    floor = 1.0 - conformal_quantile(1.0 - right, abstain.coverage)
    # An answer costs (1 - p) * wrong on average, silence costs abstain: they meet at p = 1 - abstain / wrong.
    confidence = max(0.0, 1.0 - cost.abstain / cost.wrong)
    limit = conformal_quantile(scored.novelty, 1.0 - abstain.false_alarms)
    return Rule(floor=floor, confidence=confidence, novelty=limit, coverage=abstain.coverage)
