"""The metrics of one label on made-up records, without a project around them."""

from typing import Any

import numpy as np

from fullstack_ml.answers import label
from fullstack_ml.answers.label.rule import Rule
from fullstack_ml.modeling.measuring import measure
from fullstack_ml.product.metrics import COMMON, Metric, Sums

ROWS: dict[str, Metric] = {**COMMON, **label.METRICS}


def label_table(
    probabilities: np.ndarray, truth: np.ndarray, answered: np.ndarray, floor: float
) -> dict[str, np.ndarray]:
    """Return what every record adds to the metrics."""
    words = np.where(answered, "accept", "uncertain")
    rule = Rule(floor=floor, confidence=0.0, novelty=None, coverage=0.95)
    answer: Any = label
    return measure.records_table(answer, probabilities, truth, words, rule, 10)


def as_sums(columns: dict[str, np.ndarray], majority: int, costs: tuple[float, float]) -> Sums:
    """Return sums with what a training split and a contract would say."""
    return Sums(columns, {"majority": majority, "costs": costs})


def label_metrics(columns: dict[str, np.ndarray], majority: int, costs: tuple[float, float]) -> dict[str, np.ndarray]:
    """Return every metric that follows from summed columns; those of novelty only where their columns are there."""
    rows = {name: row for name, row in ROWS.items() if not name.startswith("novelty") or name in columns}
    return measure.measured(rows, as_sums(columns, majority, costs))
