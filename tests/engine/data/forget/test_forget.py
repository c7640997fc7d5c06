"""make forget: a record or a group is out of everything, stays out, and the models that used it are named."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullstack_ml.data.collect import __main__ as collect
from fullstack_ml.data.forget import __main__ as forget
from fullstack_ml.data.forget import trained
from fullstack_ml.data.store import manifest
from fullstack_ml.registry.versions import model_name

Refused = Callable[..., AbstractContextManager[None]]


def places(record: str) -> list[str]:
    """Name the files below data and beside Label Studio that still hold an id, in a column or as text."""
    found = []
    for path in [*Path("data").rglob("*"), *Path(".labelstudio").rglob("*")]:
        if path.suffix == ".parquet" and record in pl.read_parquet(path)["id"]:
            found.append(str(path))
        if path.suffix == ".json" and path.name != "tombstones.json" and record in path.read_text():
            found.append(str(path))
    return found


def labelled_by_people(record: str) -> None:
    """Store a label and a round that name the record."""
    for folder in (Path("data/labels"), Path(".labelstudio/pulled")):
        folder.mkdir(parents=True, exist_ok=True)
        said = pl.DataFrame({"id": [record], "label": ["x"], "annotator": ["somebody"]})
        said.write_parquet(folder / "pilot.parquet")
    Path("data/rounds").mkdir(exist_ok=True)
    Path("data/rounds/pilot.json").write_text(json.dumps({"items": {record: "random"}, "overlap": [record]}))


def test_a_record_is_out_of_raw_labels_rounds_and_splits(finished: Path) -> None:
    record = pl.read_parquet("data/splits/train.parquet")["id"][3]
    labelled_by_people(record)
    copies = [Path("data/exports/pilot.zip"), Path("data/rejected/import-form.csv")]
    copies += [copy.with_name(f".{copy.name}.1.tmp") for copy in copies]  # of a killed command
    for copy in copies:
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(record)
    assert len(places(record)) >= 5
    assert ".labelstudio/pulled/pilot.parquet" in places(record)
    assert forget.forget(record[:12], None) == [record]
    assert places(record) == []
    assert not any(copy.exists() for copy in copies)


def test_a_record_is_out_of_the_prediction_log_with_what_people_said_of_it(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SERVE_DATABASE_URL", raising=False)
    record, other = pl.read_parquet("data/splits/train.parquet")["id"][:2]
    with closing(sqlite3.connect("predictions.db")) as log, log:
        log.execute("CREATE TABLE predictions (prediction_id TEXT, input_sha256 TEXT)")
        log.execute("CREATE TABLE feedback (prediction_id TEXT, label TEXT)")
        log.executemany("INSERT INTO predictions VALUES (?, ?)", [("a", record), ("b", other), ("c", record)])
        log.executemany("INSERT INTO feedback VALUES (?, 'x')", [("a",), ("b",)])
    forget.forget(record, None)
    with closing(sqlite3.connect("predictions.db")) as log:
        assert log.execute("SELECT * FROM predictions").fetchall() == [("b", other)]
        assert log.execute("SELECT prediction_id FROM feedback").fetchall() == [("b",)]


def test_the_manifests_state_what_is_left(finished: Path) -> None:
    record = pl.read_parquet("data/splits/train.parquet")["id"][0]
    before = len(pl.read_parquet("data/raw/*.parquet"))
    forget.forget(record, None)
    listed = manifest.published()["shards"]
    assert sum(entry["rows"] for entry in listed) == before - 1
    for name, entry in json.loads(Path("data/splits/manifest.json").read_text()).items():
        frame = pl.read_parquet(f"data/splits/{name}.parquet")
        assert (entry["rows"], sum(entry["labels"].values())) == (len(frame), len(frame))


def test_it_is_never_collected_again(finished: Path, config: Any) -> None:
    before = pl.read_parquet("data/raw/*.parquet")["id"]
    forget.forget(before[5], None)
    collect.run(config)
    assert sorted(pl.read_parquet("data/raw/*.parquet")["id"]) == sorted(set(before) - {before[5]})


def test_older_data_that_is_checked_out_again_loses_it_in_the_next_collect(finished: Path, config: Any) -> None:
    old = {path: path.read_bytes() for path in [Path("data/raw.lock"), *Path("data/raw").iterdir()]}
    record = pl.read_parquet("data/raw/*.parquet")["id"][7]
    forget.forget(record, None)
    for path in Path("data/raw").iterdir():
        path.unlink()
    for path, content in old.items():
        path.write_bytes(content)
    collect.run(config)
    assert places(record) == []


@pytest.fixture
def grouped(project: Path, config: Any, batch: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> pl.DataFrame:
    """Raw records of which every tenth belongs to a person; the records of that person."""
    person = pl.when(pl.int_range(pl.len()) % 10 == 0).then(pl.lit("Kim Min-seo")).alias("group")
    monkeypatch.setattr(collect, "open_source", lambda *_: iter([batch.with_columns(person)]))
    collect.run(config)
    return pl.read_parquet("data/raw/*.parquet").filter(pl.col("group").is_not_null())


def test_a_group_goes_with_all_its_records_and_its_name_is_not_kept(grouped: pl.DataFrame, config: Any) -> None:
    assert forget.forget(None, "Kim Min-seo") == sorted(grouped["id"])
    collect.run(config)
    assert pl.read_parquet("data/raw/*.parquet")["group"].null_count() == len(pl.read_parquet("data/raw/*.parquet"))
    assert "Kim" not in Path("data/tombstones.json").read_text()


def test_what_the_person_sends_later_is_not_collected_either(
    grouped: pl.DataFrame, config: Any, batch: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget.forget(None, "Kim Min-seo")
    left = len(pl.read_parquet("data/raw/*.parquet"))
    monkeypatch.setattr(collect, "open_source", lambda *_: iter([batch[:30].with_columns(group=pl.lit("Kim Min-seo"))]))
    collect.run(config)
    assert len(pl.read_parquet("data/raw/*.parquet")) == left


def test_a_kill_after_the_tombstone_is_finished_by_the_same_command(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = pl.read_parquet("data/splits/train.parquet")["id"][3]
    labelled_by_people(record)
    with monkeypatch.context() as patch:
        patch.setattr(forget, "rewrite_tables", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            forget.forget(record, None)
    assert places(record) != []
    forget.forget(record, None)
    assert places(record) == []


def test_nothing_to_forget_is_a_mistake(finished: Path, refused: Refused) -> None:
    before = Path("data/tombstones.json").exists()
    with refused("no record has the id '0000000000'", "data/raw"):
        forget.forget("0000000000", None)
    with refused("no record has the group 'nobody'"):
        forget.forget(None, "nobody")
    assert Path("data/tombstones.json").exists() == before


def test_the_models_that_learned_from_it_are_named(
    finished: Path, mlflow: Any, git: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("dvc.yaml").unlink()  # the test keeps the splits by hand
    git("init", "--quiet")
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet"], check=True)
    learned, held_out = (pl.read_parquet(f"data/splits/{name}.parquet")["id"][0] for name in ("train", "test"))
    subprocess.run([sys.executable, "-m", "dvc", "add", "--quiet", "data/splits"], check=True)
    version = next(line.split()[-1] for line in Path("data/splits.dvc").read_text().splitlines() if "md5: " in line)
    client = mlflow.MlflowClient()
    name = model_name()
    client.create_registered_model(name)
    for data in (version, "0" * 32 + ".dir"):
        client.create_model_version(name, "nowhere", tags={"data.version": data})
    client.set_registered_model_alias(name, "champion", "1")
    lines = list(trained.trained_on([learned], None))
    assert lines[0] == f"{name} version 1 (champion) used it: train"
    assert "version 2: its data" in lines[1]
    # The run of the version shows what it got wrong among these.
    assert next(trained.trained_on([held_out], None)) == f"{name} version 1 (champion) used it: test"
    assert [line for line in trained.trained_on(["nobody"], None) if "version 1" in line] == []


def test_labels_that_dvc_keeps_do_not_come_back(
    finished: Path, git: Callable[..., str], refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.defpath)  # of an environment that was not activated
    record, other = pl.read_parquet("data/splits/train.parquet")["id"][:2]
    labelled_by_people(record)
    labels = Path("data/labels/pilot.parquet")
    pl.concat([pl.read_parquet(labels), pl.read_parquet(labels).with_columns(id=pl.lit(other))]).write_parquet(labels)
    dvc = [sys.executable, "-m", "dvc"]
    git("init", "--quiet")
    subprocess.run([*dvc, "init", "--quiet"], check=True)
    subprocess.run([*dvc, "add", "--quiet", str(labels)], check=True)
    Path(".dvc").rename("away")
    with refused("dvc add did not work", "data/labels", "the same command again"):
        forget.forget(record, None)
    assert places(record) == []
    Path("away").rename(".dvc")
    forget.forget(record, None)
    labels.unlink()
    subprocess.run([*dvc, "checkout", "--quiet", f"{labels}.dvc"], check=True)
    assert pl.read_parquet(labels)["id"].to_list() == [other]
