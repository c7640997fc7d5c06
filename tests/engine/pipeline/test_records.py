"""Record tables: written whole, read in pieces, cut into slices."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from fullstack_ml.pipeline import tables as records
from fullstack_ml.product import types as product

Refused = Callable[..., AbstractContextManager[None]]


def frames(*sizes: int) -> list[pl.DataFrame]:
    """Make frames of consecutive numbers."""
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return [pl.DataFrame({"n": range(a, a + size)}) for a, size in zip(starts, sizes, strict=True)]


def test_what_was_written_comes_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a" / "x.parquet"
    assert records.write_parquet(path, frames(3, 5, 2)) == 10
    assert pl.read_parquet(path)["n"].to_list() == list(range(10))
    assert pq.ParquetFile(path).num_row_groups == 3


@pytest.mark.parametrize("rows", [1, 4, 10, 99])
def test_a_file_is_read_so_many_rows_at_a_time(rows: int, tmp_path: Path) -> None:
    records.write_parquet(tmp_path / "x.parquet", frames(6, 4))
    read = list(records.read_batches(tmp_path / "x.parquet", rows))
    assert max(map(len, read)) <= rows
    assert pl.concat(read)["n"].to_list() == list(range(10))


@pytest.mark.parametrize("kept", [0, 100, -40], ids=["empty", "start", "without-its-end"])
def test_a_damaged_file_is_named_with_what_brings_it_back(kept: int, tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "x.parquet"
    records.write_parquet(path, frames(1000))
    path.write_bytes(path.read_bytes()[:kept])
    with refused("x.parquet is damaged", str(path), f"dvc checkout --force {path}"):
        list(records.read_batches(path, 10))


def test_no_record_is_a_mistake_and_leaves_no_file(tmp_path: Path, refused: Refused) -> None:
    with refused("would hold no record", "x.parquet"):
        records.write_parquet(tmp_path / "x.parquet", [])
    assert [*tmp_path.iterdir()] == []


def test_a_failure_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    records.write_parquet(path, frames(4))

    def broken() -> Iterator[pl.DataFrame]:
        yield pl.DataFrame({"n": [7]})
        raise RuntimeError

    with pytest.raises(RuntimeError):
        records.write_parquet(path, broken())
    assert pl.read_parquet(path)["n"].to_list() == [0, 1, 2, 3]
    assert [*tmp_path.iterdir()] == [path]


def test_shards_are_listed_in_order_and_unfinished_ones_are_not(tmp_path: Path) -> None:
    for name in ("shard-00002.parquet", "shard-00001.parquet", ".shard-00003.parquet.7.tmp", ".x.parquet", "note.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in records.shards(tmp_path)] == ["shard-00001.parquet", "shard-00002.parquet"]


@pytest.mark.parametrize("name", ["../secret", "/etc/secret", "a/b", "..", ""])
def test_a_manifest_names_only_files_beside_it(name: str, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"shards": [{"shard": name}]}))
    with refused("the manifest names a shard", "manifest.json", "dvc checkout"):
        records.shards(tmp_path)


def test_a_folder_that_is_not_there_has_no_shards(tmp_path: Path) -> None:
    assert records.shards(tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    ("bounds", "inside"),
    [
        ({"at_least": 2.0}, ["b", "c"]),
        ({"below": 2.0}, ["a"]),
        ({"at_least": 1.0, "below": 3.0}, ["a", "b"]),
        ({"at_least": 9.0}, []),
    ],
    ids=["from", "to", "between", "none"],
)
def test_a_slice_holds_its_lower_bound_and_not_its_upper(bounds: dict[str, Any], inside: list[str]) -> None:
    part = product.Slice(id="s", column="value", reason="because", **bounds)
    frame = pl.DataFrame({"id": ["a", "b", "c", "unknown"], "value": [1.0, 2.0, 3.0, None]})
    assert frame.filter(records.slice_mask(part))["id"].to_list() == inside


def test_a_slice_of_one_word_holds_the_records_with_it() -> None:
    part = product.Slice(id="s", column="kind", reason="because", equals="scan")
    frame = pl.DataFrame({"id": ["a", "b", "c"], "kind": ["scan", "photo", None]})
    assert frame.filter(records.slice_mask(part))["id"].to_list() == ["a"]


def test_neighbouring_slices_share_no_record() -> None:
    low = product.Slice(id="low", column="v", reason="r", below=0.5)
    high = product.Slice(id="high", column="v", reason="r", at_least=0.5)
    frame = pl.DataFrame({"v": [0.0, 0.5, 1.0, None]})
    masks = frame.select(low=records.slice_mask(low), high=records.slice_mask(high))
    assert masks["low"].to_list() == [True, False, False, False]
    assert masks["high"].to_list() == [False, True, True, False]
