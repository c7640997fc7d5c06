"""A cell that came from data is text in a spreadsheet, never a formula."""

import csv
import io

import pytest

from fullstack_ml.workspace.spreadsheet import csv_text, meant, shown


@pytest.mark.parametrize("cell", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", " =1", "\r=1", "\uff1d1+1"])
def test_a_formula_becomes_text_and_comes_back(cell: str) -> None:
    [[header], [written]] = csv.reader(io.StringIO(csv_text([cell], [[cell]]), newline=""))
    assert header == written == f"'{cell}"
    assert meant(written) == cell


@pytest.mark.parametrize("cell", ["-5", "+0.5", "-1,5", "-1e-7", -5, 0.25, None, "plain", "'quoted'", "a=b", ""])
def test_what_is_no_formula_stays(cell: object) -> None:
    assert shown(cell) == cell
    assert not isinstance(cell, str) or meant(cell) == cell
