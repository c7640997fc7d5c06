"""Answer ``label``: one label of several, with calibrated probabilities.

Outputs are probabilities (records, labels) in the order of ``formulation.answer.labels``; the truth of a record is the
index of its label. What only the pipeline needs is imported where it is used, since the server has no library for it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fullstack_ml.answers.label.annotation import SCALE, asked, control, said, suggestion, unsure
from fullstack_ml.answers.label.api import example, expected, from_text, json_type, judge, scores, scores_type, to_text
from fullstack_ml.answers.label.contract import check, illegal, named, truth, written
from fullstack_ml.answers.label.metrics import METRICS, TINY, columns, right_probability
from fullstack_ml.answers.label.report import (
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
from fullstack_ml.answers.label.rule import Rule, chosen, decide, fit_rule, price_list
from fullstack_ml.answers.words import Late, Rows, Words
from fullstack_ml.product.types import Product

if TYPE_CHECKING:
    import onnx

OUTPUT, MAIN, ESTIMATOR = "probabilities", "accuracy", "classifier"
PAGE: tuple[str, ...] = ("label.js", "bars.js", "decision.js")
CALIBRATIONS: tuple[str, ...] = ("temperature", "isotonic", "none")
LATE: Late = {}
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
    """Return the number of labels."""
    return len(product.formulation.answer.labels)


def text(outputs: np.ndarray, rule: Rule, product: Product) -> list[str]:
    """Return the most probable label of every record, or the one that costs least."""
    named: list[str] = np.array(product.formulation.label_names, dtype=object)[chosen(outputs, rule)].tolist()
    return named


def strata(truth: np.ndarray) -> np.ndarray:
    """Records of one label belong together."""
    return truth


def record_columns(
    outputs: np.ndarray, truth: np.ndarray, answered: np.ndarray, rule: Rule, product: Product, bins: int
) -> dict[str, np.ndarray]:
    """Return the per-record columns that the metrics are sums of."""
    return columns(outputs, truth, answered, rule, price_list(product), bins)


def losses(outputs: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the negative log probability of every record's label."""
    return np.asarray(-np.log(np.maximum(right_probability(outputs, truth).astype(np.float64), TINY)))


def same(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return per record whether two outputs give the same label."""
    return np.asarray(one.argmax(axis=1) == other.argmax(axis=1))


def calibrate(
    method: str, model: onnx.ModelProto, outputs: np.ndarray, truth: np.ndarray, product: Product, rows: Rows
) -> onnx.ModelProto:
    """Put the calibration ``method`` into the graph, fitted on held-out records."""
    from fullstack_ml.answers.label.calibration import METHODS

    return METHODS[method](model, outputs, truth)


def metadata(product: Product) -> dict[str, str]:
    """Return what the artefact says of its answer."""
    return {
        "labels": json.dumps(product.formulation.label_names, ensure_ascii=False),
        "output": "probabilities: float32 (records, labels), calibrated; novelty: float32 (records,)",
    }


def draw(report: dict[str, Any], pairs: tuple[list[str], list[str]], plots: Path, figures: Path, words: Words) -> None:
    """Write the tables of ``dvc plots`` and the pictures; ``pairs`` are the right and the predicted labels."""
    from fullstack_ml.answers.label.figures import draw_all

    draw_all(report, pairs, plots, figures, words)
