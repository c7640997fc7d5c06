"""Compare two arms: difference, interval, sample size, difference in differences.

Reads and writes nothing. Everything is a mean of ``Outcome.value`` over records; records of one caller are not
independent, so that variances are summed over callers (delta method: Deng, Knoblich and Lu 2018, Applying the Delta
Method in Metric Analytics). Arrays are aligned: one entry per record.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

NORMAL = NormalDist()
# Fewer records say nothing: both intervals rest on a variance that has to be estimated first.
BURN_IN = 100


@dataclass(frozen=True)
class Outcome:
    """``value`` float64 and ``caller`` (any hashable dtype), both of shape (records,)."""

    value: np.ndarray
    caller: np.ndarray


@dataclass(frozen=True)
class Mean:
    """A mean over ``n`` records with its variance."""

    value: float
    variance: float
    n: int


@dataclass(frozen=True)
class Difference:
    """``low`` to ``high`` holds the true difference with probability 1 - alpha."""

    value: float
    low: float
    high: float

    def verdict(self, sign: int) -> str:
        """Say on which side of zero the interval lies; ``sign`` is 1 where more is better, -1 where less is."""
        low, high = sorted((sign * self.low, sign * self.high))
        return "better" if low > 0 else "worse" if high < 0 else "open"


def mean(outcome: Outcome) -> Mean:
    """Return the mean over records; its variance is that of a ratio of sums over callers."""
    n = len(outcome.value)
    if n == 0:
        return Mean(math.nan, math.nan, 0)
    _, index = np.unique(outcome.caller, return_inverse=True)
    sizes = np.bincount(index).astype(float)
    sums = np.bincount(index, weights=outcome.value)
    value, clusters = float(outcome.value.mean()), len(sizes)
    if clusters < 2:  # one caller says nothing of callers: fall back to its records
        return Mean(value, float(outcome.value.var(ddof=1)) / n if n > 1 else math.nan, n)
    residual = sums - value * sizes
    return Mean(value, float((residual**2).sum() / (clusters - 1) * clusters / n**2), n)


def critical(n: int, alpha: float, planned: int | None) -> float:
    """Return how many standard errors an interval spans to each side.

    With ``planned`` None it is looked at once: the normal quantile. Otherwise at any time: the asymptotic confidence
    sequence, narrowest at ``planned`` records (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024, Time-uniform
    central limit theory and asymptotic confidence sequences, theorem 2.2 and appendix B.2).
    """
    if planned is None:
        return NORMAL.inv_cdf(1 - alpha / 2)
    tail = -2 * math.log(alpha)
    spread = n * (tail + math.log(tail + 1)) / max(planned, 1)  # n rho^2
    return math.sqrt(2 * (spread + 1) / spread * math.log(math.sqrt(spread + 1) / alpha)) if n else math.inf


def interval(value: float, variance: float, n: int, alpha: float, planned: int | None) -> Difference:
    """Return the interval around a difference that ``n`` records measured: everything while they are few."""
    known = n >= BURN_IN and variance == variance
    half = critical(n, alpha, planned) * math.sqrt(variance) if known else math.inf
    return Difference(value, value - half, value + half)


def between(new: Outcome, old: Outcome, alpha: float, planned: int | None) -> Difference:
    """Compare two groups of callers: a canary and the rest."""
    a, b = mean(new), mean(old)
    # Each arm counts as if it had the smaller one's records: a small canary does not look like a long experiment.
    return interval(a.value - b.value, a.variance + b.variance, 2 * min(a.n, b.n), alpha, planned)


def paired(new: np.ndarray, old: np.ndarray, caller: np.ndarray, alpha: float, planned: int | None) -> Difference:
    """Compare two arms that scored the same records: a shadow and the champion."""
    found = mean(Outcome(new - old, caller))
    return interval(found.value, found.variance, found.n, alpha, planned)


def sample_size(rate: float, detect: float, alpha: float, power: float) -> int:
    """Return the records in both arms together that show a difference of ``detect`` from ``rate`` (two proportions).

    Fleiss, Levin and Paik 2003, Statistical Methods for Rates and Proportions, section 4.2, without continuity
    correction.
    """
    other = rate - detect if rate - detect > 0 else rate + detect
    middle = (rate + other) / 2
    wide = NORMAL.inv_cdf(1 - alpha / 2) * math.sqrt(2 * middle * (1 - middle))
    far = NORMAL.inv_cdf(power) * math.sqrt(rate * (1 - rate) + other * (1 - other))
    return 2 * math.ceil(((wide + far) / detect) ** 2)


def sample_size_of_means(variance: float, detect: float, alpha: float, power: float) -> int:
    """Return the records in both arms together that show a difference of ``detect`` between two means.

    Fleiss, Levin and Paik 2003, section 4.2, with the ``variance`` of a record in place of a proportion's.
    """
    z = NORMAL.inv_cdf(1 - alpha / 2) + NORMAL.inv_cdf(power)
    return 2 * math.ceil(2 * variance * (z / detect) ** 2)


def difference_in_differences(before: Outcome, after: Outcome, treated: set[str], alpha: float) -> Difference:
    """Compare the change of the treated callers with that of the others, over callers seen before and after.

    Angrist and Pischke 2009, Mostly Harmless Econometrics, section 5.2; each caller is one unit, and since sites are
    few, the interval is Welch's, by Student's t.
    """
    from scipy.stats import ttest_ind

    earlier, later = by_caller(before), by_caller(after)
    changes: dict[bool, list[float]] = {True: [], False: []}
    for caller in earlier.keys() & later.keys():
        changes[caller in treated].append(later[caller] - earlier[caller])
    new, old = np.array(changes[True]), np.array(changes[False])
    if min(len(new), len(old)) < 2:
        return Difference(math.nan, -math.inf, math.inf)
    value = float(new.mean() - old.mean())
    if new.var() == old.var() == 0:  # no spread, no t
        return Difference(value, value, value)
    found = ttest_ind(new, old, equal_var=False).confidence_interval(1 - alpha)
    return Difference(value, float(found.low), float(found.high))


def by_caller(outcome: Outcome) -> dict[str, float]:
    """Return the mean of every caller."""
    callers, index = np.unique(outcome.caller, return_inverse=True)
    sums = np.bincount(index, weights=outcome.value) / np.bincount(index)
    return dict(zip(callers.tolist(), sums.tolist(), strict=True))
