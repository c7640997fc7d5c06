"""The metrics of one label on made-up records, without a project around them."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from fullstack_ml.answers import label
from fullstack_ml.answers.label.rule import Rule
from fullstack_ml.modeling.measuring import measure, seats
from fullstack_ml.product.metrics import COMMON, Metric, Sums

ROWS: dict[str, Metric] = {**COMMON, **label.METRICS}


def label_table(
    probabilities: np.ndarray,
    truth: np.ndarray,
    answered: np.ndarray,
    floor: float,
    costs: tuple[float, float] = (1.0, 1.0),
    by_label: dict[str, dict[str, float]] | None = None,
) -> dict[str, np.ndarray]:
    """Return what every record adds to the metrics; ``costs`` of a wrong answer and of none, labels are 0, 1 ..."""
    names = [str(i) for i in range(probabilities.shape[1])]
    price = SimpleNamespace(wrong=costs[0], abstain=costs[1], by_label=by_label or {}, by_distance=None)
    product: Any = SimpleNamespace(
        service=SimpleNamespace(error_cost=price), formulation=SimpleNamespace(label_names=names)
    )
    words = np.where(answered, "accept", "uncertain")
    rule = Rule(floor=floor, confidence=0.0, novelty=None, coverage=0.95)
    answer: Any = label
    return seats.records_table(answer, probabilities, truth, words, rule, product, 10)


def as_sums(columns: dict[str, np.ndarray], majority: int) -> Sums:
    """Return sums with what a training split would say."""
    return Sums(columns, {"majority": majority})


def label_metrics(columns: dict[str, np.ndarray], majority: int) -> dict[str, np.ndarray]:
    """Return every metric that follows from summed columns; those of novelty only where their columns are there."""
    rows = {name: row for name, row in ROWS.items() if not name.startswith("novelty") or name in columns}
    return measure.measured(rows, as_sums(columns, majority))
