"""Read a table whose cells have types of their own, row by row: an Excel sheet, or lines of JSON.

Reads what it is handed; writes nothing. Cells become the text that a CSV file would hold.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from itertools import islice
from typing import Any

import polars as pl

from fullstack_ml.data.collect.sources.delimited import ROW, BadRow
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.sentences import in_english, sentence

ROWS = 20_000


def as_text(value: Any) -> str | None:
    """Write a cell as a CSV file would; a day without a time of day is a date."""
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, datetime):
        return (value.date() if value.time() == time() else value).isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def as_batches(rows: Iterable[tuple[int, list[Any]]], names: list[str]) -> Iterator[pl.DataFrame]:
    """Turn numbered rows into frames of text."""
    rows = iter(rows)
    while part := list(islice(rows, ROWS)):
        columns = zip(*(cells for _, cells in part), strict=True)
        named = zip(names, columns, strict=True)
        texts = [pl.Series(name, [as_text(cell) for cell in column], pl.String) for name, column in named]
        yield pl.DataFrame([*texts, pl.Series(ROW, [number for number, _ in part], pl.Int64)])


def sheet(file: Any) -> tuple[list[str], Iterator[tuple[int, list[Any]]], dict[str, Any]]:
    """Return header, numbered rows and a sentence on the first sheet of an Excel file; empty rows are left out."""
    from openpyxl import load_workbook  # slow to import, and few tables need it

    book = load_workbook(file, read_only=True, data_only=True)
    first = book.worksheets[0]
    rows = first.iter_rows(values_only=True)
    header = [as_text(cell) or "" for cell in next(rows, ())]
    while header and not header[-1]:
        header.pop()
    width = len(header)
    numbered = ((n, [*row, *[None] * width][:width]) for n, row in enumerate(rows, 1))
    text = "sheet %(name)s, the first of %(sheets)s" if len(book.sheetnames) > 1 else "sheet %(name)s"
    said = sentence(text, name=repr(first.title), sheets=len(book.sheetnames))
    return header, (row for row in numbered if any(cell is not None for cell in row[1])), said


def json_rows(file: Any, bad: list[BadRow], place: str, where: str, keep_out: bool) -> Iterator[tuple[int, Any]]:
    """Yield the object of every line with its number; other lines go to ``bad``.

    Raises:
        UserError: at the first of them, unless they are to be kept out.
    """
    for number, line in enumerate(file, 1):
        text = line.decode("utf-8-sig", "replace").strip()
        if not text:
            continue
        try:
            row = json.loads(text)
        except json.JSONDecodeError:
            row = None
        if isinstance(row, dict):
            yield number, {str(name).strip(): value for name, value in row.items()}
            continue
        if number == 1 and (text[0] == "[" or text == "{"):
            what, fix = f"{place} is one JSON document", "write one object per line, such as by jq -c '.[]'"
            raise UserError(what, where, fix)
        reason = sentence("line %(line)s is no JSON object", line=number)
        if not keep_out:
            fix = f"mend the line, or set bad_rows: keep-out to go on without such lines: {text[:60]!r}"
            raise UserError(f"{place}: {in_english(reason)}", where, fix)
        bad.append(BadRow(number, reason, text))
