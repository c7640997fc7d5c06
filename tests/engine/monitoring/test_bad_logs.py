"""Logs as they should not be: empty, of one class, without most inputs, with people who contradict each other."""

import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import onnx
import polars as pl
import pytest

from fullstack_ml.monitoring import monitor
from fullstack_ml.monitoring.origins import Origins
from fullstack_ml.pipeline.config import Config
from fullstack_ml.serving import settings
from fullstack_ml.serving.store import Store
from fullstack_ml.workspace.files import sha256

pytestmark = pytest.mark.task("tabular-classification")
Logged = Callable[..., list[str]]


def look(config: Config) -> dict[str, Any]:
    """Run the monitor, whatever it finds, and return its report."""
    try:
        monitor.run(config)
    except SystemExit as ended:
        assert ended.code == 2
    found: dict[str, Any] = json.loads(monitor.REPORT.read_text(encoding="utf-8"))
    return found


def verdicts(report: dict[str, Any]) -> dict[str, str]:
    """Return the verdict on every metric."""
    return {row["metric"]: row["verdict"] for row in report["verdicts"]}


def test_a_log_that_is_empty_is_no_alarm(finished: Path, monitored: Config) -> None:
    store = Store(settings.read())
    store.open()
    store.close()
    report = look(monitored)
    assert set(verdicts(report).values()) == {"not measured"} or verdicts(report).get("records") == "pass"
    assert "no record came in this window" in report["notes"]


def test_features_are_judged_by_the_tenth_whose_inputs_are_kept(
    log: Logged, usual: pl.DataFrame, shifted: pl.DataFrame, monitored: Config
) -> None:
    log(usual.head(540), keep=False)
    log(usual.slice(540, 60))
    quiet = look(monitored)
    assert "the input of 60 of 600 records" in " ".join(quiet["notes"])
    assert {one["drift"]["records"] for one in quiet["windows"][-1]["columns"].values()} == {60}
    assert {one["missing_share"]["value"] for one in quiet["windows"][-1]["columns"].values()} == {0}, "not 90 of 100"
    assert verdicts(quiet)["drift"] != "alarm"
    with sqlite3.connect("predictions.db") as connection:
        connection.execute("DELETE FROM predictions")
    log(usual.head(540), keep=False)
    log(shifted.head(60))
    assert verdicts(look(monitored))["drift"] == "alarm"


def test_a_window_with_one_class_is_judged(log: Logged, usual: pl.DataFrame, monitored: Config, product: Any) -> None:
    name = product.formulation.label_names[0]
    one = usual.filter(pl.col("source_label") == name)
    log(one, labels=one["source_label"].to_list(), accepted=True)
    with sqlite3.connect("predictions.db") as connection:
        connection.execute("UPDATE predictions SET answer = ?", [name])
    report = look(monitored)
    measures = report["windows"][-1]["measures"]
    assert measures["drawn_accuracy"]["value"] == 1
    assert measures["drawn_accuracy"]["low"] < 1, "all right of a few is no certainty"
    assert verdicts(report)["answer_drift"] == "alarm"


def test_of_labels_that_contradict_each_other_the_latest_counts_and_they_are_counted(
    log: Logged, usual: pl.DataFrame, monitored: Config, product: Any
) -> None:
    ids = log(usual.head(100), accepted=True)
    with sqlite3.connect("predictions.db") as connection:
        answers = dict(connection.execute("SELECT prediction_id, answer FROM predictions"))
        names = product.formulation.label_names
        wrong = dict(zip(names, names[1:] + names[:1], strict=True))
        for minute, who in enumerate(("ana", "ben")):  # ana says that all of it is wrong, ben that all of it is right
            at = f"2026-01-01 00:0{minute}:00.000000"
            rows = [
                (one, who, "champion", wrong[answers[one]] if who == "ana" else answers[one], "drawn", at)
                for one in ids
            ]
            connection.executemany("INSERT INTO feedback VALUES (?, ?, ?, ?, ?, ?)", rows)
    window = look(monitored)["windows"][-1]
    assert window["contradicted"] == 100
    assert window["measures"]["drawn_accuracy"]["value"] == 1
    assert window["measures"]["drawn_accuracy"]["records"] == 100, "a record counts once"


def test_a_clock_that_jumps_back_moves_records_to_an_older_window_and_stops_nothing(
    log: Logged, usual: pl.DataFrame, monitored: Config
) -> None:
    log(usual.head(100))
    log(usual.head(30), days=21)
    log(usual.head(5), days=20_000)  # 1972
    counts = [window["measures"]["records"]["value"] for window in look(monitored)["windows"]]
    assert len(counts) == monitored.monitoring.windows, "it looks back as far as it is told"  # type: ignore[union-attr]
    assert sum(counts) == 130
    assert counts[-1] == 100


def test_an_artefact_from_before_there_were_references_is_named(
    finished: Path, log: Logged, usual: pl.DataFrame, monitored: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = onnx.load("models/model.onnx")
    kept = [one for one in graph.metadata_props if one.key != "reference"]
    assert len(kept) == len(graph.metadata_props) - 1
    del graph.metadata_props[:]
    graph.metadata_props.extend(kept)
    onnx.save(graph, "models/old.onnx")
    monkeypatch.setenv("SERVE_MODEL", "models/old.onnx")
    version = f"file-{sha256(Path('models/old.onnx'))[:12]}"
    known, why = Origins(settings.read()).reference(version)
    assert (known, why) == (None, f"version {version} has no reference: it was made before there was one")
    log(usual.head(100))
    with sqlite3.connect("predictions.db") as connection:
        connection.execute("UPDATE predictions SET model_version = ?", [version])
    report = look(monitored)
    assert why in report["notes"]
    assert verdicts(report)["drift"] == "not measured"
    assert verdicts(report)["unfamiliar_share"] == "pass"
    assert datetime.fromisoformat(report["at"]) <= datetime.now(UTC)


def test_a_database_that_is_not_named_is_told_in_three_lines(
    finished: Path, monitored: Config, monkeypatch: pytest.MonkeyPatch, refused: Any
) -> None:
    monkeypatch.setenv("SERVE_DATABASE_URL", "")  # as a secret that nobody has set
    with refused("SERVE_DATABASE_URL is ''", "the environment or .env"):
        monitor.run(monitored)
