"""What FROM names: a table, a folder of pictures, or a database; its rows come in batches.

Reads what FROM names; writes nothing.
"""

import re
from collections.abc import Iterator
from typing import Any

import fsspec
import polars as pl

from fullstack_ml.data.collect.sources.delimited import ROW
from fullstack_ml.data.collect.sources.reading import read_table_file
from fullstack_ml.data.collect.sources.sql import _address
from fullstack_ml.workspace.errors import UserError, suggest

DATABASES = ("sqlite", "postgresql", "postgres", "mysql", "mariadb", "oracle", "mssql", "duckdb")
WHERE = "FROM"
BATCH = 50_000


def is_database(place: str) -> bool:
    """Say whether FROM is the URL of a database, or names an environment variable that holds one."""
    return place.startswith("env:") or place.partition("://")[0].partition("+")[0] in DATABASES


def opened(place: str) -> tuple[Any, str]:
    """Return the file system and the path of FROM.

    Raises:
        UserError: if nothing is there.
    """
    try:
        system, path = fsspec.core.url_to_fs(place)
        there = system.exists(path)
    except (OSError, ValueError, ImportError) as error:
        raise UserError(f"{place!r} cannot be opened: {error}", WHERE, "check the path and the access") from error
    if not there:
        raise UserError(f"{place!r} does not exist", WHERE, "give a file, a folder or the URL of a database")
    return system, path


def table(system: Any, path: str, place: str) -> tuple[Iterator[pl.DataFrame], list[str]]:
    """Return the rows of a file in batches, and what was found of its form.

    Raises:
        UserError: if it is no table.
    """
    reading = read_table_file(lambda: system.open(path, "rb"), path, where=WHERE, bad_rows="keep-out")
    return (batch.drop(ROW) for batch in reading.batches), ["read as: " + ", ".join(reading.notes)]


def statement(query: str, engine: Any) -> str:
    """Return a query: what was typed, or all columns of the table that it names."""
    if re.match(r"\s*(select|with)\s", query, re.IGNORECASE):
        return query
    return f"SELECT * FROM {engine.dialect.identifier_preparer.quote(query.strip())}"  # noqa: S608 - it is quoted


def database(place: str, query: str | None) -> tuple[Iterator[pl.DataFrame], str]:
    """Return the batches of a query and the query itself; without one, of the only table.

    Raises:
        UserError: if the database does not answer, or has several tables and none is named.
    """
    import sqlalchemy as sql

    engine = sql.create_engine(_address(place))
    try:
        if query is None:
            tables = sql.inspect(engine).get_table_names()
            if len(tables) != 1:
                what = f"the database has {len(tables)} tables"
                raise UserError(what, "QUERY", f"add QUERY=<table or query>: {suggest('', tables)}")
            query = tables[0]
        query = statement(query, engine)
        return rows_of(engine, query), query
    except sql.exc.SQLAlchemyError as error:
        raise UserError(f"the database says: {getattr(error, 'orig', None) or error}", WHERE, "mend the URL") from error


def rows_of(engine: Any, query: str) -> Iterator[pl.DataFrame]:
    """Yield the rows of a query in batches, every value as text."""
    import sqlalchemy as sql

    try:
        with engine.connect().execution_options(stream_results=True, max_row_buffer=BATCH) as connection:
            result = connection.execute(sql.text(query))
            names = list(result.keys())
            for rows in result.partitions(BATCH):
                columns = zip(names, zip(*rows, strict=True), strict=True)
                yield pl.DataFrame({name: [None if v is None else str(v) for v in values] for name, values in columns})
    except sql.exc.SQLAlchemyError as error:
        text = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise UserError(f"the database says: {text}", "QUERY", "name a table, or mend the query") from error
