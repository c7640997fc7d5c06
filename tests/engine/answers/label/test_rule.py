"""The rule to answer or abstain: what it promises of new records holds for them."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest

from fullstack_ml.answers.calibrating import conformal_quantile, novelty_limit
from fullstack_ml.answers.label import rule

Refused = Callable[..., AbstractContextManager[None]]


@pytest.mark.parametrize(
    ("count", "level", "rank"), [(99, 0.95, 95), (19, 0.95, 19), (49, 0.98, 49), (9, 0.5, 5), (100, 0.9, 91)]
)
def test_the_quantile_is_the_score_of_the_rank_that_theory_gives(count: int, level: float, rank: int) -> None:
    scores = np.random.default_rng(0).permutation(np.arange(1.0, count + 1))
    assert conformal_quantile(scores, level) == rank


@pytest.mark.parametrize(("count", "level", "least"), [(18, 0.95, "at least 19"), (48, 0.98, "at least 49")])
def test_too_few_records_for_a_level_are_refused_with_the_number(
    count: int, level: float, least: str, refused: Refused
) -> None:
    with refused(least, "conf/split.yaml"):
        conformal_quantile(np.arange(float(count)), level)


def test_a_new_score_stays_below_the_quantile_as_often_as_promised() -> None:
    draws = 4000
    scores = np.random.default_rng(0).exponential(size=(draws, 51))
    limits = np.array([conformal_quantile(row[:50], 0.9) for row in scores])
    held = float((scores[:, 50] <= limits).mean())
    deviation = 4 * np.sqrt(0.9 * 0.1 / draws)
    # For n records the chance lies between the level and the level + 1 / (n + 1).
    assert 0.9 - deviation < held < 0.9 + 1 / 51 + deviation


@pytest.mark.parametrize(("gaps", "limit"), [(0, 99), (1, 100), (2, 100), (40, 100)])
def test_records_without_a_novelty_make_no_limit_under_which_nothing_is_familiar(gaps: int, limit: float) -> None:
    novelty = np.arange(1.0, 101.0)
    novelty[:gaps] = np.nan  # a gap in a feature that had none in training
    # The limit is the 99th of 100 by size, those without a number being the largest, or the largest number there is.
    assert novelty_limit(novelty, 0.02) == limit


def test_a_calibration_split_without_any_novelty_is_refused(refused: Refused) -> None:
    with refused("none of 60 calibration records", "conf/split.yaml"):
        novelty_limit(np.full(60, np.nan), 0.02)


@pytest.fixture
def scored() -> tuple[Any, np.ndarray]:
    """Honest probabilities with their labels, and a novelty."""
    random = np.random.default_rng(0)
    probabilities = random.dirichlet([0.4, 0.4, 0.4], 4000)
    truth = (probabilities.cumsum(axis=1) > random.random((4000, 1))).argmax(axis=1)
    return rule.Scored(probabilities, random.exponential(size=4000)), truth  # type: ignore[attr-defined]


def with_abstain(product: Any, **abstain: float) -> Any:
    """Return the contract with other numbers to abstain by."""
    found = type(product.formulation).model_fields["abstain"].annotation.__args__[0](**abstain)
    return product.model_copy(update={"formulation": product.formulation.model_copy(update={"abstain": found})})


def test_prediction_sets_and_alarms_are_as_frequent_as_the_contract_says(
    scored: tuple[Any, np.ndarray], product: Any
) -> None:
    both, truth = scored
    first = rule.Scored(both.outputs[:2000], both.novelty[:2000])  # type: ignore[attr-defined]
    found = rule.fit_rule(first, truth[:2000], with_abstain(product, coverage=0.9, false_alarms=0.05))
    held = both.outputs[2000:][np.arange(2000), truth[2000:]] >= found.floor
    assert held.mean() == pytest.approx(0.9, abs=0.03)
    assert found.novelty is not None
    assert (both.novelty[2000:] > found.novelty).mean() == pytest.approx(0.05, abs=0.02)


def test_an_answer_is_given_when_it_costs_less_than_silence(scored: tuple[Any, np.ndarray], product: Any) -> None:
    cost = product.service.error_cost.model_copy(update={"wrong": 20.0, "abstain": 1.0})
    costly = product.model_copy(update={"service": product.service.model_copy(update={"error_cost": cost})})
    found = rule.fit_rule(*scored, with_abstain(costly, coverage=0.9, false_alarms=0.05))
    # At 0.95 a wrong answer costs 20 with the chance of 0.05: as much as silence.
    assert found.confidence == pytest.approx(0.95)


def test_errors_cost_by_the_steps_between_right_and_answered(product: Any) -> None:
    def prices(**cost: Any) -> list[list[float]]:
        priced = product.service.error_cost.model_copy(update={"wrong": 2.0, **cost})
        labels = [product.formulation.answer.labels[0].model_copy(update={"name": name}) for name in ("a", "b", "c")]
        answer = product.formulation.answer.model_copy(update={"ordered": True, "labels": labels})
        asked = product.model_copy(update={"service": product.service.model_copy(update={"error_cost": priced})})
        asked = asked.model_copy(
            update={
                "formulation": type(product.formulation)(
                    **product.formulation.model_dump() | {"answer": answer.model_dump()}
                )
            }
        )
        return rule.price_list(asked).tolist()

    assert prices(by_distance="absolute") == [[0, 2, 4], [2, 0, 2], [4, 2, 0]]
    assert prices(by_distance="squared") == [[0, 2, 8], [2, 0, 2], [8, 2, 0]]
    # One that is named keeps its own.
    assert prices(by_distance="squared", by_label={"c": {"a": 30.0}}) == [[0, 2, 8], [2, 0, 2], [30, 2, 0]]
    # 0.45, 0.1 and 0.45: the most probable are two steps apart, and what lies between costs least.
    costs = rule.Rule(0, 0, None, 0.9, prices(by_distance="squared"))
    assert rule.chosen(np.array([[0.45, 0.1, 0.45], [0.9, 0.05, 0.05]]), costs).tolist() == [1, 0]


def test_no_other_answers_cost_less_than_the_cheapest_by_honest_probabilities(
    scored: tuple[Any, np.ndarray], product: Any
) -> None:
    names = product.formulation.label_names
    by_label = {names[0]: {names[1]: 40.0}}
    cost = product.service.error_cost.model_copy(update={"wrong": 2.0, "abstain": 4.0, "by_label": by_label})
    costly = product.model_copy(update={"service": product.service.model_copy(update={"error_cost": cost})})
    found = rule.fit_rule(*scored, with_abstain(costly, coverage=0.9, false_alarms=0.05))
    assert found.costs is not None
    # In abstentions: the one error costs ten, the others half of one, and what is right nothing.
    assert [row[:2] for row in found.costs[:2]] == [[0, 10], [0.5, 0]]
    both, truth = scored
    prices = np.array([[0, 10, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    priced = rule.chosen(both.outputs, rule.Rule(0, 0, None, 0.9, prices.tolist()))
    mean = {
        name: prices[truth, said].mean() for name, said in (("most", both.outputs.argmax(axis=1)), ("ours", priced))
    }
    # Any other limit for the second label costs more than the one that follows from the costs.
    for limit in np.linspace(0.3, 1.0, 30):
        said = np.where(both.outputs[:, 1] >= limit, 1, np.where(both.outputs[:, 0] >= both.outputs[:, 2], 0, 2))
        mean[f"from {limit:.2f}"] = prices[truth, said].mean()
    assert min(mean, key=mean.__getitem__) == "ours"
    assert mean["ours"] < 0.7 * mean["most"]


def test_a_product_that_never_abstains_always_answers(scored: tuple[Any, np.ndarray], product: Any) -> None:
    silent = product.model_copy(update={"formulation": product.formulation.model_copy(update={"abstain": None})})
    assert rule.fit_rule(*scored, silent) == rule.ALWAYS


@pytest.mark.parametrize("labels", [2, 3, 10])
def test_many_records_are_decided_as_each_of_them_alone(labels: int) -> None:
    random = np.random.default_rng(0)
    values = random.dirichlet(np.full(labels, 0.3), size=500).astype(np.float32)
    values[::50, 0], values[1::50] = np.nan, 0.5  # no number, and ties
    novelty = random.uniform(0, 2, 500).astype(np.float32)
    known = rule.Rule(floor=0.2, confidence=0.6, novelty=1.5, coverage=0.95)
    alone = [rule.decide(values[i : i + 1], novelty[i : i + 1], known).item() for i in range(500)]
    assert rule.decide(values, novelty, known).tolist() == alone
    assert {*alone} == {*rule.WORDS}
