"""A text table as people and programs write it: what stands above the header, line ends, long cells, open quotes."""

import csv
import gzip
import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import pytest

from fullstack_ml.data.collect.sources import delimited, dialect
from fullstack_ml.data.collect.sources.reading import read_table_file

Refused = Callable[..., AbstractContextManager[None]]
HEADER, ROWS = "width,label", ["0.5,good", "0.25,bad", "0.75,good", "0.125,bad"]
TABLE = "\n".join([HEADER, *ROWS, ""])
LONG = "x" * 300_000  # csv's own limit is 131,072


def read(text: str | bytes, **how: Any) -> Any:
    """Read a table from its text."""
    return read_table_file(text.encode() if isinstance(text, str) else text, "t.csv", **how)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["unix", "windows", "old-mac"])
@pytest.mark.parametrize("last", [True, False], ids=["", "no-end"])
@pytest.mark.parametrize("above", ["", "\n\n", "  \n", "sep=;\n", "sep=;\n\n"], ids=repr)
def test_the_header_is_found_below_empty_lines_and_below_the_line_for_excel(above: str, last: bool, end: str) -> None:
    text = above + (TABLE if last else TABLE.rstrip("\n"))
    text = text.replace(",", ";") if "sep" in above else text
    found = read(text.replace("\n", end))
    assert (found.names, found.frame.rows()) == (["width", "label"], [tuple(row.split(",")) for row in ROWS])


def test_line_ends_may_be_mixed() -> None:
    assert read("width,label\r\n1,a\r2,b\n3,c\r\n").frame.rows() == [("1", "a"), ("2", "b"), ("3", "c")]


@pytest.mark.parametrize("text", ["width,label", "width,label\n", "width", "width\r\n"])
def test_a_file_of_one_line_is_a_header_without_rows(text: str) -> None:
    found = read(text)
    assert found.names == text.strip().split(",")
    assert found.frame.shape == (0, len(found.names))


@pytest.mark.parametrize("text", ["", "\n", "   \n\n", "\ufeff"])
def test_a_file_without_a_row_is_empty(text: str, refused: Refused) -> None:
    with refused("t.csv is unreadable: it is empty", "", "give a CSV file"):
        read(text)


def test_a_line_is_counted_from_the_top_of_the_file(refused: Refused) -> None:
    for above in ("", "\n\n", "sep=,\n\n"):
        text = f"{above}{HEADER}\n{ROWS[0]}\n1,2,3\n{ROWS[1]}\n"
        line = above.count("\n") + 3
        with refused(f"line {line} has 3 cells, the header has 2", "", "mend the line"):
            assert read(text).frame is None
        found = read(text, bad_rows="keep-out")
        assert found.frame.rows() == [("0.5", "good"), ("0.25", "bad")]
        assert found.bad[0].line == line
    assert read(f"\n{TABLE}").batches.__next__()[delimited.ROW].to_list() == [1, 2, 3, 4]


@pytest.mark.parametrize("bad_rows", ["stop", "keep-out"])
@pytest.mark.parametrize(
    ("text", "cells", "below"),
    [
        (f"Report of 2025\n{TABLE}", "1 cell", 2),
        (f"Report of 2025\n{TABLE}".replace(",", ";"), "1 cell", 2),
        (f"# made by a machine\n\n{TABLE}", "1 cell", 2),
        (TABLE.replace("0.", "0,"), "2 cells", 3),
        (TABLE.replace("good", "good,").replace("bad", "bad,"), "2 cells", 3),
    ],
    ids=["title", "title-semicolons", "comment", "decimal-commas", "one-more-separator"],
)
def test_a_header_that_is_none_is_told_instead_of_losing_every_row(
    text: str, cells: str, below: int, bad_rows: str, refused: Refused
) -> None:
    with refused(f"line 1, the header, has {cells}, the rows below have {below}", "", "take out what stands above"):
        read(text, bad_rows=bad_rows)


def test_rows_that_are_bad_at_the_end_of_a_file_are_told_too(refused: Refused) -> None:
    with refused("line 2 has 3 cells", "", "mend"):
        assert read("a,b\n1,2,3\n").frame is None
    found = read("a,b\n1,2,3\n", bad_rows="keep-out")
    assert found.frame.height == 0
    assert [bad.line for bad in found.bad] == [2]


