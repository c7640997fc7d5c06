"""Numbers as a person would write them into a contract.

Reads and writes nothing.
"""

import math

import polars as pl
from scipy.stats import binom

from fullstack_ml.draft.columns import Column
from fullstack_ml.draft.tally import Tally
from fullstack_ml.pages.words import words

ENOUGH, FAR = 50, 10  # values, and how many times as far from the middle as nearly all an end is that may mean nothing


def rounded(value: float, up: bool, digits: int = 2) -> float:
    """Round away from or towards zero so that ``value`` stays on the right side: at least it (``up``), or at most."""
    if value == 0 or not math.isfinite(value):
        return value
    step = 10.0 ** (math.floor(math.log10(abs(value))) - digits + 1)
    found = (math.ceil if up else math.floor)(value / step - (1e-9 if up else -1e-9)) * step
    return float(f"{found:.{digits + 4}g}")


def plain(value: float) -> float | int:
    """Write a whole number without a point."""
    return int(value) if float(value).is_integer() and abs(value) < 1e15 else value


def shown(value: float) -> str:
    """Write a number for people: a large one with all its digits."""
    return f"{value:,.0f}" if 10_000 <= abs(value) < 1e15 else f"{value:.4g}"


def far(low: float, high: float, values: pl.Series) -> list[float]:
    """Return the ends of a range that are far beyond nearly all values, as 9999 for "not known" is."""
    if len(values) < ENOUGH:
        return []
    lowest, middle, highest = (float(values.quantile(share) or 0) for share in (0.01, 0.5, 0.99))
    below = [low] if lowest < middle and lowest - low > FAR * (middle - lowest) else []
    return below + ([high] if middle < highest and high - highest > FAR * (highest - middle) else [])


def legal_range(low: float, high: float, whole: bool) -> tuple[float | int, float | int, str]:
    """Return a range with room around what was seen, within the limits of nature, and its reason."""
    room = 0.5 * (high - low)
    bottom = 0.0 if low >= 0 else rounded(low - room, up=False)
    top = 0.0 if high <= 0 else rounded(high + room, up=True)
    seen = {"low": f"{plain(low):.6g}", "high": f"{plain(high):.6g}"}
    reason = words("seen %(low)s to %(high)s, and half as much room", **seen)
    if low >= 0:
        reason += words("; never below 0")
    if low >= 0 and high <= 1 and not whole and high > 0.5:
        top, seen = 1.0, {"low": f"{low:.4g}", "high": f"{high:.4g}"}
        reason = words("seen %(low)s to %(high)s; a share, it seems", **seen)
    if whole:
        bottom, top = math.floor(bottom), math.ceil(top)
    if bottom == top:
        top = bottom + 1
    return plain(bottom), plain(top), reason


def far_ends(used: list[Column], table: Tally) -> list[str]:
    """Ask whether values that lie far from all others are real."""
    found = []
    for column in (column for column in used if column.type in ("number", "whole")):
        values = table.sample[column.name].cast(pl.Float64, strict=False).drop_nulls()
        found += [inside(shown(end), column.name.strip()) for end in far(column.low, column.high, values)]
    text = (
        "are values far from all others real: %(values)s? "
        "If not, empty such cells, or narrow low and high, which refuses their rows"
    )
    return [words(text, values=", ".join(found[:5]))] if found else []


def inside(what: str, column: str) -> str:
    """Say in which column something is."""
    return words("%(what)s in %(column)s", what=what, column=column)


def least_of(records: int, share: float, chance: float = 0.001) -> int:
    """Return how many of ``records`` a split of ``share`` holds at least, but for a ``chance``: splits are by hash."""
    return int(binom.ppf(chance, records, share))


def room(share: float, records: float, deviations: float = 2.5) -> float:
    """Return how far a share of ``records`` may fall by chance, and 2 points for a model that differs a little."""
    return deviations * math.sqrt(max(share * (1 - share), 0.01) / max(records, 1)) + 0.02
