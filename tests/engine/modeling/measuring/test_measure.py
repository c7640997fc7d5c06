"""Measuring on the test split: known answers per slice, per label and along the risk curve."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from fullstack_ml.answers import label
from fullstack_ml.answers.label import report
from fullstack_ml.answers.label.rule import Rule
from fullstack_ml.modeling.measuring import measure
from fullstack_ml.product.types import ErrorCost
from fullstack_ml.workspace.sentences import in_english
from measured import label_table

RULE = Rule(floor=0.5, confidence=0.0, novelty=None, coverage=0.9)


def certain(answers: list[int], labels: int) -> np.ndarray:
    """Return the outputs of a model that is certain of its answers."""
    return np.eye(labels)[answers]


def per_slice(product: Any, given: Any, outputs: np.ndarray, answered: list[bool]) -> dict[str, Any]:
    """Measure the slices of records for which ``outputs`` were given."""
    table = label_table(outputs, given.truth, np.array(answered), 0.5)
    answer: Any = label
    return measure.per_slice(answer, product, given, outputs, table, {"majority": 0}, 2)


def examples(truth: list[int], **columns: list[Any]) -> Any:
    """Return examples with the given columns."""
    return SimpleNamespace(frame=pl.DataFrame(columns or {"n": truth}), truth=np.array(truth))


def sliced(product: Any, *slices: dict[str, Any]) -> Any:
    """Return the contract with other slices."""
    kind = type(product.data).model_fields["slices"].annotation.__args__[0]
    parts = [kind(id=f"s{i}", column="size", reason="r", **part) for i, part in enumerate(slices)]
    return product.model_copy(update={"data": product.data.model_copy(update={"slices": parts})})


def test_a_slice_is_measured_on_its_own_records(product: Any) -> None:
    wanted = sliced(product, {"below": 2.0}, {"at_least": 2.0})
    given = examples([0, 0, 1, 1], size=[1.0, 1.0, 3.0, 3.0])
    answers = certain([0, 0, 1, 0], len(product.formulation.answer.labels))
    found = per_slice(wanted, given, answers, [True, False] * 2)
    assert (found["s0"]["records"], found["s0"]["accuracy"]) == (2, 1.0)
    assert (found["s1"]["records"], found["s1"]["accuracy"]) == (2, 0.5)
    assert found["s1"]["answered_share"] == 0.5


def test_a_slice_that_is_too_small_is_not_measurable(product: Any) -> None:
    wanted = sliced(product, {"below": 2.0}, {"at_least": 9.0})
    given = examples([0, 1], size=[1.0, 1.0])
    answers = certain([0, 1], len(product.formulation.answer.labels))
    found = per_slice(wanted, given, answers, [True] * 2)
    assert "accuracy" in found["s0"]
    assert found["s1"]["records"] == 0
    assert in_english(found["s1"]["not_measurable"]) == "fewer than 2 records"


@pytest.mark.parametrize(
    ("accuracies", "worst"),
    [([0.9, 0.8, 1.0], 0.8), ([0.9, None], None), ([], None)],
    ids=["all", "one-missing", "none"],
)
def test_what_was_not_measured_cannot_be_the_worst_and_pass(
    accuracies: list[float | None], worst: float | None
) -> None:
    slices = {
        str(i): {"records": 9} if value is None else {"accuracy": value, "accuracy_interval": [value, value]}
        for i, value in enumerate(accuracies)
    }
    answer: Any = label
    name, (value, _) = measure.worst_slice(answer, label.METRICS["accuracy"], slices)
    assert (name, value) == ("worst_slice_accuracy", worst)


def test_recall_and_precision_are_counted_per_label(product: Any) -> None:
    names, labels = product.formulation.label_names, len(product.formulation.answer.labels)
    truth, answers = [0, 0, 0, 1], [0, 0, 1, 1]
    decisions = np.array(["accept", "accept", "uncertain", "accept"])
    found = report.per_label(names, certain(answers, labels), np.array(truth), decisions, RULE)
    assert found[names[0]]["recall"] == pytest.approx(2 / 3)
    assert found[names[0]]["precision"] == 1.0
    assert found[names[1]]["precision"] == 0.5
    assert found[names[0]]["set_coverage"] == pytest.approx(2 / 3)
    assert found[names[0]]["answered_share"] == pytest.approx(2 / 3)


def test_a_label_without_records_has_no_recall(product: Any) -> None:
    names, labels = product.formulation.label_names, len(product.formulation.answer.labels)
    found = report.per_label(names, certain([0, 0], labels), np.array([0, 0]), np.array(["accept"] * 2), RULE)
    assert found[names[1]]["records"] == 0
    assert found[names[1]]["recall"] is None
    assert found[names[1]]["precision"] is None


def test_the_risk_curve_answers_the_surest_records_first() -> None:
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2], [0.55, 0.45]])
    # By confidence: right, right, wrong, right.
    found = report.risk_curve(probabilities.max(axis=1), probabilities.argmax(axis=1) == np.array([0, 1, 0, 0]))
    assert [(row["answered_share"], row["answered_error"]) for row in found] == [
        (0.25, 0.0),
        (0.5, 0.0),
        (0.75, pytest.approx(1 / 3)),
        (1.0, 0.25),
    ]


@pytest.mark.parametrize(("error", "upper"), [(0.0, 0.2 * 1 + 0.8 * 0.0119 * 30), (0.01, 0.3)])
def test_the_cost_takes_the_bound_of_errors_that_nobody_saw(error: float, upper: float) -> None:
    cost = ErrorCost.model_validate({"wrong": 30, "abstain": 1, "unit": "min", "reason": "a wrong digit is found late"})
    product: Any = SimpleNamespace(service=SimpleNamespace(error_cost=cost))
    known: dict[str, float | None] = {"answered_share": 0.8, "answered_error": error}
    ends: dict[str, Any] = {"cost_per_record": [0.2, 0.3], "answered_error": [0.0, 0.0119]}
    found = ends | measure.cost_of_unseen(known, ends, product)
    assert found["cost_per_record"] == [0.2, pytest.approx(upper)]
    assert measure.cost_of_unseen(known, ends | {"answered_error": None}, product) == {}