def test_a_column_may_hold_commas_where_it_is_the_only_one() -> None:
    assert read("value\n1,5\n2,5\n3,7\n").frame["value"].to_list() == ["1.5", "2.5", "3.7"]
    texts = ["hello, you", "fine", "well, well, well", "no"]
    assert read("\n".join(["message", *texts])).frame["message"].to_list() == texts


def test_a_header_of_numbers_is_noted() -> None:
    told = "its first row is taken for the header: 0.5, good"
    assert told in read(TABLE.partition("\n")[2]).said
    assert "header" not in read(TABLE).said


def test_blanks_behind_separators_are_no_part_of_a_cell() -> None:
    found = read("width, label\n0.5, good\n0.25,  bad\n0.75, \n")
    assert found.frame["label"].to_list() == ["good", "bad", None]
    assert read("width,label\n0.5, good\n").frame["label"].to_list() == [" good"], "the header says that they are"


@pytest.mark.parametrize("place", [1, 3])
def test_a_cell_may_be_longer_than_the_module_csv_allows(place: int) -> None:
    rows = [*ROWS]
    rows[place - 1] = f"0.5,{LONG}"
    assert len(read("\n".join([HEADER, *rows])).frame["label"][place - 1]) == len(LONG)
    assert csv.field_size_limit() > len(LONG)


def test_a_row_that_is_longer_than_a_block_is_told(monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    monkeypatch.setattr(delimited, "BLOCK", 1000)
    with refused("a row is longer than", "", "close the quote, or shorten the row"):
        assert read(f"{HEADER}\n0.5,{LONG}\n").frame is None


@pytest.mark.parametrize("bad_rows", ["stop", "keep-out"])
@pytest.mark.parametrize("last", ["\n", ""], ids=["", "no-end"])
def test_a_quote_that_nothing_closes_is_told_instead_of_swallowing_the_rest(
    last: str, bad_rows: str, refused: Refused
) -> None:
    for opened in ('"good', '"0.25'):  # in the last cell, which then is a legal one; and in the first
        text = TABLE.rstrip("\n").replace("0.25,bad", f"0.25,{opened}" if "good" in opened else f"{opened},bad") + last
        if "good" in opened and not last:
            continue  # it looks like a cell of several lines
        with refused("line 3 opens a quote that nothing closes", "", "close it, or write it twice"):
            assert read(text, bad_rows=bad_rows).frame is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "cp949"])
def test_a_last_cell_may_end_in_a_line_break(encoding: str) -> None:
    text = 'n,message\n1,"안녕\n"\n2,"잘 가\n"\n'
    mark = b"\xff\xfe" if encoding == "utf-16-le" else b""
    found = read(mark + text.encode(encoding))
    assert found.frame["message"].to_list() == ["안녕\n", "잘 가\n"]


def test_the_line_of_a_zero_byte_is_told(refused: Refused) -> None:
    with refused("it holds zero bytes, so it is no text (line 3)", "", "UTF-8, without zero bytes"):
        read(TABLE.replace("0.25", "0.2\0"))
    with pytest.raises(dialect.BinaryError, match="line 4"):
        dialect.encoding_of(io.BytesIO(b"a\nb\nc\n\0"))


def test_a_packed_file_that_was_cut_is_told(refused: Refused) -> None:
    with refused("t.csv.gz is unreadable: Compressed file ended", "", "give a CSV file"):
        read_table_file(gzip.compress(TABLE.encode())[:-12], "t.csv.gz")


@pytest.mark.parametrize("bad_rows", ["stop", "keep-out"])
@pytest.mark.parametrize("text", ['[{"a": 1},\n {"a": 2}]', '{\n"a": 1\n}'])
def test_a_json_document_is_told_from_lines_of_json(text: str, bad_rows: str, refused: Refused) -> None:
    opened = partial(read_table_file, text.encode(), "t.jsonl", bad_rows=bad_rows)
    with refused("t.jsonl is one JSON document", "", "one object per line, such as by jq"):
        opened()
