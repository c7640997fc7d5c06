"""What cannot be stored is kept with the reason, and counted until it comes in after all."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullstack_ml.data.collect import __main__ as collect
from fullstack_ml.data.validate import __main__ as validate

Refused = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def gather(project: Path, config: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """Return a run of the stage on the given batches; it returns what the manifest lists as rejected."""

    def run(*batches: pl.DataFrame) -> list[dict[str, Any]]:
        monkeypatch.setattr(collect, "open_source", lambda *_: iter(batches))
        collect.run(config)
        listed: list[dict[str, Any]] = json.loads(Path("data/raw/manifest.json").read_text())["rejected"]
        return listed

    return run


def kept() -> pl.DataFrame:
    """Read what is kept of them."""
    return pl.read_parquet("data/rejected/collect.parquet")


def broken(batch: pl.DataFrame, rows: int = 1) -> pl.DataFrame:
    """Let the source say of the first rows that they are no records."""
    reason = pl.when(pl.int_range(pl.len()) < rows).then(pl.lit("cut off"))
    name = pl.format("file {}", pl.int_range(pl.len()))
    return batch.with_columns(rejected=reason, record=pl.lit("as it came"), source=name)


def test_the_others_are_stored_and_it_is_kept_with_reason_and_content(
    gather: Callable[..., list[dict[str, Any]]], batch: pl.DataFrame
) -> None:
    assert [(entry["source"], entry["reason"]) for entry in gather(broken(batch[:10]))] == [("file 0", "cut off")]
    assert len(pl.read_parquet("data/raw/*.parquet")) == 9
    assert kept().select("source", "reason", "record").rows() == [("file 0", "cut off", "as it came")]


def test_the_next_run_neither_repeats_nor_forgets_it(
    gather: Callable[..., list[dict[str, Any]]], batch: pl.DataFrame
) -> None:
    first = gather(broken(batch[:10]))
    before = Path("data/raw/manifest.json").read_bytes()
    assert gather(broken(batch[:10])) == first
    assert Path("data/raw/manifest.json").read_bytes() == before
    assert len(kept()) == 1


def test_what_comes_in_after_all_is_struck_from_the_list(
    gather: Callable[..., list[dict[str, Any]]], batch: pl.DataFrame
) -> None:
    gather(broken(batch[:10]))
    assert gather(broken(batch[:10], rows=0)) == []
    assert len(pl.read_parquet("data/raw/*.parquet")) == 10


@pytest.mark.task("image-classification")  # a table has contrary rows: test_table_rows.py
@pytest.mark.parametrize("column", ["group", "source_label"])
def test_known_content_under_another_group_or_label_is_kept_and_reported(
    column: str, gather: Callable[..., list[dict[str, Any]]], batch: pl.DataFrame, config: Any
) -> None:
    changed = batch[:3].with_columns(pl.lit("another").alias(column))
    listed = gather(batch[:10], changed)
    assert {entry["reason"] for entry in listed} == {"known content under another group or label"}
    assert [entry[column] for entry in listed] == ["another"] * 3
    stored = pl.read_parquet("data/raw/*.parquet")
    assert sorted(entry["id"] for entry in listed) == sorted(stored["id"][:3])
    assert "another" not in stored[column].to_list()
    validate.run(config)
    report = json.loads(Path("reports/validation.json").read_text())
    assert report["exact_duplicates"]["under_another_group_or_label"] == 3
    assert gather(batch[:10], changed) == listed


def test_too_many_stop_the_run_and_leave_what_was_there(
    gather: Callable[..., list[dict[str, Any]]], batch: pl.DataFrame, config: Any, refused: Refused
) -> None:
    gather(batch[:10])
    config.collect.max_rejected = 4
    with refused("more than 4 records are rejected, the last one because cut off", "data/rejected", "max_rejected"):
        gather(broken(batch[10:30], rows=5))
    assert len(pl.read_parquet("data/raw/*.parquet")) == 10
    assert len(kept()) == 5


def test_when_nothing_is_left_the_counts_and_the_first_example_are_told(
    gather: Callable[..., list[dict[str, Any]]], batch: pl.DataFrame, refused: Refused
) -> None:
    place = pl.format("data/t.csv#row {}", pl.int_range(1, pl.len() + 1))
    reason = pl.format("length is {},5, which is no number", pl.int_range(pl.len()))
    what = "0 records: 10 rejected, 10 of them because of length, which is no number; the first is data/t.csv#row 1: "
    with refused(what + "length is 0,5, which", "conf/source/files.yaml", "data/rejected/collect.parquet"):
        gather(batch[:10].with_columns(rejected=reason, source=place))
    assert len(kept()) == 10


def test_a_row_that_was_mended_in_its_table_is_struck_from_the_list(
    gather: Callable[..., list[dict[str, Any]]], batch: pl.DataFrame
) -> None:
    row = pl.int_range(pl.len()) + 1
    bad = pl.format("data/t.csv#row {}", row)

    def table(broken: list[int]) -> pl.DataFrame:
        is_bad = row.is_in(broken)
        reason = pl.when(is_bad).then(pl.lit("no number"))
        return batch[:10].with_columns(
            rejected=reason, source=pl.when(is_bad).then(bad).otherwise(pl.lit("data/t.csv"))
        )

    assert [entry["source"] for entry in gather(table([2, 3]))] == ["data/t.csv#row 2", "data/t.csv#row 3"]
    assert [entry["source"] for entry in gather(table([3]))] == ["data/t.csv#row 3"]
    assert gather(table([])) == []
