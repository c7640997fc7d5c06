"""Stage ``evaluate``: measure the artefact on the test split.

Reads ``models/*.onnx``, the test split and ``reports/training.json``; writes
``reports/metrics.json`` (the headline), ``reports/evaluation.json`` (everything, with intervals),
``reports/performance.json`` (size and time on this machine), ``reports/errors.parquet`` (the records to look at),
``reports/plots`` and ``reports/figures``. Run: ``python -m fullstack_ml.modeling.evaluate``.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from fullstack_ml.answers.words import ACCEPT, UNCERTAIN, UNFAMILIAR
from fullstack_ml.artefact.session import Artefact
from fullstack_ml.inputs import input_of
from fullstack_ml.modeling.evaluate.cases import pick
from fullstack_ml.modeling.evaluate.figures import draw_confusion, draw_reliability, draw_risk
from fullstack_ml.modeling.measuring.measure import Tested, risk_curve, test
from fullstack_ml.modeling.measuring.scores import headline, reliability
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.pipeline.tables import write_parquet
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.files import read_json, write_json, write_text
from fullstack_ml.workspace.paths import (
    CANDIDATE,
    ERRORS,
    EVALUATION,
    FIGURES,
    METRICS,
    MODEL,
    PERFORMANCE,
    PLOTS,
    TRAINING,
)

# Rows of reports/plots/confusion.csv: enough for the picture, small for any test split.
PLOTTED = 10_000


def uncalibrated(tested: Tested, config: Config) -> dict[str, Any]:
    """Measure the candidate before calibration on the same records."""
    scored = Artefact(CANDIDATE).score(tested.examples.inputs, config.evaluate.batch).outputs
    truth, bins = tested.examples.truth, config.evaluate.bins
    return {**headline(scored, truth, bins), "reliability": reliability(scored, truth, bins)}


def performance(path: Path, frame: pl.DataFrame, product: Product, calls: int) -> dict[str, float]:
    """Return the size of an artefact, and the time of single records here, from stored payload to probabilities."""
    artefact = Artefact(path)
    rows = [frame[i : i + 1] for i in range(min(len(frame), 100))]
    seconds = []
    for call in range(calls + len(rows)):
        start = time.perf_counter()
        artefact.score(input_of(product).matrix(rows[call % len(rows)], product))
        seconds.append(time.perf_counter() - start)
    p50, p99 = (float(np.percentile(seconds[len(rows) :], q) * 1000) for q in (50, 99))
    return {"artefact_kib": path.stat().st_size / 1024, "latency_p50_ms": p50, "latency_p99_ms": p99}


def write_plots(product: Product, tested: Tested, report: dict[str, Any]) -> None:
    """Write what ``dvc plots show`` and the MLflow run display."""
    names = np.array(product.formulation.label_names)
    predicted = names[tested.scored.outputs.argmax(axis=1)]
    pairs = pl.DataFrame({"actual": names[tested.examples.truth], "predicted": predicted})
    write_text(PLOTS / "confusion.csv", pairs[:PLOTTED].write_csv())
    write_text(PLOTS / "reliability.csv", pl.DataFrame(report["reliability"]).write_csv())
    write_text(PLOTS / "risk.csv", pl.DataFrame(report["risk_curve"]).write_csv())
    draw_confusion(FIGURES / "confusion.png", report["confusion"], names.tolist())
    before = report["uncalibrated"]["reliability"]
    draw_reliability(FIGURES / "reliability.png", report["reliability"], before, report["metrics"]["ece"])
    draw_risk(FIGURES / "risk.png", report["risk_curve"], report["metrics"])


def run(config: Config) -> None:
    """Score the test split once, then measure and draw."""
    product = load()
    tested = test(Artefact(MODEL), product, config)
    report = {"model": read_json(TRAINING)["model"], **tested.report, "uncalibrated": uncalibrated(tested, config)}
    report["decisions"] = {name: int((tested.decisions == name).sum()) for name in (ACCEPT, UNCERTAIN, UNFAMILIAR)}
    report["risk_curve"] = risk_curve(tested.scored, tested.examples.truth)
    write_parquet(ERRORS, [pick(tested, product)])
    write_json(EVALUATION, report)
    write_json(METRICS, report["metrics"])
    write_json(PERFORMANCE, performance(MODEL, tested.examples.frame, product, config.evaluate.timed_calls))
    write_plots(product, tested, report)
    shown = ", ".join(f"{k} {report['metrics'][k]:.3f}" for k in ("accuracy", "ece", "answered_share"))
    print(f"evaluate: {shown} on {report['records']} test records")


if __name__ == "__main__":
    stage(run)
