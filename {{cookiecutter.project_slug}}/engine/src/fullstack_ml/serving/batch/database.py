"""A table of a database, or what a query gives of it, batch by batch.

Reads a database that SQLAlchemy knows; writes nothing.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import polars as pl

from fullstack_ml.data.collect.sources import sql
from fullstack_ml.data.collect.sources.delimited import ROW
from fullstack_ml.product.types import Product
from fullstack_ml.serving.batch.batches import WHERE, Records, Source, mark_of, payload_and_place
from fullstack_ml.workspace.errors import UserError, suggest

SQL_ROWS = 50_000


def open_database(url: str, query: str, product: Product) -> Source:
    """Read a table in the order of its primary key; what a query gives has no order to rely on."""
    import sqlalchemy as sa

    address = sql.address_of(url, WHERE)
    engine = sa.create_engine(address)
    try:
        statement, steady = _statement(engine, query)
        counted = sa.select(sa.func.count()).select_from(statement.subquery("counted"))
        with engine.connect() as connection:
            total = connection.execute(counted).scalar() or 1
    except (sa.exc.SQLAlchemyError, ImportError) as error:
        raise UserError(sql.reason(error), WHERE, "mend INPUT or QUERY") from error

    def read(skipped: int) -> Iterator[Records]:
        done = skipped * SQL_ROWS
        try:
            for names, rows in islice(sql.fetched(engine, statement, SQL_ROWS), skipped, None):
                frame = sql.as_frame(names, rows).with_columns(
                    pl.int_range(done + 1, done + 1 + len(rows), dtype=pl.Int64).alias(ROW)
                )
                done += len(rows)
                yield Records(*payload_and_place(frame, product, "the query"), min(1.0, done / total))
        except sa.exc.SQLAlchemyError as error:
            raise UserError(sql.reason(error), WHERE, "the same command goes on where this one stopped") from error

    return Source(mark_of(address.render_as_string(), query, total), read, steady)


def _statement(engine: Any, query: str) -> tuple[Any, bool]:
    """Return what is read, and whether it comes in the same order every time."""
    import sqlalchemy as sa

    inspector = sa.inspect(engine)
    names = [*inspector.get_table_names(), *inspector.get_view_names()]
    if not query and len(names) != 1:
        what = f"the database has {len(names)} tables"
        raise UserError(what, "QUERY", f"add QUERY=<table or query>: {suggest('', names)}")
    query = query or names[0]
    if query not in names:
        return sa.text(query.rstrip("; \n")).columns(), False
    table = sa.Table(query, sa.MetaData(), autoload_with=engine)
    keys = list(table.primary_key.columns)
    return sa.select(table).order_by(*keys), bool(keys)
