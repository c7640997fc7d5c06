"""What a model of several labels promises on records it has never seen; run where the answer is of type labels."""

from typing import Any

import numpy as np


def given(model: Any, inputs: np.ndarray) -> list[set[str]]:
    """The labels that the model finds for each record."""
    return [set(model.answer.named(text)) for text in texts(model, inputs)]


def texts(model: Any, inputs: np.ndarray) -> list[str]:
    """The answers of the model as text."""
    from fullstack_ml.product.contract import load

    answers: list[str] = model.answer.text(model.score(inputs).outputs, model.rule, load())
    return answers


def test_every_label_is_answered_and_none_too_rarely(model: Any, unseen: Any, product: Any, promised: Any) -> None:
    neglected, found = promised("collapse", 1.0), given(model, unseen.inputs)
    for place, name in enumerate(product.formulation.label_names):
        said = sum(name in labels for labels in found)
        assert said >= (1 - neglected) * unseen.truth[:, place].sum()


def test_candidates_hold_as_many_labels_as_promised(model: Any, unseen: Any, product: Any, least: Any) -> None:
    rule, having = model.rule, unseen.truth.any(axis=1)
    level = np.minimum(np.array(rule.thresholds, np.float32), np.float32(rule.floor))
    held = (model.score(unseen.inputs).outputs >= level) & unseen.truth
    shares = held[having].sum(axis=1) / unseen.truth[having].sum(axis=1)
    if product.formulation.abstain:
        assert shares.mean() >= least(product.formulation.abstain.coverage, int(having.sum()))


def test_answers_that_are_given_are_wrong_less_often_than_all(
    model: Any, unseen: Any, product: Any, decisions: Any, promised: Any
) -> None:
    right = model.answer.truth(texts(model, unseen.inputs), product)
    wrong = (right != unseen.truth).any(axis=1)
    accepted = decisions(unseen.inputs) == "accept"
    assert accepted.mean() >= promised("answered_share", 0.0)
    assert wrong[accepted].sum() <= wrong.mean() * accepted.sum()


def test_labels_that_exclude_each_other_are_never_answered_together(model: Any, unseen: Any, product: Any) -> None:
    for group in product.formulation.answer.options.get("excludes", []):
        assert all(len(labels & set(group)) < 2 for labels in given(model, unseen.inputs))
