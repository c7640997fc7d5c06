"""What chance explains, against values by hand and the plain formulas."""

import math

import numpy as np
import polars as pl
import pytest

from fullstack_ml.modeling.export import reference
from fullstack_ml.monitoring import chance, verdicts
from fullstack_ml.product import types


def test_psi_is_the_sum_over_bins() -> None:
    before, now = np.array([99.5, 99.5]), np.array([49.5, 149.5])  # with half a record: 100 and 100, 50 and 150
    assert chance.psi(before, now) == pytest.approx(0.25 * math.log(1.5) - 0.25 * math.log(0.5))
    assert chance.psi(before, before) == 0


def test_an_interval_of_a_share_is_exact() -> None:
    found = chance.share(0, 10, 0.05)
    assert found["low"] == 0
    assert found["high"] == pytest.approx(1 - 0.05**0.1)  # (1 - p)^10 = 0.05


@pytest.mark.parametrize(("count", "records"), [(1, 30), (17, 40), (699, 700)])
def test_intervals_and_tests_are_those_of_scipy(count: int, records: int) -> None:
    from scipy.stats import binomtest, chi2, chi2_contingency

    found = chance.share(count, records, 0.01)
    exact = binomtest(count, records).proportion_ci(0.98, method="exact")
    assert (found["low"], found["high"]) == pytest.approx((exact.low, exact.high))
    before, now = np.array([60, 40, 20, count + 5]), np.array([300, 260, 90, 80])
    ratio = chi2_contingency([before, now], correction=False, lambda_="log-likelihood").statistic
    total, columns = before.sum() + now.sum(), before + now
    rows = total / before.sum() + total / now.sum() - 1
    corrected = ratio / (1 + rows * ((total / columns).sum() - 1) / (6 * total * 3))  # Williams 1976, of 2 x 4 cells
    assert chance.p_value(before, now) == pytest.approx(chi2.sf(corrected, 3))


def test_chance_raises_no_more_alarms_than_is_said() -> None:
    random, alarms = np.random.default_rng(0), 0
    spread = reference.spread_of(pl.Series("x", random.normal(size=300)))
    fresh = [pl.Series("x", random.normal(size=500)) for _ in range(400)]
    for column in fresh:
        alarms += chance.drift(spread, reference.counts_in(spread, column), 0.05)["low"] > 0
    assert alarms <= 0.08 * 400  # one reference for all: they hang together
    moved = reference.counts_in(spread, fresh[0] + 0.7)
    assert chance.drift(spread, moved, 1e-5)["low"] > 0.2


def test_few_records_in_alike_bins_are_no_reason_for_alarms_at_small_levels() -> None:
    """Where bins hold as many of 110 records each, the true shares of the bins are drawn around that (Dirichlet).

    Pearson's test is wrong in 4 of 1,000 such months at the level of 1 in 1,000.
    """
    random, held = np.random.default_rng(0), np.full(10, 11)
    shares = random.dirichlet(held, 20_000)
    wrong = sum(chance.p_value(held, random.multinomial(700, one)) < 0.001 for one in shares)
    assert wrong <= 20 + 4 * math.sqrt(20)


def test_bins_of_which_few_records_are_expected_count_together() -> None:
    # Of 1,000 and 100 records a bin of 30 lets the smaller table expect fewer than five; one of 60 does not.
    before, now = np.array([700, 210, 60, 20, 10]), np.array([60, 26, 8, 4, 2])
    together = np.array([700, 210, 60, 30]), np.array([60, 26, 8, 6])
    assert chance.p_value(before, now) == pytest.approx(chance.p_value(*together))
    assert chance.p_value(np.array([9, 1]), np.array([1, 1])) == 1.0, "all of it is one bin then"


@pytest.mark.parametrize(("days", "looks"), [(30, 30), (1, 30), (0.5, 60), (1 / 24, 720)])
def test_all_looks_of_a_month_share_the_false_alarms(days: float, looks: int) -> None:
    """The window is looked at every night, and one below a day as often as it goes into a month."""
    assert chance.level_of(0.1, 4, days) == pytest.approx(0.1 / (4 * looks))
    assert chance.level_of(0.1, 0, days) == pytest.approx(0.1 / looks)


def test_a_column_counts_by_bins_by_values_or_by_length() -> None:
    numbers = reference.spread_of(pl.Series("n", [0.0] * 60 + list(map(float, range(1, 41))) + [None] * 5))
    assert numbers["edges"][0] == 0.0
    assert numbers["counts"][0] == 60
    assert numbers["counts"][-1] == 5
    assert sum(numbers["counts"]) == 105
    named = pl.Series("c", ["a"] * 30 + ["b"] * 20 + ["rare"] * 3 + [None])
    spread = reference.spread_of(named)
    assert spread == {"values": ["a", "b"], "counts": [30, 20, 3, 1]}
    assert reference.counts_in(spread, pl.Series("c", ["b", "new", None, None])).tolist() == [0, 1, 1, 2]
    texts = reference.spread_of(pl.Series("t", [f"text {10 ** (i % 4)} {i}" for i in range(200)]))
    assert texts["length"]
    assert sum(texts["counts"]) == 200


@pytest.mark.parametrize(
    ("value", "low", "verdict"), [(0.04, 0.0, "pass"), (0.06, 0.04, "beyond"), (0.09, 0.06, "alarm")]
)
def test_an_alarm_is_beyond_what_chance_explains(value: float, low: float, verdict: str) -> None:
    row = types.Watch(id="M1", metric="unfamiliar_share", operator="<=", threshold=0.05, owner="you", follows="look")
    measured = {"value": value, "low": low, "high": 0.2, "records": 80}
    assert verdicts.judge(row, measured, 50) == verdict
    assert verdicts.judge(row, measured, 100) == "not measured"
