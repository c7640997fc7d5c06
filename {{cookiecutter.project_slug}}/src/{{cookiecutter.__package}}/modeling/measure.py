"""Everything that is measured of an artefact on the test split; no other module opens that split.

Reads ``data/splits/test.parquet``; writes nothing.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..config import Config
from ..decision import ACCEPT, decide
from ..errors import UserError
from ..product import Product
from ..records import slice_mask
from .artefact import Artefact, Scored
from .examples import Examples, read
from .intervals import bounds, columns, metrics, totals, wilson
from .scores import confusion, headline, recalls, reliability


@dataclass(frozen=True)
class Tested:
    """The test split as an artefact sees it.

    ``decisions`` is accept, uncertain or unfamiliar per record; ``resampled`` holds per metric its value on all records
    and then on every resample, the same resamples for every artefact.
    """

    examples: Examples
    scored: Scored
    decisions: np.ndarray
    resampled: dict[str, np.ndarray]
    report: dict[str, Any]


def test(artefact: Artefact, product: Product, majority: str, config: Config) -> Tested:
    """Score the test split and return the scores with the evaluation report.

    Raises:
        UserError: if a probability is not finite.
    """
    examples = read("test", product)
    scored = artefact.score(examples.inputs, config.evaluate.batch)
    if not np.isfinite(scored.probabilities).all():
        raise UserError("the artefact gives probabilities that are not finite", "models/", "look at stage train")
    decisions = decide(scored.probabilities, scored.novelty, artefact.rule)
    held = scored.probabilities[np.arange(len(examples.truth)), examples.truth] >= artefact.rule.floor
    table = columns(scored.probabilities, examples.truth, decisions, held, config.evaluate.bins)
    cost, names = product.service.error_cost, product.formulation.label_names
    sums = totals(table, config.evaluate.resamples, config.seed)
    found = metrics(sums, names.index(majority), (cost.wrong, cost.abstain))
    labels = per_label(product, examples, scored, decisions, held)
    slices = per_slice(product, examples, scored, decisions, config.evaluate.min_slice)
    measured = {name: finite(values[0]) for name, values in found.items()}
    measured["worst_slice_accuracy"] = worst([part.get("accuracy") for part in slices.values()])
    report = {
        "split": "test",
        "records": len(examples.truth),
        "metrics": measured,
        "intervals": bounds(found, sums) | {"worst_slice_accuracy": worst_interval(slices)},
        "baseline": {"label": majority, "accuracy": float((examples.truth == names.index(majority)).mean())},
        "slices": slices,
        "labels": labels,
        "reliability": reliability(scored.probabilities, examples.truth, config.evaluate.bins),
        "confusion": confusion(scored.probabilities.argmax(axis=1), examples.truth, len(names)).tolist(),
    }
    return Tested(examples, scored, decisions, found, report)


def finite(value: float) -> float | None:
    """Return a number, or None for one that is undefined: JSON has no NaN, and what is undefined cannot pass."""
    return float(value) if np.isfinite(value) else None


def worst(values: list[float | None]) -> float | None:
    """Return the lowest value, or None when one is missing: what was not measured cannot pass."""
    return None if not values or None in values else min(v for v in values if v is not None)


def worst_interval(slices: dict[str, Any]) -> list[float] | None:
    """Return the interval of the slice with the lowest accuracy."""
    known = [part for part in slices.values() if "accuracy" in part]
    return min(known, key=lambda part: part["accuracy"])["accuracy_interval"] if known else None


def per_slice(
    product: Product, examples: Examples, scored: Scored, decisions: np.ndarray, smallest: int
) -> dict[str, Any]:
    """Measure every slice of product.yaml; one with fewer than ``smallest`` records is ``not measurable``."""
    found: dict[str, Any] = {}
    for part in product.data.slices:
        mine = examples.frame.select(mask=slice_mask(part))["mask"].to_numpy()
        records = int(mine.sum())
        if records < smallest:
            found[part.id] = {"records": records, "not_measurable": f"fewer than {smallest} records"}
            continue
        scores = headline(scored.probabilities[mine], examples.truth[mine])
        found[part.id] = {
            "records": records,
            **scores,
            "accuracy_interval": wilson(round(scores["accuracy"] * records), records),
            "answered_share": float((decisions[mine] == ACCEPT).mean()),
        }
    return found


def per_label(
    product: Product, examples: Examples, scored: Scored, decisions: np.ndarray, held: np.ndarray
) -> dict[str, Any]:
    """Give recall, precision, coverage of the prediction sets and share of answers per label; null without records."""
    names = product.formulation.label_names
    matrix = confusion(scored.probabilities.argmax(axis=1), examples.truth, len(names))
    predicted, recall, found = matrix.sum(axis=0), recalls(matrix), {}
    for i, name in enumerate(names):
        mine = examples.truth == i
        found[name] = {
            "records": int(mine.sum()),
            "predicted": int(predicted[i]),
            "recall": finite(recall[i]),
            "precision": float(matrix[i, i] / predicted[i]) if predicted[i] else None,
            "set_coverage": float(held[mine].mean()) if mine.any() else None,
            "answered_share": float((decisions[mine] == ACCEPT).mean()) if mine.any() else None,
        }
    return found


def risk_curve(scored: Scored, truth: np.ndarray, points: int = 50) -> list[dict[str, float]]:
    """Return error against share of answers, when the most confident records are answered first."""
    order = np.argsort(-scored.probabilities.max(axis=1), kind="stable")
    wrong = np.cumsum(scored.probabilities.argmax(axis=1)[order] != truth[order])
    steps = np.unique(np.linspace(1, len(truth), min(points, len(truth))).astype(int))
    return [{"answered_share": n / len(truth), "answered_error": float(wrong[n - 1] / n)} for n in steps.tolist()]
