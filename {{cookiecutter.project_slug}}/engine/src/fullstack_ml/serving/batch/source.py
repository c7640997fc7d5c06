"""What is to be answered, batch by batch: tables, a folder of files, or a table of a database.

Reads a path or any URL of fsspec, or a database that SQLAlchemy knows; writes nothing. The same input gives the same
batches in the same order, so that a run that was killed goes on behind the batches that it has.
"""

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from fullstack_ml.data.collect.sources import files, sql
from fullstack_ml.data.collect.sources.reading import Reading, ending_of, is_table, read_table_file
from fullstack_ml.data.collect.sources.rows import as_records, numeric_columns
from fullstack_ml.data.collect.sources.tables import listed
from fullstack_ml.inputs import input_of
from fullstack_ml.product.types import Product
from fullstack_ml.serving.batch.batches import (
    NUMBER,
    SOURCE,
    WHERE,
    Records,
    Source,
    mark_of,
    payload_and_place,
)
from fullstack_ml.serving.batch.database import open_database
from fullstack_ml.workspace.errors import UserError


def bare(product: Product) -> Product:
    """Return the contract without the columns that only training asks for: time, key, and those of slices."""
    data = product.data.model_copy(update={"row_key": None, "time": None, "columns": []})
    return product.model_copy(update={"data": data})


def open_source(path: str, product: Product, query: str = "") -> Source:
    """Open what is at ``path``, or what a ``query`` gives of a database; ``query`` may be a table's name.

    Raises:
        UserError: if it is not there, has the wrong form for the input, or lacks a column.
    """
    product = bare(product)
    if sql.is_database(path):
        return open_database(path, query, product)
    endings, columns = input_of(product).FILES, input_of(product).columns(product)
    system, place = files.open_path(path, {}, WHERE, pattern=True)
    written = pl.String() in columns.values()
    single = system.isfile(place) and place.lower().endswith(endings) if endings else False
    if endings and (single or not written or files.holds_files(system, place, endings)):
        return _folder(system, place, path, product, single)
    return _tables(system, place, path, product)


def _stamp(system: Any, file: str) -> list[Any]:
    """Return what changes when a file does."""
    info = system.info(file)
    return [file, info.get("size"), info.get("mtime") or info.get("LastModified") or info.get("ETag")]


# --- files ---------------------------------------------------------------------------------------------------


def _folder(system: Any, place: str, path: str, product: Product, single: bool) -> Source:
    endings, wanted = input_of(product).FILES, input_of(product).columns(product)
    if not single and not system.isdir(place):
        what = f"path {path!r} has the wrong form for an input of type {product.formulation.input.type}"
        raise UserError(what, WHERE, f"give a folder of files, or a file that ends in {', '.join(endings)}")
    folder = str(PurePosixPath(place).parent) if single else place
    found = {place: int(system.info(place)["size"] or 0)} if single else files.files_below(system, place)
    if not any(name.lower().endswith(endings) for name in found):
        raise UserError(f"{path} holds no such file", WHERE, f"put in files that end in {', '.join(endings)}")
    total = sum(found.values()) or 1

    def read(skipped: int) -> Iterator[Records]:
        lots, done = list(files.lots(found)), 0
        for i, lot in enumerate(lots):
            done += sum(found[file] for file in lot)
            if i < skipped:
                continue
            frame = files.read_lot(system, folder, lot, endings)
            if pl.String() in wanted.values():
                frame = files.as_written(frame, *wanted)
            source = frame.select(pl.col("source").str.strip_prefix("/"))
            yield Records(frame.select(*wanted, "rejected"), source, done / total)

    return Source(mark_of([_stamp(system, file) for file in found] if single else list(found.items())), read)


# --- tables --------------------------------------------------------------------------------------------------


class Opened:
    """Opens a file again and again, and knows how far the last one was read."""

    def __init__(self, system: Any, file: str) -> None:
        """Begin closed."""
        self._system, self._file, self._last = system, file, None
        self._size = int(system.info(file)["size"] or 1)

    def __call__(self) -> Any:
        """Open the file."""
        self._last = self._system.open(self._file, "rb")
        return self._last

    @property
    def share(self) -> float:
        """Return how much of the file was read."""
        try:
            return min(1.0, self._last.tell() / self._size) if self._last else 0.0
        except ValueError:  # closed
            return 1.0


def _tables(system: Any, place: str, path: str, product: Product) -> Source:
    found = listed(system, place, path.rstrip("/"), WHERE)
    numeric, several = numeric_columns(product, None), len(found) > 1
    for address, file in found.items():  # a column that is missing is told before the first batch
        _check(_table(system, address, file, numeric)[0], address, product)
    sizes = {file: int(system.info(file)["size"] or 1) for file in found.values()}

    def read(skipped: int) -> Iterator[Records]:
        seen, count = 0, 0
        for address, file in found.items():
            reading, share = _table(system, address, file, numeric)
            for batch in _rows(reading, address, product, several):
                count += 1
                if count > skipped:
                    yield Records(*batch, (seen + share(batch[1]) * sizes[file]) / sum(sizes.values()))
            seen += sizes[file]

    return Source(mark_of([_stamp(system, file) for file in found.values()]), read)


def _table(system: Any, address: str, file: str, numeric: list[str]) -> tuple[Reading, Callable[[pl.DataFrame], float]]:
    """Open a table; return it with how much of it was read once a batch is there."""
    opened, name = Opened(system, file), address if is_table(address) else file
    reading = read_table_file(opened, name, numeric, "keep-out", WHERE)
    if ending_of(name) != ".parquet":
        return reading, lambda place: opened.share
    rows = pq.ParquetFile(opened()).metadata.num_rows or 1
    return reading, lambda place: float(place[NUMBER][-1] or 0) / rows if len(place) else 1.0


def _check(reading: Reading, address: str, product: Product) -> None:
    nothing = pl.DataFrame(schema=dict.fromkeys(reading.names, pl.String))
    as_records(nothing, product, None, None, address, WHERE)


def _rows(
    reading: Reading, address: str, product: Product, several: bool
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Yield payload and place of the rows, and with them the lines that are no rows."""
    for frame in reading.batches:
        payload, place = payload_and_place(frame, product, address)
        if several:
            place = place.insert_column(0, pl.Series(SOURCE, [address], dtype=pl.String).new_from_index(0, len(place)))
        if reading.bad:
            bad = pl.DataFrame(
                [(one.line - 1, f"line {one.line}: {one.reason}", one.text) for one in reading.bad],
                schema={NUMBER: pl.Int64, "rejected": pl.String, "record": pl.String},
                orient="row",
            )
            reading.bad.clear()
            payload = pl.concat([payload, bad.drop(NUMBER)], how="diagonal")
            also = bad.select(pl.lit(address).alias(SOURCE), NUMBER) if several else bad.select(NUMBER)
            place = pl.concat([place, also], how="diagonal")
        yield payload, place
