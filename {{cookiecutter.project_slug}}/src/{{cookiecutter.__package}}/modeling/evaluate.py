"""Stage ``evaluate``: measure the artefact on the test split, which no other stage reads.

Reads ``models/model.onnx``, the test split and ``reports/training.json`` (for the majority baseline); writes
``reports/metrics.json`` (the headline), ``reports/evaluation.json`` (everything), ``reports/performance.json`` (size
and time on this machine), ``reports/plots`` and ``reports/figures``. Run: ``python -m PACKAGE.modeling.evaluate``.
"""

import time
from typing import Any

import numpy as np
import polars as pl

from .. import task
from ..config import Config
from ..contract import load
from ..errors import UserError
from ..files import read_json, write_json, write_text
from ..paths import EVALUATION, FIGURES, METRICS, MODEL, PERFORMANCE, PLOTS, TRAINING
from ..product import Product
from ..records import slice_mask
from ..stage import stage
from .artefact import Artefact
from .examples import Examples, read
from .figures import draw_confusion, draw_reliability
from .scores import accuracy, confusion, headline, recalls, reliability

# Rows of reports/plots/confusion.csv: enough for the picture, small for any test split.
PLOTTED = 10_000


def per_slice(product: Product, test: Examples, scored: np.ndarray, smallest: int) -> dict[str, Any]:
    """Measure every slice of product.yaml; one with fewer than ``smallest`` records is ``not measurable``."""
    found: dict[str, Any] = {}
    for part in product.data.slices:
        mine = test.frame.select(mask=slice_mask(part))["mask"].to_numpy()
        if mine.sum() < smallest:
            found[part.id] = {"records": int(mine.sum()), "not_measurable": f"fewer than {smallest} records"}
        else:
            found[part.id] = {"records": int(mine.sum()), **headline(scored[mine], test.truth[mine])}
    return found


def per_label(product: Product, matrix: np.ndarray) -> dict[str, Any]:
    """Give recall, precision and records of every label; null where nothing was counted."""
    predicted, recall = matrix.sum(axis=0), recalls(matrix)
    return {
        name: {
            "records": int(matrix[i].sum()),
            "recall": None if np.isnan(recall[i]) else float(recall[i]),
            "precision": float(matrix[i, i] / predicted[i]) if predicted[i] else None,
        }
        for i, name in enumerate(product.formulation.label_names)
    }


def worst(values: list[float | None]) -> float | None:
    """Return the lowest value, or None when one is missing: what was not measured cannot pass."""
    return None if not values or None in values else min(v for v in values if v is not None)


def measure(product: Product, test: Examples, scored: np.ndarray, training: Any, config: Config) -> dict[str, Any]:
    """Return the whole evaluation report; every number in it is the same on every machine."""
    names, bins = product.formulation.label_names, config.evaluate.bins
    matrix = confusion(scored.argmax(axis=1), test.truth, len(names))
    majority = names.index(max(names, key=lambda name: training["label_counts"][name]))
    baseline = float((test.truth == majority).mean())
    slices, labels = per_slice(product, test, scored, config.evaluate.min_slice), per_label(product, matrix)
    metrics = {
        **headline(scored, test.truth, bins),
        "margin_over_baseline": accuracy(scored, test.truth) - baseline,
        "worst_slice_accuracy": worst([part.get("accuracy") for part in slices.values()]),
        "worst_label_recall": worst([part["recall"] for part in labels.values()]),
    }
    return {
        "split": "test",
        "model": training["model"],
        "records": len(test.truth),
        "metrics": metrics,
        "baseline": {"label": names[majority], "accuracy": baseline},
        "slices": slices,
        "labels": labels,
        "reliability": reliability(scored, test.truth, bins),
        "confusion": matrix.tolist(),
    }


def performance(artefact: Artefact, frame: pl.DataFrame, product: Product, calls: int) -> dict[str, float]:
    """Time single records on this machine, from stored payload to probabilities."""
    rows = [frame[i : i + 1] for i in range(min(len(frame), 100))]
    seconds = []
    for call in range(calls + len(rows)):
        start = time.perf_counter()
        artefact.probabilities(task.matrix(rows[call % len(rows)], product))
        seconds.append(time.perf_counter() - start)
    p50, p99 = (float(np.percentile(seconds[len(rows) :], q) * 1000) for q in (50, 99))
    size = artefact.path.stat().st_size / 1024
    return {"artefact_kib": size, "latency_p50_ms": p50, "latency_p99_ms": p99}


def write_plots(product: Product, test: Examples, scored: np.ndarray, report: dict[str, Any]) -> None:
    """Write what ``dvc plots show`` and the MLflow run display."""
    names = np.array(product.formulation.label_names)
    pairs = pl.DataFrame({"actual": names[test.truth], "predicted": names[scored.argmax(axis=1)]})
    write_text(PLOTS / "confusion.csv", pairs[:PLOTTED].write_csv())
    write_text(PLOTS / "reliability.csv", pl.DataFrame(report["reliability"]).write_csv())
    draw_confusion(FIGURES / "confusion.png", report["confusion"], names.tolist())
    draw_reliability(FIGURES / "reliability.png", report["reliability"], report["metrics"]["ece"])


def run(config: Config) -> None:
    """Score the test split once, then measure and draw."""
    product = load()
    artefact, test = Artefact(MODEL), read("test", product)
    scored = artefact.in_batches(test.inputs, config.evaluate.batch)
    if not np.isfinite(scored).all():
        raise UserError("the artefact gives probabilities that are not finite", str(MODEL), "look at stage train")
    report = measure(product, test, scored, read_json(TRAINING), config)
    write_json(EVALUATION, report)
    write_json(METRICS, report["metrics"])
    write_json(PERFORMANCE, performance(artefact, test.frame, product, config.evaluate.timed_calls))
    write_plots(product, test, scored, report)
    shown = ", ".join(f"{k} {report['metrics'][k]:.3f}" for k in ("accuracy", "macro_f1", "ece"))
    print(f"evaluate: {shown} on {len(test.truth)} test records")


if __name__ == "__main__":
    stage(run)
