"""Group gaps: the difference that was planted, and no difference where there is nothing to compare."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from fullstack_ml.answers import label
from fullstack_ml.modeling.measuring import gaps
from fullstack_ml.workspace.sentences import in_english

RIGHT = {"a": 0.9, "b": 0.6}


def found(product: Any, sizes: dict[str, int], resamples: int = 50) -> tuple[dict[str, Any], Any]:
    """Compare records from sources ``a`` (9 of 10 right) and ``b`` (6 of 10 right, never answered)."""
    sources = np.concatenate([np.repeat(name, size) for name, size in sizes.items()])
    hit = np.concatenate([np.arange(size) < RIGHT.get(name, 1.0) * size for name, size in sizes.items()])
    frame = pl.DataFrame({"source": sources, "kind": ["one"] * len(sources), "group": [None] * len(sources)})
    settings: Any = SimpleNamespace(min_slice=20, resamples=resamples)
    table = {"score": hit.astype(np.float32), "answered": (sources != "b").astype(np.float32)}
    answer: Any = label
    return gaps.gaps(answer, product, frame, table, settings, seed=0)


def without_slices(product: Any, *slices: Any) -> Any:
    """Return the contract with other slices."""
    return product.model_copy(update={"data": product.data.model_copy(update={"slices": list(slices)})})


def slice_of(product: Any, name: str, source: str) -> Any:
    """Return a slice of the records from one source."""
    kind = type(product.data).model_fields["slices"].annotation.__args__[0]
    return kind(id=name, column="source", equals=source, reason="r")


def test_the_gap_is_the_difference_that_was_planted(product: Any) -> None:
    part = found(without_slices(product), {"a": 200, "b": 100}, resamples=500)[0]["source"]
    assert part["gap"] == pytest.approx(0.3)
    assert part["answered_gap"] == pytest.approx(1.0)
    low, high = part["gap_interval"]
    assert low < 0.3 < high
    # The deviation of a difference of two shares, by the textbook.
    deviation = np.sqrt(0.9 * 0.1 / 200 + 0.6 * 0.4 / 100)
    assert high - low == pytest.approx(2 * 1.96 * deviation, rel=0.15)
    assert part["groups"]["b"]["accuracy"] == pytest.approx(0.6)


def test_a_group_that_is_too_small_is_named_and_not_compared(product: Any) -> None:
    part = found(without_slices(product), {"a": 200, "b": 100, "c": 19})[0]["source"]
    assert part["small"] == {"c": 19}
    assert set(part["groups"]) == {"a", "b"}


def test_where_nothing_can_be_compared_the_gap_is_not_measurable(product: Any) -> None:
    parts, largest = found(without_slices(product), {"a": 200, "b": 19})
    assert (parts["source"]["gap"], parts["kind"]["gap"]) == (None, None)
    assert in_english(parts["kind"]["not_measurable"]) == "all records are one"
    assert largest is None


def test_the_slices_of_one_column_are_the_groups_and_the_rest_is_other(product: Any) -> None:
    changed = without_slices(product, slice_of(product, "first", "a"), slice_of(product, "second", "b"))
    part = found(changed, {"a": 200, "b": 100, "c": 40})[0]["source"]
    assert {name: row["records"] for name, row in part["groups"].items()} == {"first": 200, "second": 100, "other": 40}


def test_the_largest_gap_is_the_metric_with_a_value_per_resample(product: Any) -> None:
    parts, largest = found(without_slices(product), {"a": 200, "b": 100})
    assert largest[0] == pytest.approx(parts["source"]["gap"])
    assert len(largest) == 1 + 50
