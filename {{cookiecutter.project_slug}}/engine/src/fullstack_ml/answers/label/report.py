"""What an evaluation says of one label beside its metrics: confusion, reliability, recall, risk, baselines, cases.

Reads and writes nothing.
"""

from typing import Any

import numpy as np

from fullstack_ml.answers.label.metrics import BINS, METRICS, columns, right_probability
from fullstack_ml.answers.label.rule import ALWAYS, Rule, chosen, decide, expected_costs
from fullstack_ml.answers.words import ACCEPT, Scored
from fullstack_ml.product.metrics import Sums
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.sentences import sentence

HEADLINE: tuple[str, ...] = ("accuracy", "macro_f1", "log_loss", "brier", "ece")


def confusion(predicted: np.ndarray, truth: np.ndarray, labels: int) -> np.ndarray:
    """Count records by right label (rows) and predicted label (columns)."""
    return np.bincount(truth * labels + predicted, minlength=labels * labels).reshape(labels, labels)


def recalls(matrix: np.ndarray) -> np.ndarray:
    """Recall per label from a confusion matrix; NaN for a label without records."""
    with np.errstate(invalid="ignore", divide="ignore"):
        result: np.ndarray = matrix.diagonal() / matrix.sum(axis=1)
    return result


def reliability(probabilities: np.ndarray, truth: np.ndarray, bins: int) -> list[dict[str, float]]:
    """Per bin of the top probability: records, mean probability, accuracy; empty bins are left out."""
    return binned(probabilities.max(axis=1), probabilities.argmax(axis=1) == truth, bins)


def binned(shares: np.ndarray, right: np.ndarray, bins: int) -> list[dict[str, float]]:
    """Per bin of ``shares`` from 0 to 1: how many, their mean, and how many of them are ``right``."""
    which = np.minimum((shares * bins).astype(int), bins - 1)
    return [
        {"records": int(mine.sum()), "confidence": float(shares[mine].mean()), "accuracy": float(right[mine].mean())}
        for mine in (which == b for b in range(bins))
        if mine.any()
    ]


def risk_curve(sure: np.ndarray, hit: np.ndarray, points: int = 50) -> list[dict[str, float]]:
    """Return error against share of answers, when the records that the model is most ``sure`` of are answered first."""
    wrong = np.cumsum(~hit[np.argsort(-sure, kind="stable")])
    steps = np.unique(np.linspace(1, len(hit), min(points, len(hit))).astype(int))
    return [{"answered_share": n / len(hit), "answered_error": float(wrong[n - 1] / n)} for n in steps.tolist()]


def per_label(
    names: list[str], probabilities: np.ndarray, truth: np.ndarray, words: np.ndarray, rule: Rule
) -> dict[str, Any]:
    """Give recall, precision, coverage of the prediction sets and share of answers per label; null without records."""
    matrix = confusion(chosen(probabilities, rule), truth, len(names))
    predicted, recall, rows = matrix.sum(axis=0), recalls(matrix), {}
    held = right_probability(probabilities, truth) >= rule.floor
    for i, name in enumerate(names):
        mine = truth == i
        rows[name] = {
            "records": int(mine.sum()),
            "predicted": int(predicted[i]),
            "recall": float(recall[i]) if np.isfinite(recall[i]) else None,
            "precision": float(matrix[i, i] / predicted[i]) if predicted[i] else None,
            "set_coverage": float(held[mine].mean()) if mine.any() else None,
            "answered_share": float((words[mine] == ACCEPT).mean()) if mine.any() else None,
        }
    return rows


def headline(probabilities: np.ndarray, truth: np.ndarray, bins: int = BINS) -> dict[str, float]:
    """Return the metrics of ``HEADLINE``, which need nothing but probabilities and truth."""
    sums = Sums.of(columns(probabilities, truth, np.zeros(len(truth), bool), ALWAYS, bins=bins))
    values = {name: METRICS[name].value for name in HEADLINE}
    return {name: float(value(sums)[0]) for name, value in values.items() if value is not None}


def baselines(
    summary: dict[str, Any], truth: np.ndarray, product: Product, bins: int, moments: np.ndarray | None = None
) -> dict[str, Any]:
    """Measure what needs no model: always the most frequent label, and the labels' shares as probabilities.

    ``summary`` counts the records per label of the train split. ``majority`` answers with certainty, so that its log
    loss is infinite wherever it is wrong: it is left out.
    """
    names = product.formulation.label_names
    shares = np.array([summary[name] for name in names], dtype=np.float64)
    shares /= shares.sum()
    often = int(shares.argmax())
    always = headline(np.broadcast_to(np.eye(len(names))[often], (len(truth), len(names))), truth, bins)
    return {
        "majority": {"label": names[often], "accuracy": always["accuracy"], "macro_f1": always["macro_f1"]},
        "prior": headline(np.broadcast_to(shares, (len(truth), len(names))), truth, bins),
    }


