"""Everything that is measured of an artefact on the test split; no other module opens that split.

Reads ``data/splits/test.parquet`` and ``reports/training.json`` (for the majority baseline); writes nothing.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fullstack_ml.answers.label.rule import decide
from fullstack_ml.answers.words import ACCEPT, Scored
from fullstack_ml.artefact.session import Artefact
from fullstack_ml.inputs import input_of
from fullstack_ml.modeling.measuring.baseline import baselines
from fullstack_ml.modeling.measuring.gaps import gaps
from fullstack_ml.modeling.measuring.intervals import bounds, columns, metrics, totals, wilson
from fullstack_ml.modeling.measuring.scores import apart, confusion, headline, recalls, reliability, separation
from fullstack_ml.pipeline.config import Config, Evaluate
from fullstack_ml.pipeline.examples import Examples, read
from fullstack_ml.pipeline.tables import slice_mask
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import read_json
from fullstack_ml.workspace.paths import TRAINING


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


def test(artefact: Artefact, product: Product, config: Config) -> Tested:
    """Score the test split and return the scores with everything that a requirement may ask of them.

    Raises:
        UserError: if a probability is not finite.
    """
    examples = read("test", product)
    scored = artefact.score(examples.inputs, config.evaluate.batch)
    if not np.isfinite(scored.outputs).all():
        raise UserError("the artefact gives probabilities that are not finite", "models/", "look at stage train")
    decisions = decide(scored.outputs, scored.novelty, artefact.rule)
    answered = decisions == ACCEPT
    held = scored.outputs[np.arange(len(examples.truth)), examples.truth] >= artefact.rule.floor
    table = columns(scored.outputs, examples.truth, answered, held, config.evaluate.bins)
    strange = {
        name: artefact.score(made).novelty
        for name, made in input_of(product).strangers(examples.inputs, config.seed).items()
    }
    table |= apart(scored.novelty, np.concatenate(list(strange.values())))
    cost, names = product.service.error_cost, product.formulation.label_names
    counts = read_json(TRAINING)["label_counts"]
    sums = totals(table, config.evaluate.resamples, config.seed)
    found = metrics(sums, int(np.argmax([counts[name] for name in names])), (cost.wrong, cost.abstain))
    groups, gap = gaps(product, examples.frame, table["hit"], table["answered"], config.evaluate, config.seed)
    found |= {} if gap is None else {"group_gap": gap}
    slices = per_slice(product, examples, scored, decisions, config.evaluate)
    worst_slice = {"worst_slice_accuracy": worst([part.get("accuracy") for part in slices.values()])}
    report = {
        "records": len(examples.truth),
        "metrics": {"group_gap": None} | {name: finite(values[0]) for name, values in found.items()} | worst_slice,
        "intervals": {"group_gap": None} | bounds(found, sums) | {"worst_slice_accuracy": worst_interval(slices)},
        "baseline": baselines(counts, names, examples.truth, config.evaluate.bins),
        "novelty": {name: {"records": len(made), **separation(scored.novelty, made)} for name, made in strange.items()},
        "gaps": groups,
        "slices": slices,
        "labels": per_label(product, examples, scored, decisions, held),
        "reliability": reliability(scored.outputs, examples.truth, config.evaluate.bins),
        "confusion": confusion(scored.outputs.argmax(axis=1), examples.truth, len(names)).tolist(),
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
    product: Product, examples: Examples, scored: Scored, decisions: np.ndarray, settings: Evaluate
) -> dict[str, Any]:
    """Measure every slice of product.yaml; one with fewer than ``min_slice`` records is ``not measurable``."""
    found: dict[str, Any] = {}
    for part in product.data.slices:
        mine = examples.frame.select(mask=slice_mask(part))["mask"].to_numpy()
        records = int(mine.sum())
        if records < settings.min_slice:
            found[part.id] = {"records": records, "not_measurable": f"fewer than {settings.min_slice} records"}
            continue
        scores = headline(scored.outputs[mine], examples.truth[mine], settings.bins)
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
    matrix = confusion(scored.outputs.argmax(axis=1), examples.truth, len(names))
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
    order = np.argsort(-scored.outputs.max(axis=1), kind="stable")
    wrong = np.cumsum(scored.outputs.argmax(axis=1)[order] != truth[order])
    steps = np.unique(np.linspace(1, len(truth), min(points, len(truth))).astype(int))
    return [{"answered_share": n / len(truth), "answered_error": float(wrong[n - 1] / n)} for n in steps.tolist()]
