"""The days of a schedule, in every language in which one is written."""

from datetime import date

import pytest

from fullstack_ml.product.questions import dated


@pytest.mark.parametrize("when", ["week 2", "Week 2", "2주 차", "2주차"])
def test_a_week_ends_on_the_day_before_the_next_one_begins(when: str) -> None:
    assert dated({"start": "2026-12-01", "pilot": when})[1] == ("pilot", when, date(2026, 12, 14))


@pytest.mark.parametrize("when", ["soon", "weeks 2", "2주"])
def test_what_is_no_week_and_no_day_has_no_date(when: str) -> None:
    assert dated({"start": "2026-12-01", "pilot": when})[1][2] is None
