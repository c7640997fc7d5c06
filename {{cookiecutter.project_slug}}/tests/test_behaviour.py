"""What the model promises on records it has never seen, whatever the product and its answer."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fullstack_ml.inputs import input_of

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
