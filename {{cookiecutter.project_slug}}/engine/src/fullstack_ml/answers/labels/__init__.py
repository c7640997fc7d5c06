"""Answer ``labels``: every label that holds for a record, or none of them, each with its own calibrated probability.

Outputs are probabilities (records, labels) in the order of ``formulation.answer.labels``, which do not sum to 1; the
truth is bool (records, labels). As text an answer is ``a;b``, or ``none``. What only the pipeline needs
is imported where it is used, since the server has no library for it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fullstack_ml.answers.labels.annotation import SCALE, asked, control, said, suggestion, unsure
from fullstack_ml.answers.labels.api import example, expected, from_text, json_type, judge, scores, scores_type, to_text
from fullstack_ml.answers.labels.contract import check, illegal, texts, truth, written
from fullstack_ml.answers.labels.metrics import METRICS, columns, losses
from fullstack_ml.answers.labels.report import (
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
from fullstack_ml.answers.labels.rule import HALF, Rule, chosen, decide, fit_rule
from fullstack_ml.answers.words import Late, Rows, Words
from fullstack_ml.answers.words import names_in as named
from fullstack_ml.product.types import Product

if TYPE_CHECKING:
    import onnx

OUTPUT, MAIN, ESTIMATOR = "probabilities", "subset_accuracy", "multilabel"
PAGE: tuple[str, ...] = ("labels.js", "bars.js")
CALIBRATIONS: tuple[str, ...] = ("platt", "isotonic", "none")
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
    """Return the labels of every record that reach their threshold."""
    return texts(chosen(outputs, rule), product)


def strata(truth: np.ndarray) -> np.ndarray:
    """Return the rarest label of every record, after all labels where it has none: sets would part too few records."""
    counts = np.where(truth, truth.sum(axis=0), len(truth) + 1)
    return np.asarray(np.where(truth.any(axis=1), counts.argmin(axis=1), truth.shape[1]))


def same(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return per record whether two outputs find the same labels more probable than not, but for rounding."""
    near = (np.abs(one - HALF) < 1e-4) & (np.abs(other - HALF) < 1e-4)
    return np.asarray((((one >= HALF) == (other >= HALF)) | near).all(axis=1))


def record_columns(
    outputs: np.ndarray, truth: np.ndarray, answered: np.ndarray, rule: Rule, product: Product, bins: int
) -> dict[str, np.ndarray]:
    """Return the per-record columns that the metrics are sums of."""
    return columns(outputs, truth, answered, rule, product.service.error_cost.wrong, bins)


def calibrate(
    method: str, model: onnx.ModelProto, outputs: np.ndarray, truth: np.ndarray, product: Product, rows: Rows
) -> onnx.ModelProto:
    """Put the calibration ``method`` into the graph, fitted on held-out records."""
    from fullstack_ml.answers.labels.calibration import METHODS

    return METHODS[method](model, outputs, truth)


def metadata(product: Product) -> dict[str, str]:
    """Return what the artefact says of its answer."""
    return {
        "labels": json.dumps(product.formulation.label_names, ensure_ascii=False),
        "output": "probabilities: float32 (records, labels), each calibrated alone; novelty: float32 (records,)",
    }


def draw(report: dict[str, Any], pairs: tuple[list[str], list[str]], plots: Path, figures: Path, words: Words) -> None:
    """Write the tables of ``dvc plots`` and the pictures; ``pairs`` are the right and the given labels as text."""
    from fullstack_ml.answers.labels.figures import draw_all

    draw_all(report, pairs, plots, figures, words)
