"""Features that a contract does not allow: missing, out of range or not listed, with the value and what is allowed."""

from datetime import datetime
from typing import Any

import polars as pl
import pytest

from fullstack_ml.data.validate import features
from fullstack_ml.inputs import encoding
from fullstack_ml.product.formulation import Feature
from fullstack_ml.product.types import Product

pytestmark = pytest.mark.task("tabular-classification")
CASES: list[tuple[dict[str, Any], list[Any], list[tuple[str, str, str]]]] = [
    (
        {"low": 0, "high": 9, "unit": "mm"},
        [0.0, 9.0, 9.5, float("nan"), None, float("inf")],
        [
            ("x missing", "3", "x is missing"),
            ("x missing", "4", "x is missing"),
            ("x out of range", "2", "x is 9.5, allowed: from 0 to 9 mm"),
            ("x out of range", "5", "x is inf, allowed: from 0 to 9 mm"),
        ],
    ),
    (
        {"low": 0, "high": 9, "missing": "allowed"},
        [None, float("nan"), -1.0],
        [("x out of range", "2", "x is -1, allowed: from 0 to 9, or missing")],
    ),
    ({"type": "whole", "low": 1, "high": 5}, [1, 6], [("x out of range", "1", "x is 6, allowed: from 1 to 5")]),
    (
        {"type": "category", "values": ["a", "b"]},
        ["a", "c", None],
        [("x missing", "2", "x is missing"), ("x not listed", "1", "x is 'c', allowed: a, b")],
    ),
    ({"type": "category", "values": ["a"], "other": "allowed", "missing": "allowed"}, ["c", None], []),
    ({"type": "ordered", "values": ["lo", "hi"]}, ["up"], [("x not listed", "0", "x is 'up', allowed: lo, hi")]),
    ({"type": "flag"}, [True, None], [("x missing", "1", "x is missing")]),
    (
        {"type": "date", "high": "2024-12-31"},
        [datetime(2024, 12, 31), datetime(2025, 1, 1)],
        [("x out of range", "1", "x is 2025-01-01 00:00:00, allowed: to 2024-12-31")],
    ),
]


@pytest.mark.parametrize(("keys", "values", "expected"), CASES, ids=[str(keys) for keys, _, _ in CASES])
def test_what_a_feature_may_not_be_is_named(
    keys: dict[str, Any], values: list[Any], expected: list[tuple[str, str, str]], product: Product
) -> None:
    feature = Feature(name="x", meaning="m", **keys)
    given = product.formulation.input.model_copy(update={"features": [feature]})
    changed = product.model_copy(update={"formulation": product.formulation.model_copy(update={"input": given})})
    column = pl.Series("x", values, dtype=encoding.stored_type(feature), strict=False)
    frame = pl.DataFrame({"id": [str(i) for i in range(len(values))], "x": column})
    assert sorted(features.violations(frame, changed)) == sorted(expected)
