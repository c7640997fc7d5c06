"""How numbers stand in pages, tables and printed lines: one way for all.

Reads and writes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from fullstack_ml.pages.words import translated, words


def number(value: float | None, digits: int = 4) -> str:
    """Write a measured value with so many significant digits; what was not measured says so."""
    return words("not measurable") if value is None else f"{value:.{digits}g}"


def share(value: float | None, digits: int = 1) -> str:
    """Write a share in percent."""
    return words("not measurable") if value is None else f"{100 * value:.{digits}f} %"


def count(value: int) -> str:
    """Write how many there are."""
    return f"{value:,}"


def day(value: date) -> str:
    """Write a day as people of the language do."""
    order = "%(year)s-%(month)s-%(day)s"
    if translated(order) == order:
        return value.isoformat()
    return words(order, year=value.year, month=value.month, day=value.day)


def decimal(value: float | None, digits: int = 3) -> str:
    """Write a value with so many decimals, for columns of equal width; a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def interval(bounds: Sequence[float] | None, digits: int = 4) -> str:
    """Write an interval; nothing where there is none."""
    return "" if bounds is None else _range(*(number(bound, digits) for bound in bounds))


def between(bounds: Sequence[float] | None) -> str:
    """Write an interval of shares in percent; nothing where there is none."""
    # Added to 0.0, what is rounded to -0.0 is 0.0.
    return "" if bounds is None else _range(*(f"{round(100 * bound, 1) + 0.0:.1f}" for bound in bounds))


def quantity(value: float | None, unit: str) -> str:
    """Write a value in its unit, a share in percent."""
    if value is None or unit != "share":
        if value is not None and unit == "records":
            return words("%(n)s records", n=count(int(value)))
        return number(value) if value is None else f"{number(value)} {translated(unit)}"
    shown = f"{100 * value:.3g}"
    rounded = "." not in shown and abs(float(shown) - 100 * value) > 1e-9  # 97 would read as if it were exact
    return f"{100 * value:.1f} %" if rounded else f"{shown} %"


def threshold(row: Mapping[str, Any], unit: str) -> str:
    """Write what a row of a contract asks for: ``≥ 98 %``."""
    return f"{'≥' if row['operator'] == '>=' else '≤'} {quantity(row['threshold'], unit)}"


def range_of(bounds: Sequence[float] | None, unit: str) -> str:
    """Write an interval of values in their unit; nothing where there is none."""
    return between(bounds) + " %" * bool(bounds) if unit == "share" else interval(bounds)


def measured(value: float | None, bounds: Sequence[float] | None, digits: int = 3) -> str:
    """Write a value with its interval: ``0.912 (0.880 to 0.940)``."""
    if value is None or bounds is None:
        return words("not measurable") if value is None else decimal(value, digits)
    return f"{decimal(value, digits)} ({_range(*(decimal(bound, digits) for bound in bounds))})"


def _range(low: str, high: str) -> str:
    return words("%(low)s to %(high)s", low=low, high=high)


def cell(value: Any) -> str:
    """Write a value so that it fits into one cell of a Markdown table, and is text there, not markup."""
    return str(value).replace("<", "&lt;").replace("|", "\\|").replace("\n", " ")


def row(cells: Iterable[Any]) -> str:
    """Write one line of a Markdown table."""
    return f"| {' | '.join(map(cell, cells))} |"


FILTERS = {
    function.__name__: function
    for function in (
        number,
        share,
        count,
        day,
        decimal,
        interval,
        between,
        quantity,
        threshold,
        range_of,
        measured,
        cell,
    )
}
