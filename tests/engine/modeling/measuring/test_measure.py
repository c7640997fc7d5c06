"""Measuring on the test split: known answers per slice, per label and along the risk curve."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from fullstack_ml.modeling.measuring import measure

SETTINGS: Any = SimpleNamespace(min_slice=2, bins=10)


def certain(answers: list[int], labels: int) -> Any:
    """Return scores of a model that is certain of its answers."""
    return SimpleNamespace(outputs=np.eye(labels)[answers], novelty=np.zeros(len(answers)))


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
    found = measure.per_slice(wanted, given, answers, np.array(["accept", "uncertain"] * 2), SETTINGS)
    assert (found["s0"]["records"], found["s0"]["accuracy"]) == (2, 1.0)
    assert (found["s1"]["records"], found["s1"]["accuracy"]) == (2, 0.5)
    assert found["s1"]["answered_share"] == 0.5


def test_a_slice_that_is_too_small_is_not_measurable(product: Any) -> None:
    wanted = sliced(product, {"below": 2.0}, {"at_least": 9.0})
    given = examples([0, 1], size=[1.0, 1.0])
    answers = certain([0, 1], len(product.formulation.answer.labels))
    found = measure.per_slice(wanted, given, answers, np.array(["accept"] * 2), SETTINGS)
    assert "accuracy" in found["s0"]
    assert found["s1"] == {"records": 0, "not_measurable": "fewer than 2 records"}


def test_what_was_not_measured_cannot_be_the_worst_and_pass() -> None:
    assert measure.worst([0.9, 0.8, 1.0]) == 0.8
    assert measure.worst([0.9, None]) is None
    assert measure.worst([]) is None


def test_recall_and_precision_are_counted_per_label(product: Any) -> None:
    names, labels = product.formulation.label_names, len(product.formulation.answer.labels)
    truth, answers = [0, 0, 0, 1], [0, 0, 1, 1]
    held = np.array([True, True, False, True])
    decisions = np.array(["accept", "accept", "uncertain", "accept"])
    found = measure.per_label(product, examples(truth), certain(answers, labels), decisions, held)
    assert found[names[0]]["recall"] == pytest.approx(2 / 3)
    assert found[names[0]]["precision"] == 1.0
    assert found[names[1]]["precision"] == 0.5
    assert found[names[0]]["set_coverage"] == pytest.approx(2 / 3)
    assert found[names[0]]["answered_share"] == pytest.approx(2 / 3)


def test_a_label_without_records_has_no_recall(product: Any) -> None:
    names, labels = product.formulation.label_names, len(product.formulation.answer.labels)
    found = measure.per_label(
        product, examples([0, 0]), certain([0, 0], labels), np.array(["accept"] * 2), np.array([True] * 2)
    )
    assert found[names[1]]["records"] == 0
    assert found[names[1]]["recall"] is None
    assert found[names[1]]["precision"] is None


def test_the_risk_curve_answers_the_surest_records_first() -> None:
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2], [0.55, 0.45]])
    scored = measure.Scored(probabilities, np.zeros(4))  # type: ignore[attr-defined]
    # By confidence: right, right, wrong, right.
    found = measure.risk_curve(scored, np.array([0, 1, 0, 0]))
    assert [(row["answered_share"], row["answered_error"]) for row in found] == [
        (0.25, 0.0),
        (0.5, 0.0),
        (0.75, pytest.approx(1 / 3)),
        (1.0, 0.25),
    ]
