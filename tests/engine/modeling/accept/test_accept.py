"""Stage accept: the verdict on every requirement, closed by default."""

import json
from pathlib import Path
from typing import Any

import pytest

from fullstack_ml.modeling.accept import __main__ as accept


def requirement(product: Any, **values: Any) -> Any:
    """Return a requirement with the given values."""
    plain = {"id": "R1", "metric": "accuracy", "slice": "all", "operator": ">=", "threshold": 0.9, "decide": "point"}
    return product.requirements[0].model_copy(update={**plain, **values})


def reports(**metrics: Any) -> dict[str, Any]:
    """Return the reports of an evaluation that measured ``metrics``."""
    evaluation = {"metrics": metrics, "intervals": {}, "slices": {}}
    return {"performance": {}, "validation": {"metrics": {}}, "agreement": {"metrics": {}}, "evaluation": evaluation}


@pytest.mark.parametrize(
    ("operator", "value", "verdict"),
    [
        (">=", 0.91, "pass"),
        (">=", 0.9, "pass"),
        (">=", 0.89, "fail"),
        ("<=", 0.89, "pass"),
        ("<=", 0.9, "pass"),
        ("<=", 0.91, "fail"),
        (">=", None, "not measurable"),
        ("<=", None, "not measurable"),
        (">=", float("nan"), "fail"),
        ("<=", float("nan"), "fail"),
    ],
)
def test_the_verdict_is_that_of_the_operator(operator: str, value: float | None, verdict: str, product: Any) -> None:
    assert accept.judge(requirement(product, operator=operator), value, None)["verdict"] == verdict


@pytest.mark.parametrize(
    ("operator", "interval", "verdict"),
    [
        (">=", [0.91, 0.99], "pass"),
        (">=", [0.89, 0.99], "fail"),
        ("<=", [0.01, 0.89], "pass"),
        ("<=", [0.01, 0.91], "fail"),
        (">=", None, "not measurable"),
    ],
)
def test_decided_on_the_bound_the_worse_end_of_the_interval_counts(
    operator: str, interval: list[float] | None, verdict: str, product: Any
) -> None:
    value = 0.95 if operator == ">=" else 0.5
    judged = accept.judge(requirement(product, operator=operator, decide="bound"), value, interval)
    assert judged["verdict"] == verdict


def test_on_the_point_the_interval_does_not_count(product: Any) -> None:
    assert accept.judge(requirement(product), 0.95, [0.1, 0.99])["verdict"] == "pass"


def test_a_metric_is_found_in_whichever_report_measures_it(product: Any) -> None:
    given = reports(accuracy=0.95)
    given["performance"] = {"artefact_kib": 12.0}
    given["validation"] = {"metrics": {"records": 700}}
    given["agreement"] = {"metrics": {"agreement_alpha": None}}
    rows = {name: requirement(product, metric=name) for name in ("accuracy", "artefact_kib", "records")}
    rows["agreement_alpha"] = requirement(product, metric="agreement_alpha")
    found = accept.verdicts(product.model_copy(update={"requirements": list(rows.values())}), given)
    assert [row["value"] for row in found] == [0.95, 12.0, 700.0, None]
    assert found[-1]["verdict"] == "not measurable"


def test_agreement_can_be_decided_on_its_interval(product: Any) -> None:
    given = reports()
    given["agreement"] = {"metrics": {"agreement_alpha": 0.85}, "intervals": {"agreement_alpha": [0.78, 0.9]}}
    alpha = {"metric": "agreement_alpha", "threshold": 0.8}
    wanted = [requirement(product, **alpha, decide=decide) for decide in ("point", "bound")]
    found = accept.verdicts(product.model_copy(update={"requirements": wanted}), given)
    assert [row["verdict"] for row in found] == ["pass", "fail"]


def test_a_requirement_on_a_slice_is_decided_by_the_slice(product: Any) -> None:
    given = reports(accuracy=0.99)
    given["evaluation"]["slices"] = {"thin": {"accuracy": 0.8}, "thick": {"not_measurable": "fewer than 20 records"}}
    wanted = [requirement(product, slice=name) for name in ("thin", "thick")]
    found = accept.verdicts(product.model_copy(update={"requirements": wanted}), given)
    assert [(row["value"], row["verdict"]) for row in found] == [(0.8, "fail"), (None, "not measurable")]


def test_a_metric_that_no_report_holds_is_not_measurable(product: Any) -> None:
    (found,) = accept.verdicts(product.model_copy(update={"requirements": [requirement(product)]}), reports())
    assert found["verdict"] == "not measurable"


def decided() -> Any:
    """Read what the stage decided."""
    return json.loads(Path("reports/acceptance.json").read_text(encoding="utf-8"))


def test_every_requirement_of_the_contract_has_a_verdict(finished: Path, product: Any) -> None:
    found = decided()
    assert [row["id"] for row in found["verdicts"]] == [r.id for r in product.requirements]
    assert found["failed"] == [row["id"] for row in found["verdicts"] if row["verdict"] != "pass"]
    assert found["accepted"] == (not found["failed"])


def measured_nothing() -> None:
    """Let every metric of the reports be missing."""
    for file in ("reports/evaluation.json", "reports/validation.json", "reports/agreement.json"):
        report = json.loads(Path(file).read_text(encoding="utf-8"))
        report["metrics"] = dict.fromkeys(report["metrics"])
        report["intervals"] = {}
        report["slices"] = {}
        Path(file).write_text(json.dumps(report), encoding="utf-8")


def test_one_metric_that_was_not_measured_is_enough_to_reject(finished: Path, config: Any, product: Any) -> None:
    first = next(r for r in product.requirements if r.metric == "accuracy" and r.slice == "all")
    report = json.loads(Path("reports/evaluation.json").read_text(encoding="utf-8"))
    report["metrics"]["accuracy"] = None
    Path("reports/evaluation.json").write_text(json.dumps(report), encoding="utf-8")
    accept.run(config)
    assert not decided()["accepted"]
    assert first.id in decided()["failed"]


def test_a_rejected_run_ends_well_and_says_who_rejected_it(
    finished: Path, config: Any, product: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    measured_nothing()
    accept.run(config)
    printed = capsys.readouterr().out
    assert "REJECTED by " in printed
    assert all(f"  {r.id:<4}" in printed for r in product.requirements)


def test_a_line_of_the_table_names_slice_value_and_limit(product: Any) -> None:
    row = accept.judge(requirement(product, slice="thin", unit="share"), 0.91234, [0.9, 0.92])
    line = accept.as_line(row)
    for part in ("R1", "pass", "accuracy on thin", " 91.2 % ", ">= 90 %", "90.0 to 92.0 %"):
        assert part in line
    assert "not measurable" in accept.as_line(accept.judge(requirement(product), None, None))
