"""Read a table file as it is: CSV in any common form, Excel, Parquet or lines of JSON, batch by batch.

Reads a path, an address of fsspec, or bytes; writes nothing. All but Parquet gives text, in which an empty cell is
missing and nothing else is: ``01``, ``None`` and ``NaN`` may be labels. In columns of numbers a decimal comma becomes
a point, and words for a missing number become none.
"""

import csv
import gzip
import io
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import PurePosixPath
from typing import Any

import fsspec
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileOpener

from fullstack_ml.data.collect.sources import cells, delimited, dialect, numbers
from fullstack_ml.data.collect.sources.delimited import ROW, BadRow
from fullstack_ml.workspace.errors import UserError, first_line
from fullstack_ml.workspace.sentences import in_english, sentence

ROWS = 100_000
FORMS = {
    ".csv": "a CSV file: text in rows of cells",
    ".tsv": "a CSV file: text in rows of cells",
    ".txt": "a CSV file: text in rows of cells",
    ".parquet": "a Parquet file",
    ".xlsx": "an Excel file (.xlsx)",
    ".jsonl": "a file with one JSON object per line",
    ".ndjson": "a file with one JSON object per line",
}
ENDINGS = (*FORMS, *(f"{ending}.gz" for ending in FORMS if ending not in (".parquet", ".xlsx")))


@dataclass
class Reading:
    """A table: its column ``names``, its ``batches`` (to be read once), and ``notes``, sentences on what was found.

    A batch has the column ``ROW`` beside those of the file. ``bad`` fills with rows that are kept out. ``separator`` is
    the sign between cells, where there is one.
    """

    names: list[str]
    batches: Iterator[pl.DataFrame]
    notes: list[Any]
    bad: list[BadRow] = field(default_factory=list)
    separator: str = ""

    @property
    def said(self) -> str:
        """Tell the notes in English."""
        return "; ".join(map(in_english, self.notes))

    @property
    def frame(self) -> pl.DataFrame:
        """Read all that is left as one frame, without the numbers of rows."""
        found = list(self.batches) or [pl.DataFrame(schema=dict.fromkeys([ROW, *self.names], pl.String))]
        return pl.concat(found, how="vertical_relaxed").drop(ROW)


def is_table(name: str) -> bool:
    """Say whether a file name ends as a table's does."""
    return name.lower().endswith(ENDINGS)


def ending_of(name: str) -> str:
    """Return the ending that tells the form, without ``.gz``."""
    return PurePosixPath(name.lower().removesuffix(".gz")).suffix


def read_table_file(
    file: Any,
    name: str | None = None,
    numeric: Collection[str] | None = None,
    bad_rows: str = "stop",
    where: str = "source.options in conf/source/",
) -> Reading:
    """Open a table.

    Args:
        file: a path, an address of fsspec, bytes, or a function that opens the bytes anew.
        name: the file's name, whose ending tells the form; by default the path.
        numeric: columns that hold numbers by the contract; by default those of which most cells are numbers.
        bad_rows: ``stop`` at a row of another length than the header, or ``keep-out``.
        where: the option that names the file, for error messages.

    Raises:
        UserError: if it is no such file, has two columns of one name, or (while it is read) has a bad row.
    """
    name = str(file) if name is None else name
    if bad_rows not in ("stop", "keep-out"):
        raise UserError(f"bad_rows is {bad_rows!r}", where, "write stop or keep-out")
    ending = ending_of(name)
    if ending not in FORMS:
        raise UserError(f"{name} is no table", where, f"give a file that ends in {', '.join(FORMS)} (also .gz)")
    try:
        bad: list[BadRow] = []
        reading = READERS.get(ending, _delimited)(_opener(file, name), name, where, bad, bad_rows == "keep-out")
        reading.bad = bad
        first = next(reading.batches, None)
    except UNREADABLE as error:
        raise _unreadable(name, error, where, ending) from error
    reading.batches = _finished(reading, first, numeric, name, where, ending)
    return reading


CUT = (EOFError, zlib.error, zipfile.BadZipFile)
UNREADABLE = (pa.ArrowException, UnicodeDecodeError, OSError, csv.Error, ValueError, KeyError, *CUT)
NUMBER = re.compile(r"[-+]?\d+[.,]\d+")  # as no column is called
# What libraries say, in other words, and what to do about it.
LONG = f"a row is longer than {delimited.BLOCK // 2**20} MiB, or a quote is never closed"
SAID = {
    "straddling object": (LONG, "close the quote, or shorten the row"),
    "zero bytes": ("", "give a CSV file: text in UTF-8, without zero bytes"),
}


def _unreadable(name: str, error: Exception, where: str, ending: str) -> UserError:
    """Say that the bytes are not what the ending says."""
    reason = first_line(error)
    told, fix = next((found for said, found in SAID.items() if said in reason), ("", f"give {FORMS[ending]}"))
    return UserError(f"{name} is unreadable: {told or reason}", where, fix)


