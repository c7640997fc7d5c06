"""`make monitor` on a log: quiet on usual traffic, loud on a shift, told once, never stopped by who is told."""

import json
import socket
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from english import sentences
from fullstack_ml.monitoring import monitor
from fullstack_ml.pages import formats
from fullstack_ml.pipeline.config import Config
from fullstack_ml.registry.tracking import ClientRegistry

Logged = Callable[..., list[str]]
TABLE = pytest.mark.task("tabular-classification")


def report() -> dict[str, Any]:
    """Read what the monitor wrote."""
    found: dict[str, Any] = json.loads(monitor.REPORT.read_text(encoding="utf-8"))
    return found


def verdicts() -> dict[str, str]:
    """Return the verdict on every metric."""
    return {row["metric"]: row["verdict"] for row in report()["verdicts"]}


def test_the_usual_traffic_is_quiet_and_a_shift_is_told_once(
    log: Logged,
    usual: pl.DataFrame,
    shifted: pl.DataFrame,
    monitored: Config,
    capsys: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log(usual, days=7)
    log(usual)
    monitored.monitoring.command = "tee -a told.txt"  # type: ignore[union-attr]
    monitor.run(monitored)
    assert verdicts()["drift"] == verdicts()["answer_drift"] == "pass"
    assert [one["measures"]["records"]["value"] for one in report()["windows"]] == [600, 600]
    assert not Path("told.txt").exists()

    with sqlite3.connect("predictions.db") as connection:  # the same week again, as it would be with the shift
        connection.execute("DELETE FROM predictions WHERE requested_at > datetime('now', '-7 days')")
    log(shifted)
    moment = datetime.now(UTC)
    clock = SimpleNamespace(now=lambda _: moment, fromisoformat=datetime.fromisoformat)
    monkeypatch.setattr(monitor, "datetime", clock)
    for _ in range(2):  # in one second, as on a fast machine
        with pytest.raises(SystemExit) as ended:
            monitor.run(monitored)
        assert ended.value.code == 2
    assert verdicts()["drift"] == "alarm"
    told = Path("told.txt").read_text(encoding="utf-8").splitlines()
    row = next(row for row in report()["verdicts"] if row["metric"] == "drift")
    assert told.count(next(line for line in told if line.startswith(f"alarm: {row['id']}: drift of"))) == 1
    assert len(told) == 3 * list(verdicts().values()).count("alarm")
    assert f"{row['owner']}: {row['follows']}" in capsys.readouterr().out
    gauges = monitor.GAUGES.read_text(encoding="utf-8")
    assert (
        f'monitor_alarm{{id="{row["id"]}",metric="drift",owner="{row["owner"]}",which="{row["which"]}"}} 1.0' in gauges
    )
    assert 'src="data:image/png' in monitor.PAGE.read_text(encoding="utf-8")


@TABLE
def test_drawn_labels_and_noticed_errors_are_never_mixed(
    log: Logged, usual: pl.DataFrame, product: Any, monitored: Config
) -> None:
    log(
        usual.head(100), labels=usual["source_label"].to_list(), accepted=True
    )  # of these one in ten is wrong, as drawn
    names = product.formulation.label_names
    wrong = dict(zip(names, names[1:] + names[:1], strict=True))
    ids = log(usual.slice(100, 100), accepted=True)
    with sqlite3.connect("predictions.db") as connection:
        answers = dict(connection.execute("SELECT prediction_id, answer FROM predictions WHERE decision = 'accept'"))
    noticed = [name for name in ids if name in answers][:5]
    with sqlite3.connect("predictions.db") as connection:
        for name in noticed:
            row = (name, "user", "champion", wrong[answers[name]], "noticed", "2026-01-01 00:00:00")
            connection.execute("INSERT INTO feedback VALUES (?, ?, ?, ?, ?, ?)", row)
        connection.execute(
            "INSERT INTO feedback VALUES ('f', 'user', 'champion', 'x', 'noticed', '2026-01-01 00:00:00')"
        )
    try_run(monitored)
    measured = report()["windows"][-1]["measures"]
    drawn = [name for name in answers if name not in ids]
    with sqlite3.connect("predictions.db") as connection:
        right = dict(connection.execute("SELECT prediction_id, answer FROM feedback WHERE how = 'drawn'"))
    assert measured["drawn_accuracy"]["records"] == len(drawn)
    assert measured["drawn_accuracy"]["value"] == pytest.approx(
        sum(answers[name] == right[name] for name in drawn) / len(drawn)
    )
    assert measured["drawn_accuracy"]["estimated"] == pytest.approx(measured["drawn_accuracy"]["value"], abs=0.15)
    assert measured["corrected_share"]["value"] == pytest.approx(5 / len(answers))
    assert "1 words are on predictions that the log does not hold" in " ".join(report()["notes"])


@TABLE
def test_the_page_in_another_language_holds_no_english_sentence(
    log: Logged, usual: pl.DataFrame, monitored: Config, translate: Callable[[], None]
) -> None:
    translate()
    log(usual.head(100), labels=usual["source_label"].to_list(), accepted=True)
    log(usual.slice(100, 10), days=-40, keep=False)
    try_run(monitored)
    assert sentences(monitor.PAGE) == []


def try_run(config: Config) -> None:
    """Run the monitor, whatever it finds."""
    try:
        monitor.run(config)
    except SystemExit as ended:
        assert ended.code == 2


@TABLE
def test_a_log_that_is_not_there_or_of_another_product_is_refused(
    log: Logged, usual: pl.DataFrame, monitored: Config, refused: Any
) -> None:
    with refused("no prediction log", fix="make serve"):
        monitor.run(monitored)
    assert not Path("predictions.db").exists()
    log(usual.head(3), name="another")
    with refused("predictions of another, none of my_product"):
        monitor.run(monitored)


@TABLE
def test_nothing_to_judge_is_no_alarm(log: Logged, usual: pl.DataFrame, monitored: Config) -> None:
    log(usual.head(60), days=30, keep=False)  # nothing came for weeks
    log(usual.head(10), days=-40)  # by a clock that is ahead
    monitor.run(monitored)
    assert set(verdicts().values()) <= {"not measured", "pass"}
    assert "10 records are dated later than now" in " ".join(report()["notes"])
    log(usual.head(100), keep=False)  # personal: no input is kept
    monitor.run(monitored)
    assert verdicts()["drift"] == "not measured"
    assert verdicts()["unfamiliar_share"] == "pass"
    assert "the input of 0 of 100 records" in " ".join(report()["notes"])


@TABLE
def test_an_artefact_without_a_reference_is_watched_for_the_rest(
    log: Logged, usual: pl.DataFrame, monitored: Config
) -> None:
    log(usual)
    with Path("models/model.onnx").open("ab") as file:
        file.write(b"\x00")  # another file than the one that answered
    monitor.run(monitored)
    assert verdicts()["drift"] == "not measured"
    assert verdicts()["unfamiliar_share"] == "pass"
    assert "is another file now" in " ".join(report()["notes"])


@TABLE
def test_a_webhook_that_hangs_stops_nothing(
    log: Logged, usual: pl.DataFrame, shifted: pl.DataFrame, monitored: Config, capsys: Any
) -> None:
    log(shifted)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never answers
        settings = monitored.monitoring
        assert settings is not None
        settings.webhook, settings.seconds = f"http://127.0.0.1:{silent.getsockname()[1]}/", 0.2
        runs = [threading.Thread(target=try_run, args=[monitored]) for _ in range(2)]  # two at once, too
        for one in runs:
            one.start()
        for one in runs:
            one.join(60)
    assert verdicts()["drift"] == "alarm"
    assert capsys.readouterr().out.count("the webhook of conf/monitoring.yaml was not told") == 1


@pytest.mark.task("tabular-regression")
def test_intervals_that_hold_fewer_late_numbers_than_promised_are_an_alarm_also_of_records_given_back(
    log: Logged, usual: pl.DataFrame, product: Any, monitored: Config
) -> None:
    options = product.formulation.answer.options
    ids = log(usual.head(300), labels=usual["source_label"].to_list())
    with sqlite3.connect("predictions.db") as connection:
        decided = dict(connection.execute("SELECT prediction_id, decision FROM predictions"))
        scores = {
            name: json.loads(said) for name, said in connection.execute("SELECT prediction_id, scores FROM predictions")
        }
        right = dict(connection.execute("SELECT prediction_id, answer FROM feedback"))
    assert len(set(decided.values())) == 2, "some are given back"
    try_run(monitored)
    held = [scores[name]["low"] <= float(right[name]) <= scores[name]["high"] for name in ids]
    found = report()["windows"][-1]["measures"]["drawn_interval_coverage"]
    assert found["records"] == 300
    assert found["value"] == pytest.approx(sum(held) / 300)
    assert found["low"] < found["value"] < found["high"]
    assert verdicts()["drawn_interval_coverage"] == "pass"
    assert f'monitor_value{{metric="drawn_interval_coverage",of=""}} {found["value"]}' in monitor.GAUGES.read_text(
        encoding="utf-8"
    )
    page = monitor.PAGE.read_text(encoding="utf-8")
    assert '<th class="n">interval_coverage</th>' in page
    (row,) = (row for row in report()["verdicts"] if row["metric"] == "drawn_interval_coverage")
    (line,) = (line for line in page.splitlines() if "<td>drawn_interval_coverage</td>" in line)
    shown = formats.quantity(row["value"], "share")
    assert shown.endswith(" %"), "as people write a share"
    assert f'<td class="n">{shown}</td>' in line
    assert f'<td class="n faint">{formats.between([row["low"], row["high"]])} %</td>' in line
    assert f"≥ {formats.quantity(row['threshold'], 'share')}</td>" in line

    with sqlite3.connect("predictions.db") as connection:  # the same patients, of whom many went another way
        connection.execute("UPDATE feedback SET answer = ? WHERE rowid % 2", (str(options["high"]),))
    try_run(monitored)
    assert verdicts()["drawn_interval_coverage"] == "alarm"


@TABLE
def test_a_hard_alarm_takes_the_champion_back_once(
    log: Logged, usual: pl.DataFrame, product: Any, monitored: Config, mlflow: Any, capsys: Any
) -> None:
    client = mlflow.MlflowClient()
    client.create_registered_model("my_product")
    for _ in range(2):
        client.create_model_version("my_product", source="models", tags={"verdict": "accepted"})
    registry = ClientRegistry(mlflow)
    registry.crown("1")
    registry.crown("2")
    contract = Path("product.yaml")
    text = contract.read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if "metric: drawn_accuracy" in line]
    contract.write_text(text.replace(line, line.replace("}", ", rollback: true}")), encoding="utf-8")
    names = product.formulation.label_names
    wrong = dict(zip(names, names[1:] + names[:1], strict=True))
    log(usual, labels=[wrong[label] for label in usual["source_label"]], accepted=True)
    with sqlite3.connect("predictions.db") as connection:
        connection.execute("UPDATE predictions SET model_version = '2'")
    try_run(monitored)
    assert "version 2 was taken back, 1 is champion again" in capsys.readouterr().out
    assert registry.aliases() == {"champion": "1"}
    monitor.REPORT.unlink()  # as if nobody had been told
    try_run(monitored)
    assert "version 2 is not the champion any more, nothing is taken back" in capsys.readouterr().out
    assert registry.aliases() == {"champion": "1"}
