"""Lineage: what is told of an answer, a record, and the labels of a person, in a project without a registry yet."""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from english import sentences
from fullstack_ml.audit import lineage
from fullstack_ml.pipeline.tables import LABEL
from fullstack_ml.serving.batch import __main__ as batch

pytestmark = pytest.mark.task("tabular-classification")
NOW = datetime(2026, 5, 4, tzinfo=UTC)


@pytest.fixture
def record(finished: Path, records: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A record that ann labelled in a pilot, and that a client sent later: its row, and the id of the answer."""
    monkeypatch.setenv("SERVE_MODEL", "models/model.onnx")
    row = records.row(7, named=True)
    label = {"id": row["id"], "label": row["source_label"], "annotator": "ann", "round": "pilot"}
    said = pl.DataFrame([{**label, "guide_version": "1.0", "annotated_at": NOW, "seconds": 9.0, "note": None}])
    Path("data/labels").mkdir(parents=True, exist_ok=True)
    said.select(*LABEL).cast(pl.Schema(LABEL)).write_parquet("data/labels/pilot-ann.parquet")
    records[7:8].drop("happened_at").write_csv("inbox.csv")
    for name, value in {"INPUT": "inbox.csv", "OUTPUT": "out.parquet", "LOG": "1"}.items():
        monkeypatch.setenv(name, value)
    batch.main()
    return {**row, "prediction": pl.read_parquet("out.parquet")["prediction_id"].item()}


def told(name: str, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> str:
    monkeypatch.setenv("ID", name)
    lineage.main()
    out: str = capsys.readouterr().out
    page = Path("reports/lineage.html").read_text(encoding="utf-8")
    assert name in page
    return out


def test_an_answer_leads_to_its_record_and_who_labelled_it(
    record: dict[str, Any], product: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    out = told(record["prediction"], monkeypatch, capsys)
    for text in (record["id"], record["source"], "ann  pilot  1.0", "abstain", "which no registry here knows"):
        assert text in out


def test_a_record_leads_to_the_requests_that_brought_it(
    record: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    out = told(record["id"][:20], monkeypatch, capsys)
    assert f"  {record['prediction']}  " in out
    assert "none is registered yet" in out
    assert "Labels of the annotator ann" in told("ann", monkeypatch, capsys)
    assert "Labels of the round pilot" in told("pilot", monkeypatch, capsys)
    assert "Label " in told(record["source_label"], monkeypatch, capsys)


def test_the_page_in_another_language_holds_no_english_sentence(
    record: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: Any, translate: Callable[[], None]
) -> None:
    translate()
    for name in (record["prediction"], record["id"], "ann", "pilot", record["source_label"]):
        told(name, monkeypatch, capsys)
        assert sentences(Path("reports/lineage.html")) == []


def test_feedback_stands_beside_the_answer(
    record: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    engine = sa.create_engine("sqlite:///predictions.db")
    with contextlib.closing(engine.raw_connection()) as log:
        row = (record["prediction"], "nurse", "champion", "other", "noticed", "2026-06-01 00:00:00")
        log.cursor().execute("INSERT INTO feedback VALUES (?, ?, ?, ?, ?, ?)", row)
        log.commit()
    assert "other  nurse  noticed" in told(record["prediction"], monkeypatch, capsys)


def test_what_nothing_has_as_id_is_told(finished: Path, monkeypatch: pytest.MonkeyPatch, refused: Any) -> None:
    for name in ("", "nobody", "0" * 32, "ffffffff"):
        monkeypatch.setenv("ID", name)
        with refused("ID is empty" if not name else f"nothing here has the ID '{name}'"):
            lineage.main()
