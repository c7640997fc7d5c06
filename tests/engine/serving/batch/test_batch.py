"""What ``make predict`` answers, refuses and leaves behind; the server says the same of every record."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from fullstack_ml.inputs import input_of
from fullstack_ml.serving.batch import __main__ as batch

Predict = Callable[..., pl.DataFrame]


@pytest.fixture
def predict(finished: Path, monkeypatch: pytest.MonkeyPatch) -> Predict:
    """Return ``make predict`` on the project's artefact; it gives what it wrote."""
    monkeypatch.setenv("SERVE_MODEL", "models/model.onnx")

    def run(given: str, output: str = "out.parquet", **options: str) -> pl.DataFrame:
        for name, value in {"INPUT": given, "OUTPUT": output, **options}.items():
            monkeypatch.setenv(name, value)
        batch.main()
        assert not list(Path().glob(".*.parts"))
        return pl.read_parquet(output) if output.endswith(".parquet") else pl.read_csv(output, infer_schema=False)

    return run


@pytest.fixture
def inbox(finished: Path, records: pl.DataFrame, product: Any) -> str:
    """Drawn records as somebody would hand them over: a folder of pictures, or a table."""
    some = records.head(120)
    if "payload" not in some.columns:
        some.select(pl.lit("row").alias("note"), *input_of(product).columns(product)).write_csv("inbox.csv")
        return "inbox.csv"
    Path("inbox").mkdir()
    for number, payload in enumerate(some["payload"]):
        Path(f"inbox/{number:03}.png").write_bytes(payload)
    return "inbox"


def test_every_record_gets_the_answer_of_the_server(
    predict: Predict, inbox: str, client: Any, asked: Callable[[int], list[dict[str, Any]]]
) -> None:
    said = client.post("/v1/predict", json={"records": asked(120)}).json()["predictions"]
    found = predict(inbox)
    for column in ("answer", "decision", "reason", "model_version"):
        assert found[column].to_list() == [one[column] for one in said]
    assert np.allclose(found["novelty"], [one["novelty"] for one in said])
    for name, shares in said[0]["scores"].items():
        assert found[f"score_{name}"][0] == pytest.approx(shares)
    assert len(found) == 120


def test_the_log_holds_what_the_server_would_write_once_for_each_record(
    predict: Predict, inbox: str, client: Any, asked: Callable[[int], list[dict[str, Any]]], logged: Any
) -> None:
    client.post("/v1/predict", json={"records": asked(120)})
    columns = "input_sha256, answer, decision, reason, scores, novelty, model_version, arm, served"
    by_server = logged(f"SELECT {columns} FROM predictions ORDER BY prediction_id, rowid")
    found = predict(inbox, LOG="1")
    ids = ", ".join(f"'{one}'" for one in found["prediction_id"])
    rows = logged(f"SELECT {columns}, input FROM predictions WHERE prediction_id IN ({ids}) ORDER BY prediction_id")
    key = lambda row: row["input_sha256"]  # noqa: E731
    wanted, got = sorted(by_server, key=key), sorted(rows, key=key)
    stored = [row.pop("input") for row in got]
    for one, other in zip(wanted, got, strict=True):
        assert json.loads(one.pop("scores")) == pytest.approx(json.loads(other.pop("scores")))
        assert one.pop("novelty") == pytest.approx(other.pop("novelty"))
        assert one == other
    assert all(stored)
    assert found["prediction_id"].n_unique() == 120


@pytest.mark.task("tabular-classification")
def test_a_bad_row_in_the_middle_keeps_no_other_from_its_answer(predict: Predict, inbox: str, product: Any) -> None:
    lines = Path(inbox).read_text(encoding="utf-8").splitlines()
    first, feature = lines[0].split(",")[1], product.formulation.input.features[0]
    lines[40] = "row,too,short"
    lines[50] = ",".join(["=1+1", f"{feature.high + 1}", *lines[50].split(",")[2:]])
    lines[60] = ",".join(["row", "many", *lines[60].split(",")[2:]])
    lines[70] = ",".join(["=cmd|' /C calc'!A0", *lines[70].split(",")[1:]])
    Path(inbox).write_text("\n".join(lines), encoding="utf-8")
    found = predict(inbox, "out.csv")
    refused = pl.read_csv("out.rejected.csv").sort("row")
    assert refused["row"].to_list() == [40, 50, 60]
    for reason, text in zip(refused["reason"], ("line 41", f"{first} is", "is many, which is no"), strict=True):
        assert text in reason
    assert set(map(int, found["row"])) == {*range(1, 121)} - {40, 50, 60}
    assert found.filter(pl.col("row") == "70")["note"].item() == "'=cmd|' /C calc'!A0"


