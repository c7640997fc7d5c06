"""One record told from its payload to the decision: what stands there is what the stages did with it."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from fullstack_ml.inputs import image
from fullstack_ml.modeling.study import explain

Refused = Callable[..., AbstractContextManager[None]]


def told(identifier: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Run ``make explain`` and return its lines."""
    monkeypatch.setattr("sys.argv", ["explain", identifier])
    explain.main()
    return [line.strip() for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("split", ["train", "validation", "calibration", "test"])
def test_the_split_and_the_label_are_those_of_the_record(
    split: str, finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = pl.read_parquet(finished / f"data/splits/{split}.parquet").row(0, named=True)
    lines = told(row["id"][:12], monkeypatch, capsys)
    assert f"id: {row['id']}" in lines
    assert lines[lines.index("label") + 1].startswith(f"{row['label']}, by ")
    assert lines[lines.index("split") + 1].startswith(f"{split}, ")


def test_the_decision_is_the_one_of_the_error_analysis(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    errors = pl.read_parquet(finished / "reports/errors.parquet")
    assert len(errors)
    for row in errors.unique("decision").to_dicts():
        lines = told(row["id"], monkeypatch, capsys)
        assert lines[lines.index("decision") + 1].startswith(f"{row['decision']}: ")


def test_a_record_without_a_label_says_so(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    labelled = pl.read_parquet("data/labelled.parquet")
    labelled[1:].write_parquet("data/labelled.parquet")
    assert "none yet" in told(labelled["id"][0], monkeypatch, capsys)


def test_ink_is_dark_and_paper_is_light(product: Any) -> None:
    assert image.draw(np.array([[255, 0]], np.uint8), product) == "    @@"


@pytest.mark.parametrize("place", [0, 1])
def test_of_equal_rows_the_one_that_is_named_is_told(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = ["a" * 32 + letter * 32 for letter in "bc"]
    monkeypatch.setattr(explain, "raw", lambda: pl.LazyFrame({"id": ids}))
    assert explain.find(ids[place])["id"].to_list() == [ids[place]]


def test_the_start_of_an_id_has_to_name_one_record(finished: Path, refused: Refused) -> None:
    with refused("'ab' is shorter than 6", "make explain"):
        explain.find("ab")
    with refused("0 records have an id that begins with 'nothing'", "data/raw", "copy the id"):
        explain.find("nothing")


def test_a_shard_that_no_manifest_lists_is_no_second_record(finished: Path) -> None:
    shard = next(Path("data/raw").glob("*.parquet"))
    record = pl.read_parquet(shard)["id"][0]
    shutil.copy(shard, shard.with_name("shard-00099.parquet"))  # of a collect that was killed
    assert explain.find(record)["id"].to_list() == [record]


def test_where_nothing_was_collected_the_way_to_it_is_named(project: Path, refused: Refused) -> None:
    with refused("there are no raw records", "data/raw", "make collect"):
        explain.find("0123456")
