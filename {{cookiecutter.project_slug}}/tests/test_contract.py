"""product.yaml holds together: what it asks for can be measured, and somebody answers for it."""

from fullstack_ml.product.metrics import metrics_of
from fullstack_ml.product.types import Product


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
