"""Columns of any table in the types of records: what tables write for numbers, truth, dates and nothing."""

from datetime import date, datetime, timedelta, timezone
from typing import Any

import polars as pl
import pytest

from fullstack_ml.data.collect.sources import conversion
from fullstack_ml.product.formulation import Feature

NOON = datetime(2024, 6, 8, 12)
SEOUL = timezone(timedelta(hours=9))
CASES: list[tuple[list[Any], pl.DataType, list[Any]]] = [
    ([" 1.5 ", "1e3", "x", None, "NaN"], pl.Float64(), [1.5, 1000, None, None, None]),
    (["1", "2.0", "2.5", "x"], pl.Int64(), [1, 2, None, None]),
    ([1.0, 2.5], pl.Int64(), [1, None]),
    (["Yes", "n", "TRUE", "0", "maybe"], pl.Boolean(), [True, False, True, False, None]),
    ([1, 0, 2], pl.Boolean(), [True, False, None]),
    ([" a b ", "01", None], pl.String(), ["a b", "01", None]),
    ([1.0, 2.5, None], pl.String(), ["1", "2.5", None]),
    ([True, False], pl.String(), ["true", "false"]),
    (["2024-06-08 12:00", "2024-06-08T12:00:00", "2024/06/08 12:00"], pl.Datetime("us"), [NOON] * 3),
    (["2024-06-08T21:00:00+09:00", "2024-06-08T12:00:00Z"], pl.Datetime("us"), [NOON] * 2),
    (["2024-06-08", "08.06.2024", "20240608", "8 June"], pl.Datetime("us"), [datetime(2024, 6, 8)] * 3 + [None]),
    ([date(2024, 6, 8)], pl.Datetime("us"), [datetime(2024, 6, 8)]),
    ([datetime(2024, 6, 8, 21, tzinfo=SEOUL)], pl.Datetime("us"), [NOON]),
]


@pytest.mark.parametrize(("given", "kind", "expected"), CASES)
def test_a_column_becomes_what_is_stored(given: list[Any], kind: pl.DataType, expected: list[Any]) -> None:
    frame = pl.DataFrame({"x": given})
    made = frame.select(conversion.converted("x", frame.schema["x"], kind))["x"]
    assert made.dtype == kind
    assert made.to_list() == expected


def test_words_for_nothing_are_nothing_only_where_that_is_allowed_and_no_value() -> None:
    words = ["N/A", "-", " ", "none", "a"]
    frame = pl.DataFrame({"gap": words, "full": words, "kind": words})
    features = [
        Feature(name="gap", low=0, high=1, meaning="m", missing="allowed"),
        Feature(name="full", low=0, high=1, meaning="m"),
        Feature(name="kind", type="category", values=["none", "a"], meaning="m", missing="allowed"),
    ]
    made = conversion.without_missing(frame, features)
    assert made["gap"].to_list() == [None, None, None, None, "a"]
    assert made["full"].to_list() == words
    assert made["kind"].to_list() == [None, None, None, "none", "a"]
