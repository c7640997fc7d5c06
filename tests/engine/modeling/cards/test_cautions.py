"""What holds a figure back is said beside it: made reports, in which each cause is there or not."""

from typing import Any

import pytest

from fullstack_ml.modeling.cards import cautions


def calibrated(before: float, after: float, bounds: list[float], *records: int) -> dict[str, Any]:
    """Return an evaluation with dots of so many records."""
    rows = [{"records": count} for count in records]
    ece = {"metrics": {"ece": after}, "uncalibrated": {"ece": before}, "intervals": {"ece": bounds}}
    return {"reliability": rows, **ece}


def risky(error: float | None, curve: list[tuple[float, float]]) -> dict[str, Any]:
    """Return an evaluation of 1,000 records of which 500 are answered."""
    points = [{"answered_share": share, "answered_error": wrong} for share, wrong in curve]
    return {"records": 1000, "metrics": {"answered_share": 0.5, "answered_error": error}, "risk_curve": points}


def test_dots_of_few_records_are_counted() -> None:
    said = cautions.on_calibration(calibrated(0.02, 0.01, [0, 0.02], 2, 8, 19, 20, 341))
    assert [text[:46] for text in said] == ["3 of the 5 dots stand for fewer than 20 records"[:46]]
    assert cautions.on_calibration(calibrated(0.02, 0.01, [0, 0.02], 20, 341)) == []


@pytest.mark.parametrize(("bounds", "more"), [([0.008, 0.029], 1), ([0.0141, 0.029], 0)])
def test_a_calibration_that_made_worse_is_told_with_what_chance_may_do(bounds: list[float], more: int) -> None:
    said = cautions.on_calibration(calibrated(0.0139, 0.0143, bounds, 341))
    assert said[0] == "Calibration made the ECE of the test split worse: 1.39 % before, 1.43 % after."
    assert len(said) == 1 + more
    if more:
        assert "0.8 to 2.9 %" in said[1]


@pytest.mark.parametrize(("error", "told"), [(0.01, False), (0.0102, False), (0.0, True), (0.03, True), (None, False)])
def test_an_operating_point_beside_the_line_says_why(error: float | None, told: bool) -> None:
    said = cautions.on_risk(risky(error, [(0.25, 0.0), (0.75, 0.02)]))  # the line has 0.01 at a half
    assert bool(said) == told
    assert all("would give 1.0 % errors" in text for text in said)


def test_of_numbers_there_is_no_line() -> None:
    assert cautions.on_risk({"metrics": {"answered_error": 0.1}}) == []


def test_look_alikes_in_two_splits_and_records_without_a_group_are_told(product: Any) -> None:
    leakage = {"near_duplicates": 39, "near_duplicates_of_test": 18}
    validation = {"without_group": 7, "metrics": {"records": 9}}
    groups, alike = cautions.on_data(product, validation, leakage)
    assert groups.startswith("7 of 9 records have no group, so we do not know which of them belong together (")
    assert f"({product.data.group}). The same people or places may be in training" in groups
    assert alike.startswith("39 pairs of look-alike records are in two different splits; in 18 of them one record")
    assert cautions.on_data(product, validation | {"without_group": 0}, {"near_duplicates": 0}) == []
