"""What FROM names: a table, a folder of pictures, or a database; its rows come in batches.

Reads what FROM names; writes nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import splitext
from typing import Any

import fsspec
import polars as pl

from fullstack_ml.data.collect.sources.reading import is_table
from fullstack_ml.data.collect.sources.sql import address_of, fetched, reason
from fullstack_ml.data.collect.sources.tables import listed, open_table
from fullstack_ml.inputs.pictures import FILES
from fullstack_ml.pages.words import told, words
from fullstack_ml.workspace.errors import UserError, suggest

WHERE = "FROM"
BATCH = 50_000


def opened(place: str) -> tuple[Any, str]:
    """Return the file system and the path of FROM.

    Raises:
        UserError: if nothing is there.
    """
    try:
        system, path = fsspec.core.url_to_fs(place)
        there = system.exists(path) or bool(system.glob(path))
    except (OSError, ValueError, ImportError) as error:
        raise UserError(f"{place!r} cannot be opened: {error}", WHERE, "check the path and the access") from error
    if not there:
        raise UserError(f"{place!r} does not exist", WHERE, "give a file, a folder or the URL of a database")
    return system, path


@dataclass
class Tables:
    """The rows of all tables of a place in ``batches``; ``notes`` and ``bad`` are whole when these have been read."""

    batches: Iterator[pl.DataFrame]
    notes: list[str]
    bad: list[str]


def tables(system: Any, path: str, place: str) -> Tables:
    """Return the rows of a table, or of all that a folder or a pattern holds, and what was found of their form.

    Raises:
        UserError: if it is no table, or two tables have different columns.
    """
    files = listed(system, path, place, WHERE)
    found = Tables(iter(()), [words("%(tables)s tables", tables=len(files))] if len(files) > 1 else [], [])

    def read() -> Iterator[pl.DataFrame]:
        names: list[str] = []
        for address, file in files.items():
            reading = open_table(system, address, file, None, "keep-out", WHERE)
            if names and set(reading.names) != set(names):
                odd = ", ".join(sorted(set(reading.names) ^ set(names)))
                raise UserError(f"{address} has other columns than the first table: {odd}", WHERE, "give one of them")
            names = names or reading.names
            found.notes += [note for note in map(told, reading.notes) if note not in found.notes]
            for batch in reading.batches:
                yield batch.select(names)
            text = "%(file)s, line %(line)s: %(reason)s"
            found.bad += [words(text, file=address, line=row.line, reason=told(row.reason)) for row in reading.bad]

    found.batches = read()
    return found


def holds_pictures(system: Any, path: str) -> bool:
    """Say whether a folder holds more pictures than tables; a text beside a picture of its name is none."""
    files = system.find(path) if system.isdir(path) else []
    pictures = sum(file.lower().endswith(FILES) for file in files)
    others = {splitext(file)[0] for file in files if not is_table(file)}
    tables = sum(is_table(file) and splitext(file)[0] not in others for file in files)
    return pictures > tables or (bool(files) and not tables)


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

    engine = sql.create_engine(address_of(place))
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
        raise UserError(reason(error), WHERE, "mend the URL") from error


def rows_of(engine: Any, query: str) -> Iterator[pl.DataFrame]:
    """Yield the rows of a query in batches, every value as text."""
    import sqlalchemy as sql

    try:
        for names, rows in fetched(engine, sql.text(query), BATCH):
            columns = zip(names, zip(*rows, strict=True), strict=True)
            yield pl.DataFrame({name: [None if v is None else str(v) for v in values] for name, values in columns})
    except sql.exc.SQLAlchemyError as error:
        raise UserError(reason(error), "QUERY", "name a table, or mend the query") from error
