"""A table file of the user's own is read as it comes: separator, decimal comma, encoding, packing, sheet."""

import gzip
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from openpyxl import Workbook

from fullstack_ml.data.collect.sources import delimited, dialect
from fullstack_ml.data.collect.sources.reading import read_table_file

Refused = Callable[..., AbstractContextManager[None]]
ROWS = [("94.5", "B & C", "north"), ("97.25", None, "south")]
NAMES = ["length", "site", "species"]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.txt", "t.csv.gz"])
def test_every_separator_is_found(separator: str, name: str) -> None:
    text = "\r\n".join(separator.join(row) for row in (NAMES, ["94.5", "B & C", "north"], ["97.25", "", "south"]))
    body = gzip.compress(text.encode()) if name.endswith(".gz") else text.encode()
    found = read_table_file(body, name)
    assert found.names == NAMES
    assert found.frame.rows() == ROWS
    assert f"separated by {dialect.SEPARATORS[separator]}s" in found.said


@pytest.mark.parametrize(
    ("text", "notes", "numbers"),
    [
        ("a;y\n94,0;n\n1.234,5;s\n-2;n\n", "numbers with a decimal comma", ["94.0", "1234.5", "-2"]),
        ('a,y\n"94,0",n\n"97,1",s\n3,n\n', "numbers with a decimal comma", ["94.0", "97.1", "3"]),
        ('a,y\n"1,234",n\n"1,234,567.5",s\n3,n\n', "numbers with commas between thousands", ["1234", "1234567.5", "3"]),
        ("a;y\n94.0;n\n97.1;s\n3e-2;n\n", None, ["94.0", "97.1", "3e-2"]),
    ],
    ids=["semicolons", "quoted", "thousands", "points"],
)
def test_numbers_are_read_as_they_are_written(text: str, notes: str | None, numbers: list[str]) -> None:
    found = read_table_file(text.encode(), "t.csv")
    assert found.frame["a"].to_list() == numbers
    assert [note for note in found.said.split("; ") if note.startswith("numbers")] == ([notes] if notes else [])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
def test_korean_is_read_in_every_encoding(encoding: str) -> None:
    text = "날짜,강수량 (mm),날씨\n2025/01/01,0.0,맑음 (Clear)\n2025/01/03,1.3,눈 & 진눈깨비\n"
    found = read_table_file(text.encode(encoding), "t.csv")
    assert found.names == ["날짜", "강수량 (mm)", "날씨"]
    assert found.frame["날씨"].to_list() == ["맑음 (Clear)", "눈 & 진눈깨비"]
    assert ("encoding cp949" in found.said) == (encoding == "cp949")


def test_western_text_is_not_taken_for_korean() -> None:
    text = "land,stadt\nÄgypten,Kairo\nÖsterreich,Wien\nPerú,Cañete\n"  # the first is valid CP949
    assert read_table_file(text.encode("latin-1"), "t.csv").frame["land"].to_list() == ["Ägypten", "Österreich", "Perú"]


def test_a_letter_far_behind_decides_the_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK", 1000)
    text = "name,y\n" + "plain,1\n" * 5000 + "김철수,2\n"
    for encoding in ("utf-8", "cp949"):
        found = read_table_file(text.encode(encoding), "t.csv").frame
        assert (len(found), found["name"][-1]) == (5001, "김철수")


def test_text_stays_text_and_only_an_empty_cell_is_missing() -> None:
    labels = ["01", "None", "NaN", "null", "N/A", "-", "true", "007"]
    body = "x,class\n" + "".join(f"{i}.5,{label}\n" for i, label in enumerate(labels)) + '1,""\n2,\n'
    assert read_table_file(body.encode(), "t.csv").frame["class"].to_list() == [*labels, None, None]


def test_words_for_a_missing_number_are_missing_where_the_contract_says_number() -> None:
    body = b"x,note\n1,NA\nN/A,-\nNaN,b\nnull,c\n-,d\n,e\nten,f\n01,g\n"
    found = read_table_file(body, "t.csv", numeric=["x"]).frame
    assert found["x"].to_list() == ["1", None, None, None, None, None, "ten", "01"]
    assert found["note"].to_list() == ["NA", "-", "b", "c", "d", "e", "f", "g"]


def test_cells_with_line_breaks_and_quotes_are_one_cell() -> None:
    found = read_table_file(b'x,note\n1,"two\nlines, ""said"""\n2,b\n', "t.csv").frame
    assert found["note"].to_list() == ['two\nlines, "said"', "b"]


def test_names_are_trimmed_and_a_column_without_one_is_named_by_its_place() -> None:
    assert read_table_file(b" bmi,,y ,\n1,0,a,\n", "t.csv").frame.columns == ["bmi", "column 2", "y", "column 4"]


def test_two_columns_of_one_name_are_refused(refused: Refused) -> None:
    with refused("has a column twice: 'note'", "conf/source", "its own name"):
        read_table_file(b"note,note ,x\n1,2,3\n", "t.csv")