@pytest.mark.task("image-classification")
def test_a_file_that_is_no_picture_is_refused_by_its_name(predict: Predict, inbox: str) -> None:
    Path(inbox, "050.png").write_bytes(b"no picture")
    Path(inbox, "notes.doc").write_bytes(b"x")
    found = predict(inbox)
    refused = pl.read_csv("out.rejected.csv").select("source", "reason").rows()
    assert [name for name, _ in refused] == ["050.png", "notes.doc"]
    assert len(found) == 119
    assert "050.png" not in found["source"].to_list()


@pytest.mark.task("tabular-classification")
def test_a_table_of_a_database_is_answered(predict: Predict, inbox: str) -> None:
    frame = pl.read_csv(inbox).with_row_index("key", 1)
    with sqlite3.connect("shop.db") as shop:
        names = ", ".join(f'"{name}"' for name in frame.columns)
        shop.execute(f"CREATE TABLE orders ({names}, PRIMARY KEY (key))")
        shop.executemany(f"INSERT INTO orders VALUES ({', '.join('?' * frame.width)})", frame.reverse().rows())
    by_table, by_file = predict("sqlite:///shop.db"), predict(inbox, "file.parquet")
    assert by_table["key"].to_list() == list(range(1, 121))
    assert by_table["answer"].to_list() == by_file["answer"].to_list()


@pytest.mark.task("tabular-classification")
def test_mistakes_are_told_before_anything_is_written(predict: Predict, inbox: str, product: Any, refused: Any) -> None:
    missing = product.formulation.input.features[0].name
    pl.read_csv(inbox).drop(missing).write_csv("less.csv")
    with refused(f"less.csv lacks the column(s) '{missing}'", "INPUT"):
        predict("less.csv")
    with refused("path 'gone.csv' does not exist", "INPUT"):
        predict("gone.csv")
    with refused("out.doc has another ending", "OUTPUT"):
        predict(inbox, "out.doc")
    Path("out.csv").write_text("mine", encoding="utf-8")
    with refused("out.csv is there already", "OUTPUT", "FORCE=1"):
        predict(inbox, "out.csv")
    assert Path("out.csv").read_text(encoding="utf-8") == "mine"
    assert len(predict(inbox, "out.csv", FORCE="1")) == 120


KILLED = """
import os, sys
from fullstack_ml.serving.batch import __main__, parts
add = parts.Parts.add
def and_die(self, frame):
    if len(self.files) == 2:
        os.kill(os.getpid(), 9)  # when the batch is logged and not kept yet
    add(self, frame)
parts.Parts.add = and_die
__main__.main()
"""


SLOW = """
import pathlib, time
from fullstack_ml.serving.batch import __main__, parts
join = parts.Parts.join
def and_wait(self):
    pathlib.Path("writing").touch()
    while not pathlib.Path("go").exists():
        time.sleep(0.05)
    return join(self)
parts.Parts.join = and_wait
__main__.main()
"""


@pytest.mark.task("tabular-classification")
def test_of_two_runs_at_once_the_second_is_refused_and_the_first_is_whole(predict: Predict, inbox: str) -> None:
    variables = {**os.environ, "INPUT": inbox, "OUTPUT": "out.parquet"}
    first = subprocess.Popen([sys.executable, "-c", SLOW], env=variables)
    try:
        while not Path("writing").exists():
            assert first.poll() is None
            time.sleep(0.05)
        command = [sys.executable, "-m", "fullstack_ml.serving.batch"]
        second = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    finally:
        Path("go").touch()
    assert second.returncode == 1
    what, where, fix = second.stderr.splitlines()
    assert "another process writes out.parquet now" in what
    assert "OUTPUT" in where
    assert "wait for it" in fix
    assert first.wait(60) == 0
    assert pl.read_parquet("out.parquet").height == 120
    assert not list(Path().glob(".*.parts"))


@pytest.mark.task("image-classification")
def test_a_killed_run_goes_on_and_logs_nothing_twice(
    predict: Predict, inbox: str, monkeypatch: pytest.MonkeyPatch, logged: Any, capfd: Any
) -> None:
    from fullstack_ml.data.collect.sources import files

    monkeypatch.setattr(files, "BATCH_IMAGES", 25)
    die = f"from fullstack_ml.data.collect.sources import files\nfiles.BATCH_IMAGES = 25\n{KILLED}"
    variables = {**os.environ, "INPUT": inbox, "OUTPUT": "out.parquet", "LOG": "1"}
    assert subprocess.run([sys.executable, "-c", die], env=variables, check=False).returncode == -9
    assert not Path("out.parquet").exists()
    assert len(logged()) == 75
    found = predict(inbox, LOG="1")
    assert "goes on behind 50 records" in capfd.readouterr().err
    assert sorted(row["prediction_id"] for row in logged()) == sorted(found["prediction_id"])
    assert found["source"].to_list() == [f"{number:03}.png" for number in range(120)]
