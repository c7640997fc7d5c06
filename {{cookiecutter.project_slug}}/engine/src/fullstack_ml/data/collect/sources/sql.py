"""Source ``sql``: the rows of a query on any database that SQLAlchemy knows.

Reads the database at ``options.url``; ``env:NAME`` takes the URL from the environment, where a password belongs. The
query gives the payload columns of the task by name. With a cursor column, such as a growing id or the time of a
change, the next run asks only for rows from the last value on; several rows of one value are no problem.
"""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import polars as pl

from fullstack_ml.data.collect.sources.rows import as_records
from fullstack_ml.data.collect.sources.tables import Columns
from fullstack_ml.data.collect.sources.terms import kind_of, licence_of
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError, first_line

DATABASES = ("sqlite", "postgresql", "postgres", "mysql", "mariadb", "oracle", "mssql", "duckdb")
UUID_TEXT = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
WHERE = "source.options in conf/source/sql.yaml"


def read(
    product: Product,
    url: str,
    query: str,
    licence: str | None = None,
    kind: str | None = None,
    cursor_column: str | None = None,
    label: str | None = None,
    group: str | None = None,
    split: str | None = None,
    batch_rows: int = 50_000,
    cursor: Any = None,
) -> Iterator[pl.DataFrame]:
    """Yield the rows in batches, in the order of ``cursor_column``.

    Raises:
        UserError: for an unknown database, a query that fails, or a connection that breaks off. What was read before
            is kept, and the next run goes on there.
    """
    import sqlalchemy as sql  # slow to import, and no other source needs it

    terms = {"kind": pl.lit(kind_of(product, kind)), "licence": pl.lit(licence_of(product, licence, WHERE))}
    try:
        address = address_of(url)
        statement = _statement(query, cursor_column, cursor)
        engine = sql.create_engine(address)
        for names, rows in fetched(engine, statement, batch_rows):
            batch = _records(rows, names, product, cursor_column, Columns(label, group, split=split))
            source = pl.lit(address.render_as_string()) + pl.col("source")
            yield batch.with_columns(**terms, source=source)
        engine.dispose()
    except (sql.exc.SQLAlchemyError, ImportError) as error:
        raise UserError(reason(error), WHERE, "mend it and collect again; what was read is kept") from error


def fetched(engine: Any, statement: Any, most: int) -> Iterator[tuple[list[str], Sequence[Any]]]:
    """Yield the names of a statement's columns with its next rows, at most ``most``; the database keeps the others."""
    with engine.connect().execution_options(stream_results=True, max_row_buffer=most) as connection:
        result = connection.execute(statement)
        names = list(result.keys())
        for rows in result.partitions(most):
            yield names, rows


def reason(error: Exception) -> str:
    """Return the first line of what a database says."""
    return f"the database says: {first_line(error)}"


def is_database(place: str) -> bool:
    """Say whether a place is the URL of a database, or names an environment variable that holds one."""
    return place.startswith("env:") or place.partition("://")[0].partition("+")[0] in DATABASES


def address_of(url: str, where: str = WHERE) -> Any:
    """Return the URL of the database, from the environment where it says so."""
    import sqlalchemy as sql

    name = url.removeprefix("env:")
    if name != url and name not in os.environ:
        raise UserError(f"the environment variable {name} is not set", where, f"export {name}=postgresql://…")
    try:
        address = sql.make_url(os.environ[name] if name != url else url)
    except sql.exc.ArgumentError as error:
        raise UserError(f"{url!r} is no URL of a database", where, "such as sqlite:///folder/file.db") from error
    if address.password and name == url:
        fix = "put the whole URL into an environment variable and write url: env:NAME"
        raise UserError("the URL of the database holds a password, and git keeps conf/", where, fix)
    file = address.database
    if address.get_backend_name() == "sqlite" and file and file != ":memory:" and not Path(file).exists():
        raise UserError(f"the database {file} is not there", where, "give the path of a database file")
    return address


def _statement(query: str, cursor_column: str | None, cursor: Any) -> Any:
    """Return the query, in the order of the cursor and from where the last run stopped."""
    import sqlalchemy as sql

    statement: Any = sql.text(query)
    if not cursor_column:
        return statement
    column: Any = sql.column(cursor_column)
    ordered = sql.select(sql.text("*")).select_from(statement.columns(column).subquery("wanted")).order_by(column)
    return ordered if cursor is None else ordered.where(column >= _literal(cursor))


def _literal(cursor: Any) -> Any:
    """Return a cursor as the database compares it: a UUID is kept as text, and is no text there."""
    import sqlalchemy as sql

    # Unlike a parameter, a constant of the statement has no type yet, so that text and uuid both take it.
    is_uuid = isinstance(cursor, str) and re.fullmatch(UUID_TEXT, cursor)
    return sql.literal_column(f"'{cursor}'") if is_uuid else sql.literal(cursor)


def _series(name: str, values: list[Any]) -> pl.Series:
    """Take a column in; polars has no type for a UUID, whose text PostgreSQL compares as one."""
    texts = [str(value) if isinstance(value, UUID) else value for value in values]
    return pl.Series(name, texts, strict=False)


def as_frame(names: list[str], rows: Sequence[Any]) -> pl.DataFrame:
    """Return rows as a frame."""
    # Column by column: a database without strict types may give a text among numbers, which is for as_records to see.
    columns = zip(names, zip(*rows, strict=True), strict=True)
    return pl.DataFrame([_series(name, list(values)) for name, values in columns])


def _records(
    rows: Sequence[Any], names: list[str], product: Product, cursor: str | None, chosen: Columns
) -> pl.DataFrame:
    """Turn rows into records; a row is told from the others by its cursor."""
    frame = as_frame(names, rows)
    batch = as_records(frame, product, chosen.label, chosen.group, "the query", WHERE, chosen.split)
    key = product.data.row_key or cursor
    if key in names and frame.schema[key].is_integer():
        batch = batch.with_columns(source_row=frame[key].cast(pl.Int64))
    if cursor is None:
        return batch.with_columns(source=pl.lit(""))
    if cursor not in names:
        raise UserError(f"the query gives no column {cursor!r}", WHERE, f"it gives {', '.join(names)}")
    at = frame[cursor]
    batch = batch.with_columns(cursor=at)
    if at.null_count():
        reason = pl.when(at.is_null()).then(pl.lit(f"{cursor} is missing, so no later run would find the row"))
        earlier = [pl.col("rejected")] if "rejected" in batch.columns else []
        batch = batch.with_columns(rejected=pl.coalesce(*earlier, reason))
    if "rejected" not in batch.columns:
        return batch.with_columns(source=pl.lit(""))
    number = pl.format("#{} {}", pl.lit(cursor), at.cast(pl.String).fill_null("missing"))
    return batch.with_columns(source=pl.when(pl.col("rejected").is_null()).then(pl.lit("")).otherwise(number))
