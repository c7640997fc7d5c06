"""Group gaps: the difference that was planted, and no difference where there is nothing to compare."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from {{cookiecutter.__package}}.modeling import artefact, examples, gaps, measure

RIGHT = {"a": 0.9, "b": 0.6}


def seen(sizes: dict[str, int]) -> Any:
    """Return records from sources ``a`` (9 of 10 right) and ``b`` (6 of 10 right, never answered)."""
    sources = np.concatenate([np.repeat(name, size) for name, size in sizes.items()])
    hit = np.concatenate([np.arange(size) < RIGHT.get(name, 1.0) * size for name, size in sizes.items()])
    scores = np.where(hit[:, None], [0.8, 0.2], [0.2, 0.8]).astype(np.float32)
    frame = pl.DataFrame({"source": sources, "kind": ["one"] * len(sources)})
    known = examples.Examples(frame, np.zeros((len(hit), 1)), np.zeros(len(hit), np.int64))
    decisions = np.where(sources == "b", "uncertain", "accept").astype(object)
    return measure.Tested(known, artefact.Scored(scores, np.ones(len(hit), np.float32)), decisions, {}, {})


def without_slices(product: Any, *slices: Any) -> Any:
    """Return the contract with other slices."""
    return product.model_copy(update={"data": product.data.model_copy(update={"slices": list(slices)})})


def slice_of(product: Any, name: str, source: str) -> Any:
    """Return a slice of the records from one source."""
    kind = type(product.data).model_fields["slices"].annotation.__args__[0]
    return kind(id=name, column="source", equals=source, reason="r")


def test_the_gap_is_the_difference_that_was_planted(product: Any) -> None:
    found = gaps.gaps(without_slices(product), seen({"a": 200, "b": 100}), 20, 500, seed=0)["source"]
    assert found["gap"] == pytest.approx(0.3)
    assert found["answered_gap"] == pytest.approx(1.0)
    assert found["gap_interval"][0] < 0.3 < found["gap_interval"][1]
    # The deviation of a difference of two shares, by the textbook.
    deviation = np.sqrt(0.9 * 0.1 / 200 + 0.6 * 0.4 / 100)
    assert found["gap_interval"][1] - found["gap_interval"][0] == pytest.approx(2 * 1.96 * deviation, rel=0.15)
    assert found["groups"]["b"]["accuracy"] == pytest.approx(0.6)


def test_a_group_that_is_too_small_is_named_and_not_compared(product: Any) -> None:
    found = gaps.gaps(without_slices(product), seen({"a": 200, "b": 100, "c": 19}), 20, 50, seed=0)["source"]
    assert found["small"] == {"c": 19}
    assert set(found["groups"]) == {"a", "b"}


def test_where_nothing_can_be_compared_the_gap_is_not_measurable(product: Any) -> None:
    found = gaps.gaps(without_slices(product), seen({"a": 200, "b": 19}), 20, 50, seed=0)
    assert (found["source"]["gap"], found["kind"]["gap"]) == (None, None)
    assert found["kind"]["not_measurable"] == "all records are one"
    assert gaps.largest(found) == (None, None)


def test_the_slices_of_one_column_are_the_groups_and_the_rest_is_other(product: Any) -> None:
    changed = without_slices(product, slice_of(product, "first", "a"), slice_of(product, "second", "b"))
    found = gaps.gaps(changed, seen({"a": 200, "b": 100, "c": 40}), 20, 50, seed=0)["source"]
    assert {name: row["records"] for name, row in found["groups"].items()} == {"first": 200, "second": 100, "other": 40}


def test_the_largest_gap_is_the_metric(product: Any) -> None:
    found = gaps.gaps(without_slices(product), seen({"a": 200, "b": 100}), 20, 50, seed=0)
    value, interval = gaps.largest(found)
    assert value == found["source"]["gap"]
    assert interval == found["source"]["gap_interval"]
