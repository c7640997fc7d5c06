"""What a change of a measurement may do to the answer on unseen cases, and what it must not do."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.task("tabular-classification")
Decide = Callable[[np.ndarray], np.ndarray]
# A larger nucleus is more often malignant; every pathologist knows it, and the model has to know it too.
SIZES = ("mean_radius", "mean_perimeter", "mean_area", "worst_radius", "worst_perimeter", "worst_area")


def answers(model: Any, rows: np.ndarray) -> np.ndarray:
    """Return the most probable label of every row."""
    return np.asarray(model.score(rows).outputs.argmax(axis=1))


def rounded(rows: np.ndarray, digits: int) -> np.ndarray:
    """Round every value to so many significant digits."""
    scale = 10.0 ** (digits - 1 - np.floor(np.log10(np.maximum(np.abs(rows), 1e-12))))
    return np.asarray(np.round(rows * scale) / scale, np.float32)


@pytest.mark.parametrize(("digits", "kept"), [(4, 0.99), (3, 0.98), (2, 0.95)])
def test_rounding_keeps_most_answers(digits: int, kept: float, model: Any, unseen: Any) -> None:
    rows = rounded(unseen.inputs, digits)
    assert (answers(model, rows) == answers(model, unseen.inputs)).mean() >= kept


def test_measuring_again_keeps_most_answers(model: Any, unseen: Any) -> None:
    noise = np.random.default_rng(0).normal(0, 0.02, unseen.inputs.shape)
    rows = (unseen.inputs + noise * unseen.inputs.std(axis=0)).astype(np.float32)
    assert (answers(model, rows) == answers(model, unseen.inputs)).mean() >= 0.97


def test_larger_nuclei_are_more_often_malignant(model: Any, unseen: Any, product: Any) -> None:
    names = [feature.name for feature in product.formulation.input.features]
    size = np.isin(names, SIZES) * unseen.inputs.std(axis=0)
    malignant = model.labels.index("malignant")
    shares = [
        model.score((unseen.inputs + step * size).astype(np.float32)).outputs[:, malignant].mean()
        for step in (-0.5, 0.0, 0.5)
    ]
    assert shares == sorted(shares)
    assert shares[2] - shares[0] > 0.05


STRANGE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "another-unit": lambda rows: rows * np.float32(10),
    "all-zero": np.zeros_like,
    "columns-in-another-order": lambda rows: np.ascontiguousarray(rows[:, ::-1]),
    "highest-of-everything": lambda rows: np.broadcast_to(rows.max(axis=0), rows.shape),
}


@pytest.mark.parametrize("make", STRANGE.values(), ids=STRANGE)
def test_rows_that_cannot_be_right_are_hardly_ever_answered(
    make: Callable[[np.ndarray], np.ndarray], unseen: Any, decisions: Decide
) -> None:
    assert (decisions(make(unseen.inputs)) == "accept").mean() <= 0.05


def test_a_value_that_is_no_number_is_never_answered(unseen: Any, decisions: Decide) -> None:
    rows = unseen.inputs.copy()
    rows[:, 0] = np.nan
    assert (decisions(rows) != "accept").all()
