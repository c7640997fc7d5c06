"""Answer ``label``: one label of several, with calibrated probabilities.

Outputs are probabilities (records, labels) in the order of ``formulation.answer.labels``; the truth of a record is the
index of its label. What only the pipeline needs is imported where it is used, since the server has no library for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fullstack_ml.answers.label.annotation import SCALE, asked, control, said, suggestion, unsure
from fullstack_ml.answers.label.api import (
    example,
    expected,
    from_text,
    json_type,
    judge,
    named,
    scores,
    scores_type,
    to_text,
    written,
)
from fullstack_ml.answers.label.metrics import METRICS, TINY, columns, right_probability
from fullstack_ml.answers.label.report import (
    HEADLINE,
    baselines,
    collapsed,
    confusion,
    explain,
    headline,
    per_label,
    reliability,
    risk_curve,
    worst_errors,
)
from fullstack_ml.answers.label.rule import Rule, chosen, decide, fit_rule, price_list
from fullstack_ml.answers.words import Late, Rows, Words
from fullstack_ml.product.types import Finding, Product

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


def check(product: Product) -> Iterator[Finding]:
    """Find fewer than two labels, one that was what it is, and a difference in accuracy that cannot be."""
    labels = product.formulation.answer.labels
    if len(labels) < 2:
        fix = "list at least two: {name: ..., definition: ...}"
        yield ("formulation", "answer", "labels"), f"an answer of type label has {len(labels)} label(s)", fix
    for i, label in enumerate(labels):
        if label.name in label.was:
            yield ("formulation", "answer", "labels", i, "was"), f"label {label.name!r} names itself", "take it out"
    for i, cell in enumerate(product.evaluation):
        if cell.plan and cell.plan.detect >= 1:
            what = f"no two accuracies differ by {cell.plan.detect:g}"
            yield ("evaluation", i, "plan", "detect"), what, "a share below 1, such as 0.03"


def width(product: Product) -> int:
    """Return the number of labels."""
    return len(product.formulation.answer.labels)


def illegal(answers: Sequence[str], product: Product) -> dict[str, str]:
    """Return the names that are no label of the contract, and never were."""
    names = product.formulation.label_names
    return dict.fromkeys(sorted(set(answers) - {*names, *product.formulation.earlier}), f"is not in {names}")


def truth(answers: Sequence[str], product: Product) -> np.ndarray:
    """Return the index of every label, int64 (records,)."""
    place = {name: i for i, name in enumerate(product.formulation.label_names)}
    return np.array([place[name] for name in answers], dtype=np.int64)


def text(outputs: np.ndarray, rule: Rule, product: Product) -> list[str]:
    """Return the most probable label of every record, or the one that costs least."""
    named: list[str] = np.array(product.formulation.label_names, dtype=object)[chosen(outputs, rule)].tolist()
    return named


def strata(truth: np.ndarray) -> np.ndarray:
    """Records of one label belong together."""
    return truth


def summary(truth: np.ndarray, product: Product, moments: np.ndarray | None = None) -> dict[str, Any]:
    """Count the records of every label."""
    counts = np.bincount(truth, minlength=width(product))
    return dict(zip(product.formulation.label_names, counts.tolist(), strict=True))


def missing(summary: dict[str, Any], product: Product) -> list[str]:
    """Return the labels without a training record: the model could never answer them."""
    return [name for name in product.formulation.label_names if not summary[name]]


def training_facts(summary: dict[str, Any], product: Product) -> dict[str, Any]:
    """Return what metrics ask beside the records: the label that the baseline answers."""
    return {"majority": int(np.argmax([summary[name] for name in product.formulation.label_names]))}


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


def sections(
    outputs: np.ndarray, truth: np.ndarray, words: np.ndarray, rule: Rule, product: Product, bins: int
) -> dict[str, Any]:
    """Return what the evaluation report holds beside the metrics of any answer."""
    names, predicted = product.formulation.label_names, chosen(outputs, rule)
    return {
        "labels": per_label(names, outputs, truth, words, rule),
        "reliability": reliability(outputs, truth, bins),
        "confusion": confusion(predicted, truth, len(names)).tolist(),
        "risk_curve": risk_curve(outputs.max(axis=1), predicted == truth),
    }


def worst(outputs: np.ndarray, truth: np.ndarray, words: np.ndarray, rule: Rule) -> np.ndarray:
    """Return the indices of the records to look at, the worst first."""
    return worst_errors(outputs, chosen(outputs, rule), truth, words)


def suspects(outputs: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the indices of records whose label is likely wrong, the most suspicious first."""
    from fullstack_ml.answers.label.confident import likely_label_errors

    return likely_label_errors(outputs, truth)


def case_columns(outputs: np.ndarray, truth: np.ndarray, rule: Rule, product: Product) -> dict[str, list[Any]]:
    """Return what is shown of a case: both labels with their probabilities."""
    names = product.formulation.label_names
    return {
        "label": [names[i] for i in truth],
        "predicted": text(outputs, rule, product),
        "probability": right_probability(outputs, chosen(outputs, rule)).astype(np.float64).tolist(),
        "right_probability": right_probability(outputs, truth).astype(np.float64).tolist(),
    }


def note(verdict: dict[str, Any], evaluation: dict[str, Any]) -> str | None:
    """Return what a reader has to know of a failed verdict beside the numbers, or None."""
    if verdict["metric"] == "collapse" and verdict["verdict"] == "fail":
        return collapsed(evaluation["labels"], verdict["threshold"])
    return None


def draw(report: dict[str, Any], pairs: tuple[list[str], list[str]], plots: Path, figures: Path, words: Words) -> None:
    """Write the tables of ``dvc plots`` and the pictures; ``pairs`` are the right and the predicted labels."""
    from fullstack_ml.answers.label.figures import draw_all

    draw_all(report, pairs, plots, figures, words)
