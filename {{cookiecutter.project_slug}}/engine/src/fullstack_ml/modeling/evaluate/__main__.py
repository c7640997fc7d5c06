"""Stage ``evaluate``: measure the artefact on the test split.

Reads ``models/*.onnx``, the test split and ``reports/training.json``; writes
``reports/metrics.json`` (the headline), ``reports/evaluation.json`` (everything, with intervals),
``reports/performance.json`` (size and time on this machine), ``reports/errors.parquet`` (the records to look at),
``reports/plots/answer`` and ``reports/figures``. Run: ``python -m fullstack_ml.modeling.evaluate``.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from fullstack_ml.answers import Answer
from fullstack_ml.answers.words import ACCEPT, UNCERTAIN, UNFAMILIAR
from fullstack_ml.artefact.session import Artefact
from fullstack_ml.inputs import input_of
from fullstack_ml.modeling.measuring.measure import Tested, test
from fullstack_ml.modeling.measuring.parts import effects
from fullstack_ml.pages.words import words
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.examples import read_folds
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.pipeline.tables import write_parquet
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.files import read_json, write_json
from fullstack_ml.workspace.paths import (
    CANDIDATE,
    ERRORS,
    EVALUATION,
    FIGURES,
    FOLDS,
    METRICS,
    MODEL,
    PERFORMANCE,
    PLOTS,
    TRAINING,
    VARIANT_FILES,
)

SHOWN = 60
NAMED, COMPARED = 3, 50  # parts of a record that are named, and records that its parts are compared with


def uncalibrated(artefact: Artefact, tested: Tested, product: Product, config: Config) -> dict[str, Any]:
    """Measure the candidate before calibration on the same records, by the answer and the rule of the ``artefact``."""
    parts = read_folds(product)
    seats = [(FOLDS / f"{i}.onnx", part) for i, part in enumerate(parts)] or [(CANDIDATE, tested.examples)]
    scored = [Artefact(path).score(part.inputs, config.evaluate.batch).outputs for path, part in seats]
    outputs = np.concatenate(scored)
    answer, truth, bins = artefact.answer, tested.examples.truth, config.evaluate.bins
    sections = answer.sections(outputs, truth, tested.decisions, artefact.rule, product, bins)
    return {**answer.headline(outputs, truth, bins), **sections}


def performance(path: Path, frame: pl.DataFrame, product: Product, calls: int) -> dict[str, float]:
    """Return the size of an artefact, and the time of single records here, from stored payload to outputs."""
    artefact, decoder = Artefact(path), input_of(product)
    rows = [frame[i : i + 1] for i in range(min(len(frame), 100))]
    seconds = []
    for call in range(calls + len(rows)):
        start = time.perf_counter()
        artefact.score(decoder.matrix(rows[call % len(rows)], product))
        seconds.append(time.perf_counter() - start)
    p50, p99 = (float(np.percentile(seconds[len(rows) :], q) * 1000) for q in (50, 99))
    return {"artefact_kib": path.stat().st_size / 1024, "latency_p50_ms": p50, "latency_p99_ms": p99}


def ranks(chosen: np.ndarray, records: int) -> pl.Series:
    """Return the place from 1 of every chosen record, null for the others."""
    places = np.zeros(records, dtype=np.int64)
    places[chosen] = np.arange(1, len(chosen) + 1)
    return pl.Series(places).replace(0, None)


def pick(answer: Answer, tested: Tested, rule: Any, product: Product, shown: int = SHOWN) -> pl.DataFrame:
    """Return at most ``shown`` worst errors and as many likely label errors, payload included.

    ``error`` and ``suspect`` are the places in the two lists, null where a record is not in one.
    """
    outputs, truth, rows = tested.scored.outputs, tested.examples.truth, tested.examples.frame
    errors, suspects = answer.worst(outputs, truth, tested.decisions, rule), answer.suspects(outputs, truth)
    columns = answer.case_columns(outputs, truth, rule, product)
    return (
        rows.select("id", *input_of(product).columns(product))
        .with_columns(
            **{name: pl.Series(values) for name, values in columns.items()},
            novelty=pl.Series(tested.scored.novelty.astype(np.float64)),
            decision=pl.Series(tested.decisions.tolist(), dtype=pl.String),
            error=ranks(errors[:shown], len(rows)),
            suspect=ranks(suspects[:shown], len(rows)),
        )
        .filter(pl.col("error").is_not_null() | pl.col("suspect").is_not_null())
        .sort("error", "suspect", nulls_last=True)
    )


def with_parts(cases: pl.DataFrame, artefact: Artefact, tested: Tested, product: Product) -> pl.DataFrame:
    """Say in the column ``moved`` which of a record's own parts moved the answer most, as the words of a text do.

    Parts that all records share are not named: ``make explain`` tells of them.
    """
    said: list[str | None] = [None] * len(cases)
    if len(cases) and not any(True for _ in input_of(product).regions(product)):
        drawn = np.random.default_rng(0).permutation(len(tested.examples.inputs))[:COMPARED]
        for row, values in enumerate(input_of(product).matrix(cases, product)):
            place, _ = artefact.foremost(artefact.score(values[np.newaxis]).outputs[0])
            told = effects(artefact, values, tested.examples.inputs[drawn], place, product)[:NAMED]
            said[row] = ", ".join(f"{name} {effect:+.2f}" for effect, name in told)
    return cases.with_columns(moved=pl.Series(said, dtype=pl.String))


def run(config: Config) -> None:
    """Score the test split once, then measure and draw."""
    product, artefact = load(), Artefact(MODEL)
    answer, rule, parts = artefact.answer, artefact.rule, read_folds(product)
    folds = [(Artefact(VARIANT_FILES / "folds" / f"{i}.onnx"), part) for i, part in enumerate(parts)]
    tested = test(artefact, product, config, folds)
    report = {"model": read_json(TRAINING)["model"], **tested.report}
    report["uncalibrated"] = uncalibrated(artefact, tested, product, config)
    report["decisions"] = {name: int((tested.decisions == name).sum()) for name in (ACCEPT, UNCERTAIN, UNFAMILIAR)}
    report["errors"] = len(answer.worst(tested.scored.outputs, tested.examples.truth, tested.decisions, rule))
    write_parquet(ERRORS, [with_parts(pick(answer, tested, rule, product), artefact, tested, product)])
    write_json(EVALUATION, report)
    write_json(METRICS, report["metrics"])
    write_json(PERFORMANCE, performance(MODEL, tested.examples.frame, product, config.evaluate.timed_calls))
    pairs = (tested.examples.frame["label"].to_list(), answer.text(tested.scored.outputs, rule, product))
    plots = PLOTS / "answer"
    for folder in (plots, FIGURES):
        folder.mkdir(parents=True, exist_ok=True)  # an answer may draw nothing
    answer.draw(report, pairs, plots, FIGURES, words)
    headline = (*answer.HEADLINE[:1], *answer.HEADLINE[-1:], "answered_share")
    values = ", ".join(f"{name} {report['metrics'][name]:.3f}" for name in dict.fromkeys(headline))
    print(f"evaluate: {values} on {report['records']} {'records out of fold' if folds else 'test records'}")


if __name__ == "__main__":
    stage(run)