def collapsed(labels: dict[str, Any], threshold: float) -> dict[str, Any]:
    """Say which labels the model never predicts, or too rarely for the threshold."""
    never = ", ".join(name for name, row in labels.items() if row["records"] and not row["predicted"])
    rare = ", ".join(n for n, row in labels.items() if 0 < row["predicted"] < (1 - threshold) * row["records"])
    if never and rare:
        text = "collapsed: the model never predicts %(never)s and too rarely predicts %(rare)s"
        return sentence(text, never=never, rare=rare)
    if never:
        return sentence("collapsed: the model never predicts %(never)s", never=never)
    if rare:
        return sentence("collapsed: the model too rarely predicts %(rare)s", rare=rare)
    return sentence("collapsed: the model may predict a label too rarely")


def explain(before: np.ndarray, final: Scored, rule: Rule, product: Product) -> list[str]:
    """Tell the three most probable labels of one record before and after calibration, and why it is answered or not."""
    names, after = product.formulation.label_names, final.outputs[0]
    rows = [
        f"  {names[i]:<16} {before[i]:.4f} -> {after[i]:.4f}" + ("   a candidate" if after[i] >= rule.floor else "")
        for i in np.argsort(-after)[:3]
    ]
    limit = "no limit" if rule.novelty is None else f"limit {rule.novelty:.3f}"
    word = decide(final.outputs, final.novelty, rule)[0]
    decision = f"  {word}: answers from probability {rule.confidence:.3f}, with one label from {rule.floor:.3f}"
    if rule.costs is not None:
        costs = expected_costs(final.outputs, rule.costs)[0]
        told = ", ".join(f"{names[i]} {costs[i]:.3f}" for i in np.argsort(costs)[:3])
        decision += f"\n  costs in abstentions of answering: {told}; the cheapest is answered, up to 1"
    head = "probabilities, before and after calibration"
    return [head, *rows, "novelty", f"  {final.novelty[0]:.3f}, {limit}", "decision", decision]


def summary(truth: np.ndarray, product: Product, moments: np.ndarray | None = None) -> dict[str, Any]:
    """Count the records of every label."""
    counts = np.bincount(truth, minlength=len(product.formulation.label_names))
    return dict(zip(product.formulation.label_names, counts.tolist(), strict=True))


def missing(summary: dict[str, Any], product: Product) -> list[str]:
    """Return the labels without a training record: the model could never answer them."""
    return [name for name in product.formulation.label_names if not summary[name]]


def training_facts(summary: dict[str, Any], product: Product) -> dict[str, Any]:
    """Return what metrics ask beside the records: the label that the baseline answers."""
    return {"majority": int(np.argmax([summary[name] for name in product.formulation.label_names]))}


def sections(
    outputs: np.ndarray, truth: np.ndarray, words: np.ndarray, rule: Rule, product: Product, bins: int
) -> dict[str, Any]:
    """Return what the evaluation report holds beside the metrics of any answer."""
    names, predicted = product.formulation.label_names, chosen(outputs, rule)
    sizes = np.bincount((outputs >= rule.floor).sum(axis=1)[words != ACCEPT])
    return {
        "labels": per_label(names, outputs, truth, words, rule),
        "candidates": {"floor": rule.floor, "given_back": sizes.tolist()},
        "reliability": reliability(outputs, truth, bins),
        "confusion": confusion(predicted, truth, len(names)).tolist(),
        "risk_curve": risk_curve(outputs.max(axis=1), predicted == truth),
    }


def worst(outputs: np.ndarray, truth: np.ndarray, words: np.ndarray, rule: Rule) -> np.ndarray:
    """Return the indices of the records with a wrong label: those that were answered first, then the surest."""
    wrong = np.flatnonzero(chosen(outputs, rule) != truth)
    return np.asarray(wrong[np.lexsort((-outputs[wrong].max(axis=1), words[wrong] != ACCEPT))])


def case_columns(outputs: np.ndarray, truth: np.ndarray, rule: Rule, product: Product) -> dict[str, list[Any]]:
    """Return what is shown of a case: both labels with their probabilities."""
    names, given = product.formulation.label_names, chosen(outputs, rule)
    return {
        "label": [names[i] for i in truth],
        "predicted": [names[i] for i in given],
        "probability": right_probability(outputs, given).astype(np.float64).tolist(),
        "right_probability": right_probability(outputs, truth).astype(np.float64).tolist(),
    }


def suspects(outputs: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the indices of records whose label is likely wrong, the most suspicious first."""
    from fullstack_ml.answers.label.confident import likely_label_errors

    return likely_label_errors(outputs, truth)


def note(verdict: dict[str, Any], evaluation: dict[str, Any]) -> dict[str, Any] | None:
    """Return what a reader has to know of a failed verdict beside the numbers, or None."""
    if verdict["metric"] == "collapse" and verdict["verdict"] == "fail":
        return collapsed(evaluation["labels"], verdict["threshold"])
    return None
