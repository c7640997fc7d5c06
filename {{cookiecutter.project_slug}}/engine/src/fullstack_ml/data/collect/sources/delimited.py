"""Read a text table, such as a CSV file, in whatever form it comes: encoding, separator and decimal comma are found.

Reads what it is handed; writes nothing. The encoding is that of the whole file, the separator that of its beginning.
"""

import codecs
import csv
import io
import weakref
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from time import monotonic, sleep
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from pyarrow import csv as arrow

from fullstack_ml.workspace.errors import UserError

BLOCK = 16 * 2**20  # bytes that are parsed at once
PEEK = 2**18  # bytes and rows of the beginning that tell the form
ROWS = 1000
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
SECONDS = 5.0  # that Arrow gets to let go
ROW = "#row"  # column of batches: the number of the row among those below the header, from 1

Opener = Callable[[], Any]  # opens the bytes anew


class BinaryError(ValueError):
    """What is no text."""


@dataclass
class BadRow:
    """A row that is longer or shorter than the first: its line in the file, why it is bad, its text."""

    line: int
    reason: str
    text: str


@dataclass
class Form:
    """How a text table is written."""

    encoding: str
    separator: str
    names: list[str]
    rows: list[list[str]] = field(repr=False)  # from the beginning, without the header


def encoding_of(file: Any) -> str:
    """Find the encoding of an open file: by its mark, else the first of UTF-8, CP949 and Windows-1252 that fits.

    Bytes above 127 make valid CP949 in many a Western text too; of Korean text nearly all pairs are in KS X 1001,
    where both bytes are at least 0xA1, and of Western text next to none are.

    Raises:
        BinaryError: if there is a zero byte.
    """
    start = file.read(4)
    for mark, name in MARKS:
        if start.startswith(mark):
            return name
    names = ("utf-8", "cp949", "cp1252")
    decoders = {name: codecs.getincrementaldecoder(name)() for name in names}
    hangul = Counter[bool]()
    block = start
    while block:
        if b"\0" in block:
            raise BinaryError("it holds zero bytes, so it is no text")
        cut = decoders["utf-8"].getstate()[0] if "utf-8" in decoders else b""  # a letter that the last block cut
        for name in list(decoders):
            try:
                text = decoders[name].decode(block if name == "utf-8" else cut + block)
            except UnicodeDecodeError:
                del decoders[name]
                continue
            if name == "utf-8":
                break  # the others are for what is none
            if name == "cp949":
                hangul.update(is_common(letter) for letter in text if letter > "\x7f")
        block = file.read(BLOCK)
    if "utf-8" in decoders and not decoders["utf-8"].getstate()[0]:
        return "utf-8"
    korean = hangul[True] > 0.8 * hangul.total()
    return "cp949" if "cp949" in decoders and korean else "cp1252" if "cp1252" in decoders else "latin-1"


def is_common(letter: str) -> bool:
    """Say whether a letter is in KS X 1001, and Hangul."""
    return "가" <= letter <= "힣" and letter.encode("euc-kr", "ignore") != b""


def form_of(open_bytes: Opener, encoding: str) -> Form:
    """Find separator and header of a text table; the separator is the one at which most rows have as many cells.

    Raises:
        csv.Error: if there is no row.
    """
    with open_bytes() as file:
        text = codecs.getincrementaldecoder(encoding)().decode(file.read(PEEK))
    best: tuple[tuple[float, int], str, list[list[str]]] | None = None
    for separator in SEPARATORS:
        rows = [row for row in islice(csv.reader(io.StringIO(text), delimiter=separator), ROWS) if row]
        if len(rows) > 1 and len(text) >= PEEK // 4:
            rows = rows[:-1]  # it may be cut
        if rows:
            width = len(rows[0])
            alike = sum(len(row) == width for row in rows) / len(rows)
            rank = (alike * (width > 1), width)
            if best is None or rank > best[0]:
                best = rank, separator, rows
    if best is None:
        raise csv.Error("it has no row")
    _, separator, rows = best
    return Form(encoding, separator, rows[0], [row for row in rows[1:] if len(row) == len(rows[0])])


class Lines:
    """Finds the line of the file in which a row begins; rows are asked for in their order."""

    def __init__(self, open_bytes: Opener, form: Form) -> None:
        """Begin at the header."""
        text = io.TextIOWrapper(open_bytes(), form.encoding, newline="")
        self.reader, self.row, self.begin = csv.reader(text, delimiter=form.separator), 0, 0

    def find(self, row: int) -> int:
        """Return the line of the ``row``-th row that is not empty; the header is the first."""
        with suppress(csv.Error, StopIteration):  # a cell beyond the limit of csv: then the row has to do
            while self.row < row:
                self.begin = self.reader.line_num + 1
                self.row += bool(next(self.reader))
            return self.begin
        return row