RAGGED = b'bmi,note,y\n20,"a\nb",u\n21,c,v\n\n22,d,u,extra\n23,e,v\n24,f\n25,g,u\n'


def test_a_row_of_another_length_is_refused_with_its_line(refused: Refused) -> None:
    with refused("line 6 has 4 cells, the header has 3", "conf/source", "bad_rows: keep-out"):
        _ = read_table_file(RAGGED, "t.csv").frame


def test_bad_rows_are_kept_out_when_that_is_asked_for_and_the_others_keep_their_numbers() -> None:
    found = read_table_file(RAGGED, "t.csv", bad_rows="keep-out")
    rows = pl.concat(found.batches)
    assert rows["bmi"].to_list() == ["20", "21", "23", "25"]
    assert rows[delimited.ROW].to_list() == [1, 2, 4, 6]
    assert [(bad.line, bad.text) for bad in found.bad] == [(6, "22,d,u,extra"), (8, "24,f")]


def test_python_ends_in_good_order_after_a_bad_row(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(RAGGED)
    code = "from fullstack_ml.data.collect.sources.reading import read_table_file\n"
    code += "import sys\ntry:\n    read_table_file(sys.argv[1]).frame\nexcept Exception as e:\n    sys.exit(str(e))"
    command = [sys.executable, "-c", code, str(tmp_path / "t.csv")]
    for _ in range(10):  # one process of fourteen came to a bad end, while others ran
        processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
        for process in processes:
            said = process.communicate()[1]
            assert process.returncode == 1
            assert "line 6" in said


def test_nothing_is_left_with_arrow_after_a_bad_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    """Arrow reads ahead in a thread; here it takes so long that the error would be out first."""
    (tmp_path / "t.csv").write_bytes(RAGGED)
    watched: list[Any] = []

    class Slow(delimited.Lent):
        def read(self, size: int = -1) -> np.ndarray:
            if watched:
                sleep(0.2)
            watched.append(self.given)
            return super().read(size)

    monkeypatch.setattr(delimited, "Lent", Slow)
    with refused("line 6"):
        read_table_file(tmp_path / "t.csv")
    assert len(watched) > 1, "nothing was read ahead"
    assert [one for one in watched[-1] if one() is not None] == []


def test_the_first_sheet_of_an_excel_file_is_read_as_a_csv_file_would_be(tmp_path: Path) -> None:
    book = Workbook()
    first = book.worksheets[0]
    first.title = "People"
    rows = [["id", "day", "ok", "fee", "note"], [1, datetime(2024, 6, 28), True, 2.5, "x"], [None] * 5]
    for row in [*rows, [2, datetime(2024, 6, 29, 8, 30), False, 3.0, None]]:
        first.append(row)
    book.create_sheet("Other").append(["never"])
    book.save(tmp_path / "t.xlsx")
    found = read_table_file(tmp_path / "t.xlsx")
    assert found.said == "sheet 'People', the first of 2"
    assert found.frame.rows() == [
        ("1", "2024-06-28", "true", "2.5", "x"),
        ("2", "2024-06-29T08:30:00", "false", "3", None),
    ]


def test_lines_of_json_are_rows_whatever_keys_they_have() -> None:
    body = b'{"x": 1.5, "y": "None"}\n\n{"y": "b", "z": [1, 2]}\n'
    found = read_table_file(body, "t.jsonl").frame
    assert found.to_dict(as_series=False) == {"x": ["1.5", None], "y": ["None", "b"], "z": [None, "[1, 2]"]}


def test_a_line_that_is_no_json_is_refused_or_kept_out(refused: Refused) -> None:
    body = b'{"x": 1}\n{"x": \n{"x": 2}\n'
    with refused("line 2 is no JSON object", "", "keep-out"):
        read_table_file(body, "t.jsonl")
    found = read_table_file(body, "t.jsonl", bad_rows="keep-out")
    assert (found.frame["x"].to_list(), [bad.line for bad in found.bad]) == (["1", "2"], [2])


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    table = pl.DataFrame({" x": [1, None], "y": ["01", "NaN"], "z": [True, False]})
    table.write_parquet(tmp_path / "t.parquet")
    assert read_table_file(tmp_path / "t.parquet").frame.equals(table.rename({" x": "x"}))


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".xlsx"])
def test_bytes_that_are_no_table_are_refused(ending: str, refused: Refused) -> None:
    with refused("", "conf/source", "give a"):
        _ = read_table_file(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" * 20, f"t{ending}").frame


def test_memory_does_not_grow_with_a_large_table(tmp_path: Path) -> None:
    with (tmp_path / "t.csv").open("w", encoding="utf-8") as file:
        file.write("a,b,y\n")
        for i in range(200):
            file.write(f"{i}.25,1.5,label-{i % 3}\n" * 10_000)
    before, rows, most = pa.total_allocated_bytes(), 0, 0
    for batch in read_table_file(tmp_path / "t.csv").batches:
        rows += len(batch)
        most = max(most, pa.total_allocated_bytes() - before)
    assert rows == 2_000_000
    assert most < 6 * delimited.BLOCK  # the whole file is 40 MB, and takes twice that as text
