"""The rule to answer or abstain."""

from dataclasses import replace

import numpy as np
import pytest

from fullstack_ml.answers.label import rule as decision

RULE = decision.Rule(floor=0.3, confidence=0.6, novelty=2.0, coverage=0.9)

CASES = {
    "sure": ([0.8, 0.1, 0.1], 1.0, "accept"),
    "exactly-sure-enough": ([0.6, 0.2, 0.2], 1.0, "accept"),
    "exactly-at-the-limit-of-novelty": ([0.8, 0.1, 0.1], 2.0, "accept"),
    "not-sure-enough": ([0.5, 0.25, 0.25], 1.0, "uncertain"),
    "two-labels-possible": ([0.65, 0.35, 0.0], 1.0, "uncertain"),
    "a-second-label-exactly-possible": ([0.7, 0.3, 0.0], 1.0, "uncertain"),
    "no-label-possible": ([0.29, 0.29, 0.29], 1.0, "uncertain"),
    "strange": ([0.99, 0.01, 0.0], 2.1, "unfamiliar"),
    "strange-and-unsure": ([0.4, 0.3, 0.3], 9.0, "unfamiliar"),
    "novelty-that-is-no-number": ([0.99, 0.01, 0.0], float("nan"), "unfamiliar"),
    "probability-that-is-no-number": ([float("nan")] * 3, 1.0, "uncertain"),
}


@pytest.mark.parametrize(("probabilities", "novelty", "expected"), CASES.values(), ids=CASES)
def test_a_record_is_answered_only_when_familiar_and_sure(
    probabilities: list[float], novelty: float, expected: str
) -> None:
    decided = decision.decide(np.array([probabilities], np.float32), np.array([novelty], np.float32), RULE)
    assert decided.tolist() == [expected]


def test_a_label_that_is_not_possible_is_not_answered_however_cheap_errors_are() -> None:
    rule = replace(RULE, floor=0.7)  # above the confidence: of these two records only the first has a possible label
    decided = decision.decide(np.array([[0.7, 0.2, 0.1], [0.69, 0.2, 0.11]], np.float32), np.ones(2), rule)
    assert decided.tolist() == ["accept", "uncertain"]


def test_every_record_is_decided_by_itself() -> None:
    probabilities = np.array([case[0] for case in CASES.values()], np.float32)
    novelty = np.array([case[1] for case in CASES.values()], np.float32)
    assert decision.decide(probabilities, novelty, RULE).tolist() == [case[2] for case in CASES.values()]


def test_a_product_that_never_abstains_answers_everything() -> None:
    decided = decision.decide(np.full((3, 4), 0.25), np.array([0.0, 1e9, np.nan]), decision.ALWAYS)
    assert decided.tolist() == ["accept"] * 3


def test_a_rule_without_novelty_knows_nothing_strange() -> None:
    rule = decision.Rule(floor=0.3, confidence=0.6, novelty=None, coverage=0.9)
    assert decision.decide(np.array([[0.9, 0.1]]), np.array([1e9]), rule).tolist() == ["accept"]


# An ill person who is called healthy costs ten looks, a healthy one who is called ill costs one.
HEALTHY, ILL = 0, 1
COSTS = [[0.0, 1.0], [10.0, 0.0]]
PRICED = {
    # Ill with 0.12: healthy costs 1.2 on average, ill 0.88; but ill is not in the prediction set.
    "cheaper-and-unlikely": (0.12, ILL, "uncertain"),
    # Ill with 0.05: healthy costs 0.5 and ill 0.95.
    "cheap": (0.05, HEALTHY, "accept"),
    # Ill with 0.95: ill costs 0.05.
    "likely": (0.95, ILL, "accept"),
}


@pytest.mark.parametrize(("ill", "answered", "word"), PRICED.values(), ids=PRICED)
def test_where_errors_cost_differently_the_cheapest_label_is_answered(ill: float, answered: int, word: str) -> None:
    rule = decision.Rule(floor=0.3, confidence=0.0, novelty=None, coverage=0.9, costs=COSTS)
    probabilities = np.array([[1 - ill, ill]])
    assert decision.chosen(probabilities, rule).tolist() == [answered]
    assert decision.decide(probabilities, np.zeros(1), rule).tolist() == [word]
    always = replace(decision.ALWAYS, costs=COSTS)
    assert decision.decide(probabilities, np.zeros(1), always).tolist() == ["accept"]


def test_of_two_labels_as_dear_the_first_is_answered() -> None:
    rule = decision.Rule(floor=0.3, confidence=0.0, novelty=None, coverage=0.9, costs=[[0.0, 1.0], [3.0, 0.0]])
    assert decision.chosen(np.array([[0.75, 0.25]]), rule).tolist() == [0]  # both cost 0.75


def test_an_answer_that_costs_more_than_silence_is_not_given() -> None:
    # At 0.05 healthy costs 0.5 on average: too much, where silence costs 0.4.
    dear = (np.array(COSTS) / 0.4).tolist()
    rule = decision.Rule(floor=0.3, confidence=0.0, novelty=None, coverage=0.9, costs=dear)
    assert decision.decide(np.array([[0.95, 0.05]]), np.zeros(1), rule).tolist() == ["uncertain"]


PRICED_RULE = replace(RULE, costs=COSTS)


@pytest.mark.parametrize("rule", [RULE, decision.ALWAYS, PRICED_RULE], ids=["rule", "always", "priced"])
def test_a_rule_survives_the_metadata_of_the_artefact(rule: decision.Rule) -> None:
    assert decision.Rule.from_json(rule.to_json()) == rule
