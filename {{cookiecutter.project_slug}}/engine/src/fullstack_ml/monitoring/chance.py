"""What chance alone explains: intervals of shares and means, and the test whether two spreads differ.

Reads and writes nothing. Every function takes the ``level`` at which one look may be wrong, so that all looks of a
month together are wrong as seldom as conf/monitoring.yaml says (Bonferroni: the sum of the levels bounds it, however
the looks hang together).
"""

import math
from typing import Any

import numpy as np

from fullstack_ml.modeling.export.reference import Spread
from fullstack_ml.serving.comparison import NORMAL, Outcome, mean

EXPECTED = 5  # records that a cell of the test has to expect
NIGHTS = 30  # runs of a month
Measure = dict[str, Any]


def level_of(false_alarms: float, tests: int, days: float) -> float:
    """Return the level of one test, of so many in every run; a window below a day is looked at once each."""
    return false_alarms / (max(1, tests) * max(NIGHTS, NIGHTS / days))


def share(count: int, records: int, level: float) -> Measure:
    """Return a share with its exact interval, each end wrong with probability ``level`` (Clopper and Pearson 1934)."""
    from scipy.special import betainccinv, betaincinv

    if not records:
        return {"value": None, "records": 0}
    low = float(betaincinv(count, records - count + 1, level)) if count else 0.0
    high = float(betainccinv(count + 1, records - count, level)) if count < records else 1.0
    return {"value": count / records, "low": low, "high": high, "records": records}


def average(values: np.ndarray, callers: np.ndarray, level: float, unit: str) -> Measure:
    """Return a mean with its interval; what is not finite is left out, and records of one caller count together."""
    known = np.isfinite(values)
    values, callers = values[known], callers[known]
    if not len(values):
        return {"value": None, "records": 0}
    if unit == "share" and np.isin(values, (0.0, 1.0)).all():
        return share(int(values.sum()), len(values), level)
    found = mean(Outcome(values, callers))
    half = NORMAL.inv_cdf(1 - level) * math.sqrt(found.variance) if found.variance == found.variance else math.inf
    bounds = {"low": found.value - half, "high": found.value + half} if math.isfinite(half) else {}
    return {"value": found.value, **bounds, "records": found.n}


def psi(before: np.ndarray, now: np.ndarray) -> float:
    """Return the population stability index of two counts in the same bins; half a record is added to each bin.

    Yurdakul and Naranjo 2020, Statistical properties of the population stability index.
    """
    one, other = ((counts + 0.5) / (counts + 0.5).sum() for counts in (before, now))
    return float(((other - one) * np.log(other / one)).sum())


def p_value(before: np.ndarray, now: np.ndarray) -> float:
    """Return how often chance makes two counts differ as much (likelihood-ratio test of homogeneity).

    The reference is a sample too, which is why it counts with its own records. Bins in which one of the two expects
    fewer than ``EXPECTED`` records count together. Not Pearson's test: the bins are cut so that each holds as many
    records of the reference, some of them are narrow by chance, and at the levels of a month of looks it would then
    call ten times as many differences real. The correction is of Williams 1976, Improved Likelihood Ratio Tests for
    Complete Contingency Tables.
    """
    from scipy.special import chdtrc, xlogy  # scipy.stats takes two seconds to import, and is slow for one table

    table = np.stack([before, now]).astype(float)
    few = table.sum(axis=0) * table.sum(axis=1).min() / table.sum() < EXPECTED
    table = np.column_stack([table[:, ~few], table[:, few].sum(axis=1)])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2:
        return 1.0
    total, rows, columns = table.sum(), table.sum(axis=1), table.sum(axis=0)
    ratio = 2 * float(xlogy(table, table * total / np.outer(rows, columns)).sum())
    free = len(columns) - 1
    correction = 1 + ((total / rows).sum() - 1) * ((total / columns).sum() - 1) / (6 * total * free)
    return float(chdtrc(free, ratio / correction))


def drift(spread: Spread, counts: np.ndarray, level: float) -> Measure:
    """Compare counts in a reference's bins: ``value`` is the PSI, and ``low`` is 0 where it may be chance."""
    before = np.array(spread["counts"])
    if not counts.sum() or not before.sum():
        return {"value": None, "records": int(counts.sum())}
    value, p = psi(before, counts), p_value(before, counts)
    return {"value": value, "low": value if p < level else 0.0, "high": value, "p": p, "records": int(counts.sum())}
