"""Read the rows of a text table, such as a CSV file, of which ``dialect.py`` has found out how it is written.

Reads what it is handed; writes nothing.
"""

import csv
import io
import weakref
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from time import monotonic, sleep
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from pyarrow import csv as arrow

from fullstack_ml.data.collect.sources.dialect import Form, Opener, ends_open
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.sentences import in_english, sentence

BLOCK = 16 * 2**20  # bytes that are parsed at once
SECONDS = 5.0  # that Arrow gets to let go
ROW = "#row"  # column of batches: the number of the row among those below the header, from 1


@dataclass
class BadRow:
    """A row that is longer or shorter than the first: its line in the file, why it is bad (a sentence), its text."""

    line: int
    reason: dict[str, Any]
    text: str


class Lines:
    """Finds the line of the file in which a row begins; rows are asked for in their order."""

    def __init__(self, open_bytes: Opener, form: Form) -> None:
        """Begin at the header."""
        text = io.TextIOWrapper(open_bytes(), form.encoding, newline="")
        for _ in range(form.skip):
            text.readline()
        self.reader, self.row, self.begin = csv.reader(text, delimiter=form.separator), 0, 0
        self.skip = form.skip

    def find(self, row: int) -> int:
        """Return the line of the ``row``-th row that is not empty; the header is the first."""
        with suppress(csv.Error, StopIteration):  # what csv cannot read: then the row has to do
            while self.row < row:
                self.begin = self.skip + self.reader.line_num + 1
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
    how |= {"skip_rows": form.skip, "skip_rows_after_names": 1}
    return arrow.open_csv(
        file,
        arrow.ReadOptions(encoding=form.encoding.removesuffix("-sig"), **how),
        arrow.ParseOptions(delimiter=form.separator, newlines_in_values=True, invalid_row_handler=on_bad),
        arrow.ConvertOptions(**as_text),
    )


@dataclass
class Kept:
    """Keeps the rows of another length, or stops at the first of them; ``place`` and ``where`` name the table."""

    open_bytes: Opener
    form: Form
    bad: list[BadRow]
    place: str
    where: str
    keep_out: bool

    def __post_init__(self) -> None:
        """Begin with none."""
        self.found: list[Any] = []
        self.skipped: set[int] = set()
        self.lines = Lines(self.open_bytes, self.form)

    def skip(self, row: Any) -> str:
        """Take a row from Arrow."""
        self.found.append(row)
        return "skip"

    def take(self) -> None:
        """Say of the rows that were found why they are bad.

        Raises:
            UserError: at the first, unless they are to be kept out.
        """
        for row in self.found:
            number = row.number - self.form.skip  # Arrow counts what it skips
            line = self.lines.find(number)
            if row.text.count('"') % 2 and "\n" in row.text:
                self.refuse_open_quote(line)
            text = "line %(line)s has %(cells)s cells, the header has %(named)s"
            reason = sentence(text, line=line, cells=row.actual_columns, named=len(self.form.names))
            if not self.keep_out:
                fix = f"mend the line, or set bad_rows: keep-out to go on without such rows: {row.text[:60]!r}"
                raise UserError(f"{self.place}: {in_english(reason)}", self.where, fix)
            self.bad.append(BadRow(line, reason, row.text))
            self.skipped.add(number - 1)
        self.found.clear()

    def refuse_open_quote(self, line: int) -> None:
        """Raise for a cell that swallows all lines to the end of the file."""
        fix = 'close it, or write it twice where it is part of a cell: ""'
        raise UserError(f"{self.place}: line {line} opens a quote that nothing closes", self.where, fix)


def batches(
    open_bytes: Opener, form: Form, bad: list[BadRow], place: str, where: str, keep_out: bool
) -> Iterator[pl.DataFrame]:
    """Yield the rows as text, with the number of each in ``ROW``; an empty cell is missing.

    Rows of another length go to ``bad``.

    Raises:
        UserError: at the first of them, unless they are to be kept out; at a quote that nothing closes.
    """
    if form.bare:  # which Arrow takes only with a line break at its end
        return
    kept, last, end = Kept(open_bytes, form, bad, place, where, keep_out), 0, ""
    with open_bytes() as file, closing(streamed(file, form, kept.skip)) as stream:
        for batch in stream:
            kept.take()
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame)
            numbers, last = numbered(last, len(frame), kept.skipped)
            frame = frame.rename(dict(zip(frame.columns, form.names, strict=True)))
            end = next((cell for cell in reversed(frame.row(-1)) if cell), "") if len(frame) else end
            yield (trimmed(frame) if form.spaced else frame).with_columns(numbers)
    kept.take()
    if end.endswith(("\n", "\r")) and ends_open(open_bytes, form.encoding):
        kept.refuse_open_quote(kept.lines.find(last + 1))


def trimmed(frame: pl.DataFrame) -> pl.DataFrame:
    """Take away the blanks after the separators; what then is empty is missing."""
    texts = pl.all().str.strip_chars_start(" ")
    return frame.with_columns(pl.when(texts != "").then(texts).name.keep())


def numbered(last: int, count: int, skipped: set[int]) -> tuple[pl.Series, int]:
    """Return the numbers of the next ``count`` rows after ``last`` that were not skipped, and the new last one."""
    numbers = pl.int_range(last + 1, last + 1 + count + len(skipped), eager=True, dtype=pl.Int64)
    kept = numbers.filter(~numbers.is_in(list(skipped)))[:count] if skipped else numbers
    return kept.alias(ROW), int(kept[-1]) if count else last
