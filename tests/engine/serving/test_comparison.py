"""The statistics of an online comparison, against textbook values and simulated truth."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from fullstack_ml.serving import comparison


def outcome(values: Sequence[float] | np.ndarray, callers: list[str] | np.ndarray | None = None) -> comparison.Outcome:
    """One caller per record, if not told otherwise."""
    names = np.arange(len(values)).astype(str) if callers is None else np.asarray(callers)
    return comparison.Outcome(np.asarray(values, dtype=float), names)


def test_the_sample_size_is_that_of_the_textbook() -> None:
    # Two proportions of 0.5 and 0.4, alpha 0.05 two-sided, power 0.8: 388 per group without continuity correction.
    assert comparison.sample_size(0.5, 0.1, 0.05, 0.8) == 2 * 388


def test_the_interval_of_two_proportions_is_the_classic_one() -> None:
    # 80 of 100 against 60 of 100: the standard error is sqrt(.16/100 + .24/100), up to n - 1 for n.
    found = comparison.between(outcome([1] * 80 + [0] * 20), outcome([1] * 60 + [0] * 40), 0.05, None)
    half = 1.959964 * math.sqrt(0.8 * 0.2 / 99 + 0.6 * 0.4 / 99)
    assert (found.low, found.high) == pytest.approx((0.2 - half, 0.2 + half), abs=1e-6)
    assert found.verdict(1) == "better"
    assert found.verdict(-1) == "worse"


def test_records_of_one_caller_are_not_independent() -> None:
    random = np.random.default_rng(0)
    values = random.integers(0, 2, 40).astype(float)
    once = comparison.mean(outcome(values))
    ten_times = comparison.mean(outcome(np.repeat(values, 10), np.repeat(np.arange(40).astype(str), 10)))
    assert ten_times.variance == pytest.approx(once.variance)


def looks(random: np.random.Generator, effect: float, planned: int | None) -> bool:
    """Whether a shadow comparison that is looked at every 50 of 2,000 records ever shows a difference."""
    new, old = random.random(2000) < 0.8 + effect, random.random(2000) < 0.8
    for n in range(50, 2001, 50):
        names = np.arange(n).astype(str)
        if comparison.paired(new[:n].astype(float), old[:n].astype(float), names, 0.05, planned).verdict(1) != "open":
            return True
    return False


def test_looking_often_raises_no_false_alarm_with_the_sequential_test() -> None:
    random = np.random.default_rng(1)
    sequential = sum(looks(random, 0.0, 1000) for _ in range(200)) / 200
    random = np.random.default_rng(1)
    repeated = sum(looks(random, 0.0, None) for _ in range(200)) / 200
    # Allowed are 5 %, with three standard errors of 200 simulations; looking often at a fixed horizon breaks that.
    assert sequential <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)
    assert repeated > 0.15


def test_the_sequential_test_sees_a_difference_that_matters() -> None:
    random = np.random.default_rng(2)
    assert sum(looks(random, 0.08, 1000) for _ in range(50)) / 50 > 0.8


def test_a_trend_that_all_callers_share_is_not_the_roll_outs() -> None:
    random = np.random.default_rng(3)
    callers = np.array([f"caller {i}" for i in range(200)])
    level, treated = random.normal(0, 5, 200), set(callers[:100])
    before = level + random.normal(0, 0.1, 200)
    # Everybody gains 3; the treated lose 1 of it.
    after = level + 3 - np.array([caller in treated for caller in callers]) + random.normal(0, 0.1, 200)
    found = comparison.difference_in_differences(outcome(before, callers), outcome(after, callers), treated, 0.05)
    assert found.value == pytest.approx(-1, abs=0.1)
    assert found.low < -1 < found.high
    assert found.verdict(1) == "worse"


def test_nothing_measured_is_open() -> None:
    empty = outcome([])
    assert comparison.between(empty, empty, 0.05, None).verdict(1) == "open"
    assert comparison.difference_in_differences(empty, empty, set(), 0.05).verdict(1) == "open"


def test_a_small_canary_beside_many_records_does_not_look_like_a_long_experiment() -> None:
    many, few = outcome([0, 1] * 5_000), outcome([1] * 49)
    assert comparison.between(few, many, 0.05, None).verdict(1) == "open"
    # With 100 of its own it is as wide as one whose other arm has no more: 200 records, of 10,000 planned.
    found = comparison.between(outcome([0, 1] * 50), many, 0.05, 10_000)
    error = math.sqrt(0.25 / 99 + 0.25 / 9_999)
    assert found.high - found.value == pytest.approx(comparison.critical(200, 0.05, 10_000) * error)


def test_a_few_lucky_records_decide_nothing() -> None:
    # Nothing varies, so that an interval from the variance alone would have no width.
    assert comparison.between(outcome([1] * 49), outcome([0] * 49), 0.05, None).verdict(1) == "open"
    assert comparison.between(outcome([1] * 50), outcome([0] * 50), 0.05, None).verdict(1) == "better"
