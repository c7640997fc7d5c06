"""The metrics that a requirement may name: each is measured, and has one operator that makes sense."""

import json
from pathlib import Path

import pytest

from measured import ROWS

REPORTS = {"evaluate": ("evaluation", "performance"), "validate": ("validation",), "label": ("agreement",)}


@pytest.mark.parametrize("name", [name for name, metric in ROWS.items() if not metric.needs])
def test_a_metric_is_in_a_report_of_the_stage_that_measures_it(name: str, drawn: Path) -> None:
    found: set[str] = set()
    for report in REPORTS[ROWS[name].report]:
        content = json.loads((drawn / f"reports/{report}.json").read_text(encoding="utf-8"))
        found |= set(content.get("metrics", content))
    assert name in found


@pytest.mark.parametrize(("better", "operator"), [("higher", ">="), ("lower", "<=")])
def test_the_operator_follows_from_what_is_better(better: str, operator: str) -> None:
    of_that_kind = [metric for metric in ROWS.values() if metric.better == better]
    assert {metric.operator for metric in of_that_kind} == {operator}
