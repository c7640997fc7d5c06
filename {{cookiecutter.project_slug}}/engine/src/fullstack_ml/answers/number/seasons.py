"""What a forecast without a model says: the last number, or the mean of the same season.

Reads and writes nothing. Seasons are parts of a time that come again: an hour, a weekday, a month.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

FEWEST = 5  # training records of a season, on average


def hours(moments: np.ndarray) -> np.ndarray:
    """Return the hour of the day, 0 to 23."""
    return np.asarray(moments.astype("datetime64[h]").astype(np.int64) % 24)


def weekdays(moments: np.ndarray) -> np.ndarray:
    """Return the day of the week, Monday is 0: 1970-01-01 was a Thursday."""
    return np.asarray((moments.astype("datetime64[D]").astype(np.int64) + 3) % 7)


def months(moments: np.ndarray) -> np.ndarray:
    """Return the month, January is 0."""
    return np.asarray(moments.astype("datetime64[M]").astype(np.int64) % 12)


SEASONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "hour": hours,
    "weekday": weekdays,
    "weekday and hour": lambda moments: 24 * weekdays(moments) + hours(moments),
    "month": months,
}


def history(truth: np.ndarray, moments: np.ndarray) -> dict[str, Any]:
    """Return the last number, the season that explains the numbers best, and its means; None where none comes again."""
    found: dict[str, Any] = {"last": float(truth[moments == moments.max()].mean()), "season": None, "means": {}}
    best = np.inf
    for name, season_of in SEASONS.items():
        names, place, counts = np.unique(season_of(moments), return_inverse=True, return_counts=True)
        if len(names) < 2 or len(truth) < FEWEST * len(names):
            continue
        means = np.bincount(place, truth) / counts
        # Each record left out of the mean of its season: many small seasons explain nothing by that.
        others = (means[place] * counts[place] - truth) / np.maximum(counts[place] - 1, 1)
        error = float(np.abs(truth - np.where(counts[place] > 1, others, truth.mean())).mean())
        if error < best:
            best = error
            found |= {"season": name, "means": dict(zip(map(str, names.tolist()), means.tolist(), strict=True))}
    return found


def seasonal(known: dict[str, Any], mean: float, moments: np.ndarray) -> np.ndarray:
    """Return the mean of every record's season; of one that training never saw, the ``mean`` of all."""
    return np.array([known["means"].get(str(one), mean) for one in SEASONS[known["season"]](moments).tolist()])
