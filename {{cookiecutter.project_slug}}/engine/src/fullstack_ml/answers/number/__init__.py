"""Answer ``number``: an amount, a count, a duration, with an interval that holds the right one as often as promised.

Outputs are (records, 3): the number, and the low and high end of its interval; a model before calibration gives
(records, 1). The truth of a record is the number. What only the pipeline needs is imported where it is used, since the
server has no library for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fullstack_ml.answers.number.annotation import SCALE, asked, control, said, suggestion, unsure
from fullstack_ml.answers.number.api import example, expected, held, json_type, judge, scores, scores_type
from fullstack_ml.answers.number.contract import (
    check,
    from_text,
    illegal,
    named,
    options_of,
    to_text,
    truth,
    written,
)
from fullstack_ml.answers.number.metrics import METRICS, columns, errors
from fullstack_ml.answers.number.report import (
    HEADLINE,
    baselines,
    case_columns,
    explain,
    headline,
    missing,
    note,
    sections,
    summary,
    suspects,
    training_facts,
    worst,
)
from fullstack_ml.answers.number.rule import Rule, decide, fit_rule
from fullstack_ml.answers.words import Late, Rows, Words
from fullstack_ml.product.types import Product

if TYPE_CHECKING:
    import onnx

OUTPUT, MAIN, ESTIMATOR = "value", "mae", "regressor"
PAGE: tuple[str, ...] = ("number.js",)
CALIBRATIONS: tuple[str, ...] = ("split", "scaled")
LATE: Late = {"interval_coverage": held}
read_rule = Rule.from_json

__all__ = [
    "CALIBRATIONS",
    "ESTIMATOR",
    "HEADLINE",
    "LATE",
    "MAIN",
    "METRICS",
    "OUTPUT",
    "PAGE",
    "SCALE",
    "asked",
    "baselines",
    "calibrate",
    "case_columns",
    "check",
    "control",
    "decide",
    "draw",
    "example",
    "expected",
    "explain",
    "fit_rule",
    "from_text",
    "headline",
    "illegal",
    "json_type",
    "judge",
    "losses",
    "metadata",
    "missing",
    "named",
    "note",
    "read_rule",
    "record_columns",
    "said",
    "same",
    "scores",
    "scores_type",
    "sections",
    "strata",
    "suggestion",
    "summary",
    "suspects",
    "text",
    "to_text",
    "training_facts",
    "truth",
    "unsure",
    "width",
    "worst",
    "written",
]  # fmt: skip


def width(product: Product) -> int:
    """The number, low and high."""
    return 3


def text(outputs: np.ndarray, rule: Rule, product: Product) -> list[str]:
    """Return the number of every record."""
    return [to_text(value) for value in outputs[:, 0].tolist()]


def strata(truth: np.ndarray) -> np.ndarray:
    """Cut the numbers into fifths of alike many records: those of one number stay together."""
    edges = np.unique(np.quantile(truth, [0.2, 0.4, 0.6, 0.8]))
    return np.asarray(np.unique(np.digitize(truth, edges), return_inverse=True)[1])


def losses(outputs: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the absolute error of every record."""
    return errors(outputs, truth)


def same(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return per record whether two outputs are the same number but for the rounding of float32."""
    scale = float(np.ptp(one[:, 0])) if len(one) else 0.0
    return np.asarray(np.isclose(one[:, 0], other[:, 0], rtol=1e-4, atol=1e-4 * scale))


def record_columns(
    outputs: np.ndarray, truth: np.ndarray, answered: np.ndarray, rule: Rule, product: Product, bins: int
) -> dict[str, np.ndarray]:
    """Return the per-record columns that the metrics are sums of."""
    return columns(outputs, truth, answered, rule, product)


def calibrate(
    method: str, model: onnx.ModelProto, outputs: np.ndarray, truth: np.ndarray, product: Product, rows: Rows
) -> onnx.ModelProto:
    """Put the interval into the graph, fitted on held-out records."""
    from fullstack_ml.answers.number.calibration import METHODS

    return METHODS[method](model, outputs, truth, product, rows)


def metadata(product: Product) -> dict[str, str]:
    """Return what the artefact says of its answer."""
    unit = options_of(product).unit
    said = "value: float32 (records, 3), the number, low and high of its interval"
    return {"output": f"{said}{f', in {unit}' if unit else ''}; novelty: float32 (records,)"}


def draw(report: dict[str, Any], pairs: tuple[list[str], list[str]], plots: Path, figures: Path, words: Words) -> None:
    """Write the tables of ``dvc plots`` and the pictures; ``pairs`` are the right and the given numbers as text."""
    from fullstack_ml.answers.number.figures import draw_all

    draw_all(report, pairs, plots, figures, words)
