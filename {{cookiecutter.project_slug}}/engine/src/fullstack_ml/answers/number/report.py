"""What an evaluation says of a number beside its metrics: errors by size, coverage by level, baselines, cases.

Reads and writes nothing.
"""

from typing import Any

import numpy as np

from fullstack_ml.answers.number.contract import options_of, to_text
from fullstack_ml.answers.number.metrics import errors
from fullstack_ml.answers.number.rule import Rule, covered, decide, ends, widths
from fullstack_ml.answers.number.seasons import history, seasonal
from fullstack_ml.answers.words import ACCEPT, Scored
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.sentences import sentence

HEADLINE: tuple[str, ...] = ("mae", "rmse", "r2")
FEWEST = 10  # records of a part of the range


def headline(outputs: np.ndarray, truth: np.ndarray, bins: int = 10) -> dict[str, float]:
    """Return the metrics of ``HEADLINE``, which need nothing but the numbers and the truth.

    R2 is NaN where all truths are one number.
    """
    error = errors(outputs, truth)
    squared, spread = float(np.mean(error**2)), float(np.var(truth))
    explained = 1 - squared / spread if spread > 0 else float("nan")
    return {"mae": float(error.mean()), "rmse": squared**0.5, "r2": explained}


def by_size(outputs: np.ndarray, truth: np.ndarray, words: np.ndarray, bins: int) -> list[dict[str, float]]:
    """Cut the records by the number that the model gave into ``bins`` of alike many, the smallest numbers first.

    Per bin: records, mean of what was given and of what was right, mean absolute error, coverage and width of the
    intervals, share that is answered. A model that is off in one direction shows where ``right`` leaves ``given``.
    """
    order = np.argsort(outputs[:, 0], kind="stable")
    parts = np.array_split(order, max(1, min(bins, len(order) // FEWEST)))
    inside, error, width = covered(outputs, truth), errors(outputs, truth), widths(outputs)
    return [
        {
            "records": len(mine),
            "given": float(outputs[mine, 0].mean(dtype=np.float64)),
            "right": float(truth[mine].mean()),
            "mae": float(error[mine].mean()),
            "interval_coverage": float(inside[mine].mean()),
            "interval_width": float(width[mine].mean(dtype=np.float64)),
            "answered_share": float((words[mine] == ACCEPT).mean()),
        }
        for mine in parts
    ]


def off_curve(outputs: np.ndarray, truth: np.ndarray, tolerance: float, points: int = 50) -> list[dict[str, float]]:
    """Return errors against the share of answers, when the narrowest intervals are answered first.

    ``answered_error`` is the share of answers that are off by more than ``tolerance``.
    """
    order = np.argsort(widths(outputs), kind="stable")
    error = errors(outputs, truth)[order]
    running, wrong = np.cumsum(error), np.cumsum(error > tolerance)
    steps = np.unique(np.linspace(1, len(truth), min(points, len(truth))).astype(int))
    return [
        {"answered_share": n / len(truth), "answered_error": float(wrong[n - 1] / n), "mae": float(running[n - 1] / n)}
        for n in steps.tolist()
    ]


def sections(
    outputs: np.ndarray, truth: np.ndarray, words: np.ndarray, rule: Rule, product: Product, bins: int
) -> dict[str, Any]:
    """Return what the evaluation report holds beside the metrics of any answer."""
    signed = truth - outputs[:, 0]
    quantiles = (0.05, 0.25, 0.5, 0.75, 0.95)
    return {
        "numbers": {
            "unit": options_of(product).unit,
            "tolerance": options_of(product).tolerance,
            "coverage": rule.coverage,
            "bias": float(np.mean(outputs[:, 0] - truth)),
            "errors": {f"{level:g}": float(np.quantile(signed, level)) for level in quantiles},
            "by_size": by_size(outputs, truth, words, bins),
            "curve": off_curve(outputs, truth, options_of(product).tolerance),
            "drawn": sample(outputs, truth),
        }
    }


def sample(outputs: np.ndarray, truth: np.ndarray, most: int = 1_000) -> list[list[float]]:
    """Return at most ``most`` records spread evenly over the split: what was given, and what was right."""
    kept = np.unique(np.linspace(0, len(truth) - 1, min(most, len(truth))).astype(int))
    pairs = zip(outputs[kept, 0].tolist(), truth[kept].tolist(), strict=True)
    return [[given, right] for given, right in pairs]


def summary(truth: np.ndarray, product: Product, moments: np.ndarray | None = None) -> dict[str, Any]:
    """Describe the answers of the train split, and what they forecast where the splits follow time."""
    found = {"records": len(truth), "mean": float(truth.mean()), "median": float(np.median(truth))}
    found |= {"low": float(truth.min()), "high": float(truth.max()), "deviation": float(truth.std())}
    return found | ({} if moments is None else {"history": history(truth, moments)})


def missing(summary: dict[str, Any], product: Product) -> list[str]:
    """A model may give a number between two that it saw; of one number alone there is nothing to learn."""
    return [f"other than {summary['low']:g}"] if summary["low"] == summary["high"] else []


def baselines(
    summary: dict[str, Any], truth: np.ndarray, product: Product, bins: int, moments: np.ndarray | None = None
) -> dict[str, Any]:
    """Measure what needs no model: always the mean of the train split, and always its median.

    Where the splits follow time, the last number of the train split and the mean of the season too.
    """
    said = {name: (summary[name], np.full(len(truth), summary[name])) for name in ("mean", "median")}
    if (known := summary.get("history")) and moments is not None:
        said["last value"] = known["last"], np.full(len(truth), known["last"])
        if known["season"]:
            said[f"mean of the {known['season']}"] = None, seasonal(known, summary["mean"], moments)
    return {name: {"answer": answer, **headline(given[:, None], truth)} for name, (answer, given) in said.items()}


def training_facts(summary: dict[str, Any], product: Product) -> dict[str, Any]:
    """Return nothing: no metric asks for more than the records."""
    return {}


def worst(outputs: np.ndarray, truth: np.ndarray, words: np.ndarray, rule: Rule) -> np.ndarray:
    """Return the indices of the records whose number lies outside of their interval, the furthest first.

    Those that were answered come first: nobody looked at them.
    """
    outside = np.flatnonzero(~covered(outputs, truth))
    error, silent = errors(outputs, truth)[outside], words[outside] != ACCEPT
    return np.asarray(outside[np.lexsort((-error, silent))])


def suspects(outputs: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the indices of records whose number is likely wrong, the most suspicious first.

    Such an error lies more than three times the distance of the quartiles beyond them (Tukey 1977, Exploratory Data
    Analysis: far out), in units of the interval of the record.
    """
    width = np.maximum(widths(outputs).astype(np.float64), 1e-12)
    signed = (truth - outputs[:, 0]) / (width if width.max() > 1e-12 else 1.0)
    first, third = np.quantile(signed, [0.25, 0.75])
    beyond = np.maximum(first - signed, signed - third) - 3 * (third - first)
    found = np.flatnonzero(beyond > 0)
    return np.asarray(found[np.argsort(-beyond[found], kind="stable")])


def case_columns(outputs: np.ndarray, truth: np.ndarray, rule: Rule, product: Product) -> dict[str, list[Any]]:
    """Return what is shown of a case: the right and the given number, with the interval."""
    low, high = ends(outputs)
    return {
        "label": [to_text(value) for value in truth],
        "predicted": [to_text(value) for value in outputs[:, 0]],
        "interval_low": low.astype(np.float64).tolist(),
        "interval_high": high.astype(np.float64).tolist(),
    }


def explain(before: np.ndarray, final: Scored, rule: Rule, product: Product) -> list[str]:
    """Tell number and interval of one record, and why it is answered or not."""
    given, (low, high) = options_of(product), (end[0] for end in ends(final.outputs))
    limit = "no limit" if rule.novelty is None else f"limit {rule.novelty:.3f}"
    widest = "of any width" if rule.widest is None else f"up to {rule.widest:g} wide"
    word = decide(final.outputs, final.novelty, rule)[0]
    return [
        "number, and the interval around it",
        f"  {before[0]:.4g} -> {final.outputs[0, 0]:.4g} {given.unit}".rstrip(),
        f"  {low:.4g} to {high:.4g}, made to include the right number in {rule.coverage:.0%} of all records",
        "novelty",
        f"  {final.novelty[0]:.3f}, {limit}",
        "decision",
        f"  {word}: answers where the interval is {widest}; this one is {high - low:.4g} wide",
    ]


def note(verdict: dict[str, Any], evaluation: dict[str, Any]) -> dict[str, Any] | None:
    """Say what a failed coverage means, which a new calibration cures and a better model does not."""
    if verdict["metric"] != "interval_coverage" or verdict["verdict"] != "fail":
        return None
    promised = evaluation["numbers"]["coverage"]
    text = "the intervals are made for %(promised)s: the test records differ from those of the calibration split"
    if verdict["threshold"] > promised:
        text = "the intervals are made for %(promised)s: raise formulation.abstain.coverage above the requirement"
    return sentence(text, promised=f"{promised:g}")
