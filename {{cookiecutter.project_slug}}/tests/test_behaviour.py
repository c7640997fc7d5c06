"""What the model promises on records it has never seen, whatever the product and its answer."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fullstack_ml.inputs import input_of
from fullstack_ml.modeling.study import explain
from fullstack_ml.modeling.train.backends import backend_of, lesson_of
from fullstack_ml.pipeline import compose, stage

Decide = Callable[[np.ndarray], np.ndarray]


def test_a_record_gets_the_same_answer_alone_and_among_others(model: Any, unseen: Any) -> None:
    inputs = unseen.inputs[:50]
    alone = np.concatenate([model.score(inputs[i : i + 1]).outputs for i in range(len(inputs))])
    assert alone == pytest.approx(model.score(inputs).outputs, rel=1e-5, abs=1e-6)
    assert model.score(inputs[::-1]).outputs == pytest.approx(alone[::-1], rel=1e-5, abs=1e-6)


def test_familiar_records_are_not_called_unfamiliar_more_often_than_promised(
    unseen: Any, product: Any, decisions: Decide, least: Any
) -> None:
    familiar = (decisions(unseen.inputs) != "unfamiliar").mean()
    abstain = product.formulation.abstain
    assert familiar >= least(1 - (abstain.false_alarms if abstain else 0.0), len(unseen.truth))


def test_what_is_no_record_of_this_product_is_hardly_ever_answered(
    unseen: Any, product: Any, decisions: Decide, promised: Any
) -> None:
    # 0.1 where strangers are told apart in 95 of 100 pairs; where product.yaml asks for less, nothing is promised.
    allowed = 0.1 if product.formulation.abstain and promised("novelty_auroc", 0.0) >= 0.95 else 1.0
    strangers = input_of(product).strangers(unseen.inputs, product, seed=0)
    answered = {kind: (decisions(inputs) == "accept").mean() for kind, inputs in strangers.items()}
    assert {kind: share for kind, share in answered.items() if share > allowed} == {}


def test_a_model_that_is_trained_twice_is_the_same_model(unseen: Any, product: Any) -> None:
    config = stage.typed(compose.resolve([]))
    whole = lesson_of(config.model, unseen, product)
    few = replace(whole, rows=whole.rows[:300], truth=whole.truth[:300])
    backend = backend_of(config.model)
    first, second = (backend.outputs(backend.fit(config.model, config.seed, few), few.rows) for _ in range(2))
    assert first == pytest.approx(second, rel=1e-6, abs=1e-7)


def test_explain_follows_one_record_to_the_decision(finished: Path, unseen: Any, product: Any, model: Any) -> None:
    decision = model.decide(model.score(unseen.inputs[:1]))[0]
    with contextlib.chdir(finished):
        record = explain.find(unseen.frame["id"][0])
        told = [*explain.collected(record, product), *explain.labelled(record), *explain.scored(record, product)]
    assert f"  id: {unseen.frame['id'][0]}" in told
    assert any(line.startswith(("  test, since", "  tested in fold")) for line in told)
    assert any(line.startswith(f"  {decision}") for line in told[told.index("decision") :])
