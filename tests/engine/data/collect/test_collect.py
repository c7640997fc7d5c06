"""Stage collect: nothing twice, nothing lost, every shard in the manifest."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullstack_ml.data.collect import __main__ as collect

Refused = Callable[..., AbstractContextManager[None]]
RAW = Path("data/raw")


@pytest.fixture
def gather(project: Path, config: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pl.DataFrame]:
    """Return a run of the stage on the given batches, in shards of so many rows; it returns all that is stored."""

    def run(*batches: pl.DataFrame, rows: int = 1000) -> pl.DataFrame:
        config.collect.shard_rows = rows
        monkeypatch.setattr(collect, "open_source", lambda *_: iter(batches))
        collect.run(config)
        return stored()

    return run


def stored() -> pl.DataFrame:
    """Read every shard."""
    return pl.concat([pl.read_parquet(path) for path in sorted(RAW.glob("*.parquet"))])


def manifest() -> list[dict[str, Any]]:
    """Read the shards that the manifest names."""
    shards: list[dict[str, Any]] = json.loads((RAW / "manifest.json").read_text(encoding="utf-8"))["shards"]
    return shards


def listed() -> list[tuple[str, int]]:
    """Return name, without the digest of the content, and rows of the shards in the manifest."""
    return [(entry["shard"].rpartition("-")[0], entry["rows"]) for entry in manifest()]


def test_every_record_is_stored_once_with_what_its_source_says(
    gather: Callable[..., pl.DataFrame], batch: pl.DataFrame
) -> None:
    found = gather(batch[:20])
    assert found["id"].n_unique() == 20
    assert found.select(batch.columns).equals(batch[:20])
    assert found["collected_at"].null_count() == 0


def test_an_id_is_64_hexadecimal_digits_that_follow_from_the_content(
    gather: Callable[..., pl.DataFrame], batch: pl.DataFrame
) -> None:
    found = gather(batch[:20].with_columns(kind=pl.lit("other"), source=pl.lit("elsewhere")))
    assert found["id"].str.contains("^[0-9a-f]{64}$").all()
    assert found["id"].to_list() == gather(batch[:20])["id"].to_list()


def test_a_second_run_adds_nothing(gather: Callable[..., pl.DataFrame], batch: pl.DataFrame) -> None:
    gather(batch[:20])
    before = {path: path.read_bytes() for path in RAW.iterdir()}
    gather(batch[:20])
    assert {path: path.read_bytes() for path in RAW.iterdir()} == before


def test_a_later_run_adds_only_what_is_new(gather: Callable[..., pl.DataFrame], batch: pl.DataFrame) -> None:
    first = gather(batch[:20])
    both = gather(batch[10:30])
    assert both[:20].equals(first)
    assert both.select(batch.columns)[20:].equals(batch[20:30])
    assert listed() == [("shard-00000", 20), ("shard-00001", 10)]


@pytest.mark.task("image-classification")  # equal rows of a table are all kept: test_table_rows.py
def test_duplicates_are_removed_within_and_between_batches(
    gather: Callable[..., pl.DataFrame], batch: pl.DataFrame
) -> None:
    found = gather(pl.concat([batch[:5], batch[:5]]), batch[3:8])
    assert found.select(batch.columns).equals(batch[:8])


@pytest.mark.task("image-classification")
def test_what_came_again_is_counted(
    gather: Callable[..., pl.DataFrame], batch: pl.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    other_label = batch[:1].with_columns(source_label=pl.lit("other"))  # rejected, which is counted elsewhere
    gather(batch[:5], batch[2:5], pl.concat([batch[4:8], batch[6:8]]), other_label)
    said = capsys.readouterr().out
    assert "8 records in data/raw; 15 read: 8 new, 6 known, 1 rejected" in said


def test_shards_have_the_configured_size_and_name_themselves(
    gather: Callable[..., pl.DataFrame], batch: pl.DataFrame
) -> None:
    found = gather(batch[:3], batch[3:15], batch[15:20], rows=7)
    assert listed() == [("shard-00000", 7), ("shard-00001", 7), ("shard-00002", 6)]
    assert found["shard"].value_counts(sort=True)["count"].to_list() == [7, 7, 6]


def test_the_manifest_names_the_bytes_and_the_origin_of_every_shard(
    gather: Callable[..., pl.DataFrame], batch: pl.DataFrame
) -> None:
    gather(batch[:20], rows=10)
    for entry in manifest():
        content = (RAW / f"{entry['shard']}.parquet").read_bytes()
        assert (entry["bytes"], entry["sha256"]) == (len(content), sha256(content).hexdigest())
        assert entry["licences"] == batch["licence"].unique().to_list()


@pytest.mark.parametrize(
    ("sources", "named"),
    [
        (["data/inbox/cases.csv"] * 3, ["data/inbox/cases.csv"]),
        ([f"data/inbox/scans/{n % 2}/{n}.png" for n in range(100)], ["data/inbox/scans"]),
        (
            [f"https://host-{n:02}/a/b.png" for n in range(30)],
            [f"https://host-{n:02}" for n in range(20)] + ["and 10 more"],
        ),
    ],
    ids=["a-table", "a-folder-of-images", "many-hosts"],
)
def test_the_manifest_names_few_origins(
    sources: list[str], named: list[str], gather: Callable[..., pl.DataFrame], batch: pl.DataFrame
) -> None:
    gather(batch[: len(sources)].with_columns(source=pl.Series(sources)))
    assert [entry["sources"] for entry in manifest()] == [named]


def test_what_was_collected_before_the_source_failed_is_kept_and_not_read_twice(
    gather: Callable[..., pl.DataFrame], batch: pl.DataFrame, config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing() -> Iterator[pl.DataFrame]:
        yield batch[:12]
        raise ConnectionError

    monkeypatch.setattr(collect, "open_source", lambda *_: failing())
    config.collect.shard_rows = 5
    with pytest.raises(ConnectionError):
        collect.run(config)
    assert not RAW.exists()  # until the run has ended, nobody sees a part of it
    found = gather(batch[:20], rows=5)
    assert found.select(batch.columns).equals(batch[:20])


def test_a_shard_that_no_manifest_knows_is_written_again(
    gather: Callable[..., pl.DataFrame], batch: pl.DataFrame
) -> None:
    gather(batch[:10], rows=5)
    (RAW / "manifest.json").write_text(json.dumps({"shards": manifest()[:1]}), encoding="utf-8")
    Path("data/raw.lock").unlink()  # nothing says that another one should lie here
    found = gather(batch[:10], rows=5)
    assert found.select(batch.columns).equals(batch[:10])


def test_records_without_a_licence_are_left_to_validate(
    gather: Callable[..., pl.DataFrame], batch: pl.DataFrame
) -> None:
    mixed = batch[:4].with_columns(licence=pl.Series([None, "internal", None, "internal"], dtype=pl.String))
    assert gather(mixed)["licence"].to_list() == [None, "internal", None, "internal"]


def test_a_source_without_a_record_is_a_mistake(gather: Callable[..., pl.DataFrame], refused: Refused) -> None:
    with refused("gave no record", "conf/source/files.yaml"):
        gather()


def test_an_unknown_source_is_refused_with_the_nearest(product: Any, refused: Refused) -> None:
    with refused("no sources module 'filse'", "conf/source", "'files'"):
        collect.open_source("filse", {}, product)


def test_a_misspelled_option_is_refused_with_the_nearest(
    source_options: dict[str, Any], product: Any, refused: Refused
) -> None:
    with refused("no option 'pth'", "conf/source/files.yaml", "'path'"):
        collect.open_source("files", {**source_options, "pth": "x"}, product)


def test_a_label_that_comes_later_is_history_and_no_error(
    gather: Callable[..., pl.DataFrame], batch: pl.DataFrame
) -> None:
    unlabelled = batch[:200].with_columns(source_label=pl.lit(None, pl.String))
    assert gather(unlabelled, rows=50)["source_label"].null_count() == 200
    stored_now = gather(batch[:200], rows=50)
    assert len(stored_now) == 200
    wanted = dict(zip(unlabelled["source"], batch[:200]["source_label"], strict=True))
    assert dict(zip(stored_now["source"], stored_now["source_label"], strict=True)) == wanted
    assert not Path("data/rejected/collect.parquet").exists()
    again = gather(unlabelled)
    assert again["source_label"].null_count() == 0, "a source that states no label takes none away"
    assert not Path("data/rejected/collect.parquet").exists(), "and contradicts none"


@pytest.mark.task("image-classification")
def test_two_late_labels_of_one_record_are_still_a_contradiction(
    gather: Callable[..., pl.DataFrame], batch: pl.DataFrame
) -> None:
    one = batch[:1]
    gather(one.with_columns(source_label=pl.lit(None, pl.String)))
    stored_now = gather(one.with_columns(source_label=pl.lit("first")), one.with_columns(source_label=pl.lit("second")))
    assert stored_now["source_label"].to_list() == ["first"]
    rejected = pl.read_parquet("data/rejected/collect.parquet")
    assert rejected["reason"].to_list() == ["known content under another group or label"]
