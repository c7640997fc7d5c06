"""Stage ``accept``: hold the reports against the requirements of ``product.yaml``.

Reads ``product.yaml`` and the reports of the stages before it; writes ``reports/acceptance.json``, the verdict and the
evidence per requirement id. A metric that was not measured fails. The stage itself succeeds, so that a rejected run
can be reviewed too; ``register`` is the gate that closes. Run: ``python -m fullstack_ml.modeling.accept``.
"""

import operator
from typing import Any

from fullstack_ml.answers import answer_of
from fullstack_ml.pages.formats import number, quantity, range_of
from fullstack_ml.pages.words import told, words
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Product, Requirement
from fullstack_ml.workspace.files import read_json, write_json
from fullstack_ml.workspace.paths import ACCEPTANCE, AGREEMENT, EVALUATION, PERFORMANCE, VALIDATION

OPERATORS = {">=": operator.ge, "<=": operator.le}


def measured(requirement: Requirement, evaluation: dict[str, Any], overall: dict[str, Any]) -> float | None:
    """Return the value that the requirement is about, or None when nothing measured it."""
    if requirement.slice == "all":
        value = overall.get(requirement.metric)
    else:
        value = evaluation["slices"].get(requirement.slice, {}).get(requirement.metric)
    return None if value is None else float(value)


def interval_of(requirement: Requirement, evaluation: dict[str, Any]) -> list[float] | None:
    """Return the 95 % interval of the requirement's metric, or None when there is none."""
    if requirement.slice == "all":
        found: list[float] | None = evaluation["intervals"].get(requirement.metric)
    else:
        found = evaluation["slices"].get(requirement.slice, {}).get(f"{requirement.metric}_interval")
    return found


def judge(requirement: Requirement, value: float | None, interval: list[float] | None) -> dict[str, Any]:
    """Give the verdict on one requirement: ``pass``, ``fail`` or ``not measurable``.

    Decided on the bound, it is the lower end of the interval that has to reach ``>=``, the upper end ``<=``.
    """
    decisive = value
    if requirement.decide == "bound":
        decisive = None if interval is None else interval[0 if requirement.operator == ">=" else 1]
    holds = decisive is not None and OPERATORS[requirement.operator](decisive, requirement.threshold)
    verdict = "not measurable" if value is None or decisive is None else "pass" if holds else "fail"
    return {
        **requirement.model_dump(include={"id", "metric", "slice", "operator", "threshold", "decide", "unit", "owner"}),
        "value": value,
        "interval": interval,
        "verdict": verdict,
    }


def verdicts(product: Product, reports: dict[str, Any]) -> list[dict[str, Any]]:
    """Judge every requirement on the reports by name."""
    overall = dict(reports["performance"])
    for name in ("validation", "agreement", "evaluation"):
        overall |= reports[name]["metrics"]
    evaluation = dict(reports["evaluation"])
    evaluation["intervals"] = reports["agreement"].get("intervals", {}) | evaluation["intervals"]
    rows = [judge(r, measured(r, evaluation, overall), interval_of(r, evaluation)) for r in product.requirements]
    return [{**row, "note": answer_of(product).note(row, evaluation)} for row in rows]


def as_line(verdict: dict[str, Any]) -> str:
    """Write a verdict as one line of a table."""
    unit = verdict["unit"]
    limit = f"{verdict['operator']} {quantity(verdict['threshold'], unit)}"
    place = "" if verdict["slice"] == "all" else words(" on %(slice)s", slice=verdict["slice"])
    if verdict["interval"] is not None:
        limit = f"{limit:<16}   95 %: {range_of(verdict['interval'], unit)}"
        limit += words(", decides") if verdict["decide"] == "bound" else ""
    said = f"\n      {told(verdict['note'])}" if verdict.get("note") else ""
    name, value = verdict["metric"] + place, number(verdict["value"])
    if unit == "share":  # the unit of others stands behind the threshold
        value = quantity(verdict["value"], unit)
    return f"  {verdict['id']:<4}{words(verdict['verdict']):<15}{name:<24}{value:>10}  {limit}{said}"


def run(config: Config) -> None:
    """Write and print the table of verdicts."""
    paths = {"validation": VALIDATION, "agreement": AGREEMENT, "performance": PERFORMANCE, "evaluation": EVALUATION}
    table = verdicts(load(), {name: read_json(path) for name, path in paths.items()})
    failed = [row["id"] for row in table if row["verdict"] != "pass"]
    write_json(ACCEPTANCE, {"accepted": not failed, "failed": failed, "verdicts": table})
    print("\n".join(map(as_line, table)))
    rejected = words("REJECTED by %(ids)s", ids=", ".join(failed))
    print(f"accept: {rejected if failed else words('every requirement holds')}")


if __name__ == "__main__":
    stage(run)
