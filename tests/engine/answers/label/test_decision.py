"""The rule to answer or abstain."""

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


@pytest.mark.parametrize("rule", [RULE, decision.ALWAYS], ids=["rule", "always"])
def test_a_rule_survives_the_metadata_of_the_artefact(rule: decision.Rule) -> None:
    assert decision.Rule.from_json(rule.to_json()) == rule
