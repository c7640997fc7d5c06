"""product.yaml holds together: what it asks for can be measured, and somebody answers for it."""

import math
from typing import Any

import numpy as np

from fullstack_ml.artefact.graph import features_of
from fullstack_ml.inputs import input_of
from fullstack_ml.product.contradictions import contradictions
from fullstack_ml.product.metrics import metrics_of
from fullstack_ml.product.types import Product

ANOTHER = {"name": "another feature", "low": 0, "high": 1, "meaning": "what nobody measures yet"}


def test_every_requirement_names_a_metric_that_is_measured(product: Product) -> None:
    names = {row.metric for row in product.requirements} | {product.release.better_on}
    assert names - set(metrics_of(product)) == set()


def test_every_requirement_says_why_and_who_answers_for_it(product: Product) -> None:
    assert [row.id for row in product.requirements if not row.reason.strip() or not row.owner.strip()] == []


def test_an_answer_is_defined_before_it_is_asked_for(product: Product) -> None:
    assert [label.name for label in product.formulation.answer.labels if not label.definition.strip()] == []


def test_a_wrong_answer_costs_more_than_none(product: Product) -> None:
    cost = product.service.error_cost
    assert cost.wrong > cost.abstain, "else the model had better answer everything"


def changed(product: Product, **keys: Any) -> Product:
    """Return the contract with other keys of its input."""
    said = product.model_dump()
    said["formulation"]["input"] |= keys
    return Product.model_validate(said)


def numbers(product: Product) -> np.ndarray:
    """Return what a model is given of the API's own example of a record, (1, values)."""
    given = input_of(product)
    record = given.record_type(product).model_validate(given.example(product))
    inputs, *_ = given.decoder(product)(given.opened([record])[1], math.inf)
    return features_of(inputs, product)


def test_a_new_feature_is_a_change_of_the_contract_and_of_nothing_else(product: Product) -> None:
    wanted = product.formulation.input
    if wanted.features:
        more = changed(product, features=[*(f.model_dump() for f in wanted.features), ANOTHER])
    elif wanted.shape:
        colours = wanted.shape[:2] if len(wanted.shape) == 3 else (*wanted.shape, 3)
        more = changed(product, shape=colours, max_values=65_536)
    else:
        more = changed(product, buckets=wanted.buckets * 2 if wanted.buckets < 65_536 else 64)
    assert list(contradictions(more)) == []
    assert numbers(more).shape[1] != numbers(product).shape[1]  # from the API's example to what the model gets
