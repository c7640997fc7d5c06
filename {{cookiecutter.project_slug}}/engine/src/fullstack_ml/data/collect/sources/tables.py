"""Tables of a source as records: one file, all tables of a folder, or those that a pattern such as ``*.csv`` fits.

Reads what the file system holds; writes nothing, and prints a line per file on what was read and how.
"""

import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import polars as pl

from fullstack_ml.data.collect.sources.delimited import ROW
from fullstack_ml.data.collect.sources.reading import ENDINGS, Reading, is_table, read_table_file
from fullstack_ml.data.collect.sources.rows import as_records, numeric_columns
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.sentences import in_english

TOLD = 5  # files of which a line is printed


@dataclass
class Columns:
    """Columns of a table that are no features, and what to do with rows of another length."""

    label: str | None
    group: str | None
    bad_rows: str = "stop"
    split: str | None = None

    def __post_init__(self) -> None:
        """Write the names as the columns of a table are written, see ``reading.py``."""
        for name in ("label", "group", "split"):
            if given := getattr(self, name):
                setattr(self, name, unicodedata.normalize("NFC", given))


def listed(system: Any, place: str, path: str, where: str) -> dict[str, str]:
    """Return the tables at ``path`` by their addresses: itself, those in a folder, or those that fit a pattern.

    Args:
        system: the file system of fsspec.
        place: the path on that file system.
        path: the path as the user wrote it, with which every address begins.
        where: the option, for error messages.

    Raises:
        UserError: if there is none.
    """
    if system.isfile(place):
        if not is_table(place):
            raise UserError(f"path {path!r} has the wrong form: it is no table", where, f"give {shown_endings()}")
        return {path: place}
    is_folder = system.isdir(place)
    found = system.find(place) if is_folder else [file for file in system.glob(place) if system.isfile(file)]
    start, written = (place.rstrip("/"), path.rstrip("/")) if is_folder else (_fixed(place), _fixed(path))
    files = {f"{written}{file.removeprefix(start)}": file for file in sorted(found)}
    kept = {address: file for address, file in files.items() if is_table(file) and "/." not in file[len(start) :]}
    if not kept:
        what = f"path {path!r} has the wrong form: no table is there, but {len(files)} other file(s)"
        raise UserError(what, where, f"give {shown_endings()}, or a folder of such files")
    return kept


def shown_endings() -> str:
    """Name the forms of a table."""
    return f"a file that ends in {', '.join(ending for ending in ENDINGS if not ending.endswith('.gz'))}, or .csv.gz"


def _fixed(pattern: str) -> str:
    """Return the folders of a pattern that hold no wildcard."""
    fixed = []
    for part in pattern.split("/")[:-1]:
        if any(sign in part for sign in "*?["):
            break
        fixed.append(part)
    return "/".join(fixed)


def read_tables(
    system: Any, place: str, path: str, product: Product, columns: Columns, where: str
) -> Iterator[pl.DataFrame]:
    """Yield the records of every table, with its address as ``source``.

    Raises:
        UserError: if there is no table, one cannot be read, or all state one label.
    """
    labels: set[str] = set()
    rows = 0
    files = listed(system, place, path, where)
    numeric = numeric_columns(product, columns.label)
    for number, (address, file) in enumerate(files.items()):
        reading = open_table(system, address, file, numeric, columns.bad_rows, where)
        count = 0
        for batch in records(reading, address, product, columns, where):
            labels.update(batch["source_label"].drop_nulls().unique().head(2))
            count += len(batch)
            yield batch
        rows += count
        if number < TOLD:
            print(f"collect: {address}: {count} rows; {reading.said}")
    if len(files) > TOLD:
        print(f"collect: and {len(files) - TOLD} more files; {rows} rows in all")
    if columns.label and len(labels) < 2:
        held = f"one label only, {labels.pop()!r}" if labels else "no label" if rows else "no row"
        raise UserError(f"column {columns.label!r} of {path} holds {held}", where, "give records of two labels or more")


def open_table(
    system: Any, address: str, file: str, numeric: Collection[str] | None, bad_rows: str, where: str
) -> Reading:
    """Open one of the tables that ``listed`` names."""
    named = address if is_table(address) else file  # such as zip://table.csv::archive.zip
    return read_table_file(partial(system.open, file, "rb"), named, numeric, bad_rows, where)


def records(reading: Reading, address: str, product: Product, columns: Columns, where: str) -> Iterator[pl.DataFrame]:
    """Turn the rows of a table into records; a rejected one is named by its row, so that a person finds it."""
    nothing = pl.DataFrame(schema=dict.fromkeys(reading.names, pl.String))
    # Of a file without a row, too.
    as_records(nothing, product, columns.label, columns.group, address, where, columns.split)
    for frame in reading.batches:
        batch = as_records(frame, product, columns.label, columns.group, address, where, columns.split)
        batch = batch.with_columns(frame[ROW].cast(pl.Int64).alias("source_row"))
        if "rejected" in batch.columns:
            named = pl.format("{}#row {}", pl.lit(address), frame[ROW])
            good = pl.col("rejected").is_null()
            yield batch.with_columns(source=pl.when(good).then(pl.lit(address)).otherwise(named))
        else:
            yield batch.with_columns(source=pl.lit(address))
        yield from kept_out(reading, address)
    yield from kept_out(reading, address)


def kept_out(reading: Reading, address: str) -> Iterator[pl.DataFrame]:
    """Yield the rows that were kept out since the last time, as rejected."""
    if reading.bad:
        rows = [(f"{address}#line {bad.line}", in_english(bad.reason), bad.text) for bad in reading.bad]
        reading.bad.clear()
        names = ["source", "rejected", "record"]
        frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
        yield frame.with_columns(source_label=pl.lit(None, pl.String))
