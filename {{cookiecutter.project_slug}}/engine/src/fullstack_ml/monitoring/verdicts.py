"""Hold what was measured of a window against ``monitoring`` of ``product.yaml``, row by row, and word the alarms.

Reads and writes nothing. A row is ``pass``, ``alarm`` where it is beyond its threshold by more than chance explains,
``beyond`` where it is and chance may explain it, or ``not measured``.
"""

from typing import Any

from fullstack_ml.monitoring.chance import Measure
from fullstack_ml.pages.formats import number
from fullstack_ml.pages.words import words
from fullstack_ml.product.types import Product, Watch

ALWAYS = ("records", "model_age_days", "data_age_days")  # judged however few records there are


def tests(product: Product, columns: int) -> int:
    """Count the comparisons of one run; a row on all of ``columns`` is as many."""
    rows = product.monitoring.watch if product.monitoring else []
    return sum(columns if row.metric in ("drift", "missing_share") and row.of == "all" else 1 for row in rows)


def candidates(row: Watch, window: dict[str, Any]) -> dict[str, Measure]:
    """Return what a row is about, by the name of the feature or slice; ``""`` is the window as a whole."""
    if row.metric in ("drift", "missing_share"):
        found = {name: column[row.metric] for name, column in window["columns"].items()}
        return found if row.of == "all" else {name: one for name, one in found.items() if name == row.of}
    if row.metric == "unfamiliar_share" and row.of != "all":
        return {name: one[row.metric] for name, one in window["slices"].items() if name == row.of}
    return {"": window["measures"][row.metric]}


def judge(row: Watch, measured: Measure, fewest: int) -> str:
    """Judge one measure."""
    value: Any = measured["value"]
    if value is None or (measured["records"] < fewest and row.metric not in ALWAYS):
        return "not measured"
    if value <= row.threshold if row.operator == "<=" else value >= row.threshold:
        return "pass"
    low, high = measured.get("low", value), measured.get("high", value)
    surely = low > row.threshold if row.operator == "<=" else high < row.threshold
    return "alarm" if surely else "beyond"


def verdict(row: Watch, window: dict[str, Any], fewest: int) -> dict[str, Any]:
    """Judge one row: by the worst of what it is about."""
    rank = {"not measured": 0, "pass": 1, "beyond": 2, "alarm": 3}
    sign = 1 if row.operator == "<=" else -1
    found = [(judge(row, one, fewest), name, one) for name, one in candidates(row, window).items()]
    none: tuple[str, str, Measure] = ("not measured", "", {"value": None, "records": 0})
    worst = max(found, key=lambda item: (rank[item[0]], sign * (item[2]["value"] or 0)), default=none)
    said, name, measured = worst
    bounds = {key: measured.get(key) for key in ("value", "low", "high", "records")}
    return {**row.model_dump(), "which": name, "verdict": said, **bounds}


def judge_all(product: Product, window: dict[str, Any], fewest: int) -> list[dict[str, Any]]:
    """Judge every row of the contract."""
    return [verdict(row, window, fewest) for row in (product.monitoring.watch if product.monitoring else [])]


def message(row: dict[str, Any], window: dict[str, Any], page: str) -> str:
    """Return the three lines of an alarm: what, where, what follows and who does it."""
    what = words(
        "%(id)s: %(metric)s%(which)s is %(value)s, wanted %(operator)s %(threshold)s",
        id=row["id"],
        metric=row["metric"],
        which=words(" of %(part)s", part=row["which"]) if row["which"] else "",
        value=number(row["value"]),
        operator=row["operator"],
        threshold=f"{row['threshold']:g}",
    )
    span = words(
        "%(records)s records from %(start)s to %(end)s", records=row["records"], start=window["from"], end=window["to"]
    )
    return f"alarm: {what}\nwhere: {span}; {page}\nnext:  {row['owner']}: {row['follows']}"