class Lent:
    """A file that remembers what Arrow was given of it, and can be ended early."""

    def __init__(self, file: Any) -> None:
        """Begin as the file itself."""
        self.file, self.ended = file, False
        self.given: list[weakref.ref[Any]] = [weakref.ref(self)]

    def __getattr__(self, name: str) -> Any:
        """Be the file in all but reading."""
        return getattr(self.file, name)

    def read(self, size: int = -1) -> np.ndarray:
        """Return the next bytes; none once it is ended."""
        block = np.frombuffer(b"" if self.ended else self.file.read(size), np.uint8)
        self.given.append(weakref.ref(block))
        return block


def streamed(file: Any, form: Form, on_bad: Callable[[Any], str]) -> Generator[Any, None, None]:
    """Yield the batches of a file; at the end, or when it is closed, wait until Arrow has let go of what it was given.

    Arrow reads ahead in threads of its own. One that lets go of a Python object while Python ends brings the process
    down, as it did after an error in the middle of a file.
    """
    lent, handler = Lent(file), partial(on_bad)
    given = lent.given
    given.append(weakref.ref(handler))
    stream = stream_of(lent, form, handler)
    try:
        for batch in stream:  # noqa: UP028 - "yield from" would close the stream and leave what was read ahead
            yield batch
    finally:
        lent.ended = True
        with suppress(pa.ArrowException):
            for _ in stream:
                pass
        del stream, lent, handler
        until = monotonic() + SECONDS
        while any(one() is not None for one in given) and monotonic() < until:
            sleep(0.001)


def stream_of(file: Any, form: Form, on_bad: Callable[[Any], str]) -> Any:
    """Open the stream of batches in which the columns are called by their places, so that no name stands in the way."""
    names = [str(i) for i in range(len(form.names))]
    as_text: dict[str, Any] = {"column_types": dict.fromkeys(names, pa.string()), "null_values": [""]}
    as_text |= {"strings_can_be_null": True, "quoted_strings_can_be_null": True}
    # In one thread, since only then a bad row has a number.
    how: dict[str, Any] = {"block_size": BLOCK, "use_threads": False, "column_names": names}
    return arrow.open_csv(
        file,
        arrow.ReadOptions(skip_rows_after_names=1, encoding=form.encoding.removesuffix("-sig"), **how),
        arrow.ParseOptions(delimiter=form.separator, newlines_in_values=True, invalid_row_handler=on_bad),
        arrow.ConvertOptions(**as_text),
    )


def batches(
    open_bytes: Opener, form: Form, bad: list[BadRow], place: str, where: str, keep_out: bool
) -> Iterator[pl.DataFrame]:
    """Yield the rows as text, with the number of each in ``ROW``; an empty cell is missing.

    Rows of another length go to ``bad``.

    Raises:
        UserError: at the first of them, unless they are to be kept out.
    """
    found: list[Any] = []
    lines = Lines(open_bytes, form) if keep_out else None
    skipped: set[int] = set()
    last = 0

    def skip(row: Any) -> str:
        found.append(row)
        return "skip"

    with open_bytes() as file, closing(streamed(file, form, skip)) as stream:
        for batch in stream:
            for row in found:
                line = (lines or Lines(open_bytes, form)).find(row.number)
                reason = f"line {line} has {row.actual_columns} cells, the header has {len(form.names)}"
                if not keep_out:
                    fix = f"mend the line, or set bad_rows: keep-out to go on without such rows: {row.text[:60]!r}"
                    raise UserError(f"{place}: {reason}", where, fix)
                bad.append(BadRow(line, reason, row.text))
                skipped.add(row.number - 1)
            found.clear()
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame)
            numbers, last = numbered(last, len(frame), skipped)
            yield frame.rename(dict(zip(frame.columns, form.names, strict=True))).with_columns(numbers)


def numbered(last: int, count: int, skipped: set[int]) -> tuple[pl.Series, int]:
    """Return the numbers of the next ``count`` rows after ``last`` that were not skipped, and the new last one."""
    numbers = pl.int_range(last + 1, last + 1 + count + len(skipped), eager=True, dtype=pl.Int64)
    kept = numbers.filter(~numbers.is_in(list(skipped)))[:count] if skipped else numbers
    return kept.alias(ROW), int(kept[-1]) if count else last
