"""What the model promises on records it has never seen, whatever the product."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fullstack_ml.inputs import input_of

Decide = Callable[[np.ndarray], np.ndarray]


def least(share: float, records: int) -> float:
    """Return how far chance lets a share fall in so many records: four standard deviations."""
    return share - 4 * float(np.sqrt(share * (1 - share) / records))


def promised(product: Any, metric: str, otherwise: float) -> float:
    """Return the threshold that product.yaml sets to a metric, and ``otherwise`` where it sets none."""
    return next((row.threshold for row in product.requirements if row.metric == metric), otherwise)


def test_a_record_gets_the_same_answer_alone_and_among_others(model: Any, unseen: Any) -> None:
    inputs = unseen.inputs[:50]
    alone = np.concatenate([model.score(inputs[i : i + 1]).outputs for i in range(len(inputs))])
    assert alone == pytest.approx(model.score(inputs).outputs, abs=1e-6)
    assert model.score(inputs[::-1]).outputs == pytest.approx(alone[::-1], abs=1e-6)


def test_every_label_is_answered_and_none_swallows_the_others(model: Any, unseen: Any, product: Any) -> None:
    neglected = promised(product, "collapse", 1.0)
    labels = len(model.labels)
    found = np.bincount(model.score(unseen.inputs).outputs.argmax(axis=1), minlength=labels)
    expected = np.bincount(unseen.truth, minlength=labels)
    assert (found >= expected * (1 - neglected)).all()
    assert (found <= expected / max(1 - neglected, 0.1)).all()


def test_answers_that_are_given_are_wrong_less_often_than_all(
    model: Any, unseen: Any, product: Any, decisions: Decide
) -> None:
    wrong = model.score(unseen.inputs).outputs.argmax(axis=1) != unseen.truth
    given = decisions(unseen.inputs) == "accept"
    assert given.mean() >= promised(product, "answered_share", 0.0)
    assert wrong[given].sum() <= wrong.mean() * given.sum()


def test_an_answer_is_given_only_where_it_costs_less_than_silence(model: Any, unseen: Any, product: Any) -> None:
    cost = product.service.error_cost
    probabilities = model.score(unseen.inputs).outputs.max(axis=1)
    expected = (1 - probabilities[probabilities >= model.rule.confidence]) * cost.wrong
    assert (expected <= cost.abstain * (1 + 1e-4)).all()


def test_prediction_sets_hold_the_right_label_as_often_as_promised(model: Any, unseen: Any, product: Any) -> None:
    records = len(unseen.truth)
    held = model.score(unseen.inputs).outputs[np.arange(records), unseen.truth] >= model.rule.floor
    abstain = product.formulation.abstain
    assert held.mean() >= least(abstain.coverage if abstain else 1.0, records)


def test_familiar_records_are_not_called_unfamiliar_more_often_than_promised(
    unseen: Any, product: Any, decisions: Decide
) -> None:
    familiar = (decisions(unseen.inputs) != "unfamiliar").mean()
    abstain = product.formulation.abstain
    assert familiar >= least(1 - (abstain.false_alarms if abstain else 0.0), len(unseen.truth))


def test_measuring_again_keeps_most_answers(model: Any, unseen: Any, product: Any) -> None:
    inputs = unseen.inputs.reshape(len(unseen.inputs), -1).astype(np.float64)
    noise = np.random.default_rng(0).normal(0, 0.02, inputs.shape) * inputs.std(axis=0)
    again = np.clip(inputs + noise, inputs.min(axis=0), inputs.max(axis=0)).astype(unseen.inputs.dtype)
    answers = [model.score(each).outputs.argmax(axis=1) for each in (again.reshape(unseen.inputs.shape), unseen.inputs)]
    # A model that is wrong more often stands nearer to its borders.
    assert (answers[0] == answers[1]).mean() >= min(0.97, promised(product, "accuracy", 1.0) + 0.1)


def test_what_is_no_record_of_this_product_is_hardly_ever_answered(
    unseen: Any, product: Any, decisions: Decide
) -> None:
    # 0.1 where strangers are told apart in 95 of 100 pairs; where product.yaml asks for less, nothing is promised.
    allowed = 0.1 if product.formulation.abstain and promised(product, "novelty_auroc", 0.0) >= 0.95 else 1.0
    strangers = input_of(product).strangers(unseen.inputs, product, seed=0)
    answered = {kind: (decisions(inputs) == "accept").mean() for kind, inputs in strangers.items()}
    assert {kind: share for kind, share in answered.items() if share > allowed} == {}
