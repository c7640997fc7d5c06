"""Fit the temperature that makes probabilities honest.

Reads and writes nothing.
"""

import math

import numpy as np


def fit_beta(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Find the beta with the lowest log loss of ``truth`` (indices) under softmax(beta * log p).

    The loss is convex in beta, so a bounded search on its logarithm finds the one minimum.
    """
    from scipy.optimize import minimize_scalar  # slow to import

    logits = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)).astype(np.float64)

    def loss(log_beta: float) -> float:
        scaled = math.exp(log_beta) * logits
        scaled -= scaled.max(axis=1, keepdims=True)
        right = scaled[np.arange(len(truth)), truth]
        return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - right))

    found = minimize_scalar(loss, bounds=(math.log(0.05), math.log(20.0)), method="bounded")
    return float(math.exp(found.x))