def _finished(
    reading: Reading, first: pl.DataFrame | None, numeric: Collection[str] | None, name: str, where: str, ending: str
) -> Iterator[pl.DataFrame]:
    """Return the batches with their numbers written in one way; note which way was found."""
    if first is None:
        return iter(())
    writing = numbers.writing_of(first.head(dialect.ROWS), numeric, reading.separator == ",")
    reading.notes += writing.notes
    rest = reading.batches

    def read() -> Iterator[pl.DataFrame]:
        try:
            for batch in chain([first], rest):
                # As people type it: macOS writes letters and their marks apart.
                yield numbers.normalised(batch, writing).with_columns(pl.col(pl.String).str.normalize("NFC"))
        except UNREADABLE as error:
            raise _unreadable(name, error, where, ending) from error

    return read()


def unique(names: list[str], place: str, where: str) -> list[str]:
    """Trim the names of columns; one without a name is called by its place.

    Raises:
        UserError: if two have one name.
    """
    names = [unicodedata.normalize("NFC", name.strip().removeprefix("\ufeff")) for name in names]
    trimmed = [name or f"column {i}" for i, name in enumerate(names, 1)]
    twice = sorted({name for name in trimmed if trimmed.count(name) > 1})
    if twice:
        what = f"{place} has a column twice: {', '.join(map(repr, twice))}"
        raise UserError(what, where, "give every column its own name")
    return trimmed


def _opener(file: Any, name: str) -> Callable[[], Any]:
    """Return a function that opens the bytes, unpacked where they are packed."""

    def opened() -> Any:
        if isinstance(file, bytes):
            raw: Any = io.BytesIO(file)
        else:
            raw = file() if callable(file) else fsspec.open(str(file), "rb").open()
        return gzip.GzipFile(fileobj=raw) if name.lower().endswith(".gz") else raw

    return opened


def _delimited(opened: Any, name: str, where: str, bad: list[BadRow], keep_out: bool) -> Reading:
    with opened() as file:
        encoding = dialect.encoding_of(file)
    form = dialect.form_of(opened, encoding)
    check_header(form, name, where)
    form.names = unique(form.names, name, where)
    rows = delimited.batches(opened, form, bad, name, where, keep_out)
    separator = form.separator if len(form.names) > 1 else ""
    sign = sentence(dialect.SEPARATORS.get(separator, repr(separator).replace("%", "%%")))
    said = [sentence("separated by %(sign)ss" if separator else "one column", sign=sign)]
    said += [] if encoding == "utf-8" else [sentence("encoding %(name)s", name=encoding.removesuffix("-sig"))]
    if any(map(NUMBER.fullmatch, form.names)):
        said.append(sentence("its first row is taken for the header: %(cells)s", cells=", ".join(form.names[:3])))
    return Reading(form.names, rows, said, separator=separator)


def check_header(form: dialect.Form, name: str, where: str) -> None:
    """Raise where what would be the header has another number of cells than the rows below it."""
    if form.other:
        line, cells = form.skip + 1, len(form.names)
        what = f"{name}: line {line}, the header, has {cells} cell{'s' * (cells > 1)}, the rows below have {form.other}"
        fix = "take out what stands above the header; with decimal commas, separate the cells by semicolons"
        raise UserError(what, where, fix)


def _parquet(opened: Any, name: str, where: str, bad: list[BadRow], keep_out: bool) -> Reading:
    source = opened()
    if isinstance(source, LocalFileOpener):  # through Python, every byte would be copied once more
        source.close()
        source = pa.OSFile(source.path)
    file = pq.ParquetFile(source, pre_buffer=False)  # a buffer would keep all that was read
    names = unique(file.schema_arrow.names, name, where)

    def rows() -> Iterator[pl.DataFrame]:
        last = 0
        with file:
            for batch in file.iter_batches(ROWS):
                frame = pl.from_arrow(batch.rename_columns(names))
                assert isinstance(frame, pl.DataFrame)
                yield frame.with_columns(pl.int_range(last + 1, last + 1 + len(frame), dtype=pl.Int64).alias(ROW))
                last += len(frame)

    return Reading(names, rows(), ["Parquet"])


def _excel(opened: Any, name: str, where: str, bad: list[BadRow], keep_out: bool) -> Reading:
    header, rows, said = cells.sheet(opened())
    names = unique(header, name, where)
    return Reading(names, cells.as_batches(rows, names), [said])


def _json(opened: Any, name: str, where: str, bad: list[BadRow], keep_out: bool) -> Reading:
    rows = cells.json_rows(opened(), bad, name, where, keep_out)
    start = list(islice(rows, cells.ROWS))
    names = list(dict.fromkeys(key for _, row in start for key in row))
    every = ((number, [row.get(key) for key in names]) for number, row in chain(start, rows))
    return Reading(names, cells.as_batches(every, names), [sentence("one JSON object per line")])


READERS: dict[str, Callable[[Any, str, str, list[BadRow], bool], Reading]] = {
    ".parquet": _parquet,
    ".xlsx": _excel,
    ".jsonl": _json,
    ".ndjson": _json,
}
