"""What a model of labels promises on records it has never seen; run where the answer is a label."""

from typing import Any

import numpy as np


def test_every_label_is_answered_and_none_swallows_the_others(model: Any, unseen: Any, promised: Any) -> None:
    neglected = promised("collapse", 1.0)
    labels = len(model.labels)
    found = np.bincount(model.score(unseen.inputs).outputs.argmax(axis=1), minlength=labels)
    expected = np.bincount(unseen.truth, minlength=labels)
    assert (found >= expected * (1 - neglected)).all()
    assert (found <= expected / max(1 - neglected, 0.1)).all()


def test_answers_that_are_given_are_wrong_less_often_than_all(
    model: Any, unseen: Any, decisions: Any, promised: Any
) -> None:
    wrong = model.score(unseen.inputs).outputs.argmax(axis=1) != unseen.truth
    given = decisions(unseen.inputs) == "accept"
    assert given.mean() >= promised("answered_share", 0.0)
    assert wrong[given].sum() <= wrong.mean() * given.sum()


def test_an_answer_is_given_only_where_it_costs_less_than_silence(model: Any, unseen: Any, product: Any) -> None:
    cost = product.service.error_cost
    probabilities = model.score(unseen.inputs).outputs.max(axis=1)
    expected = (1 - probabilities[probabilities >= model.rule.confidence]) * cost.wrong
    assert (expected <= cost.abstain * (1 + 1e-4)).all()


def test_prediction_sets_hold_the_right_label_as_often_as_promised(
    model: Any, unseen: Any, product: Any, least: Any
) -> None:
    records = len(unseen.truth)
    held = model.score(unseen.inputs).outputs[np.arange(records), unseen.truth] >= model.rule.floor
    abstain = product.formulation.abstain
    assert held.mean() >= least(abstain.coverage if abstain else 1.0, records)


def test_measuring_again_keeps_most_answers(model: Any, unseen: Any, product: Any, promised: Any) -> None:
    inputs = unseen.inputs.reshape(len(unseen.inputs), -1).astype(np.float64)
    wanted = product.formulation.input
    # Pixels are measured, letters are not.
    measured = [f.type in ("number", "whole") for f in wanted.features] or [wanted.shape is not None]
    noise = np.random.default_rng(0).normal(0, 0.02, inputs.shape) * np.nanstd(inputs, axis=0) * measured
    again = np.clip(inputs + noise, np.nanmin(inputs, axis=0), np.nanmax(inputs, axis=0)).astype(unseen.inputs.dtype)
    answers = [model.score(each).outputs.argmax(axis=1) for each in (again.reshape(unseen.inputs.shape), unseen.inputs)]
    # A model that is wrong more often stands nearer to its borders.
    assert (answers[0] == answers[1]).mean() >= min(0.97, promised("accuracy", 1.0) + 0.1)
