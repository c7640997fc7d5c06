"""The sentences that several pages say, of made figures, computed here by hand."""

import json
from typing import Any

import pytest

from fullstack_ml.modeling.cards import __main__ as cards
from fullstack_ml.pages.render import environment
from fullstack_ml.product.types import Product

SAY: Any = environment(cards.TEMPLATES, escape=False).get_template("said.j2").module


def measured(wrong: float | None, bounds: list[float] | None, **more: Any) -> dict[str, Any]:
    """Return an evaluation of one label in which 400 of 500 records are answered, and 54 of the others hold it."""
    metrics = {"answered_share": 0.8, "answered_error": wrong, "cost_per_record": 0.25, "set_coverage": 0.95}
    metrics["novelty_auroc"] = 0.996
    intervals = {"answered_error": bounds, "cost_per_record": [0.2, 0.49], "abstained_coverage": [0.437, 0.636]}
    decisions = {"accept": 400, "uncertain": 90, "unfamiliar": 10}
    made = {"metrics": metrics | {"abstained_coverage": 0.54}, "intervals": intervals, "decisions": decisions}
    return made | {"labels": {}, "drawn": {}, "novelty": {}, "unknown": {}} | more


def of(name: str, **more: Any) -> dict[str, Any]:
    """Return the evaluation of several labels or of a number, which has other metrics."""
    made = measured(0.0, [0.0, 0.01], **{name: more})
    del made["labels"]
    if name == "numbers":
        made["metrics"]["interval_coverage"] = made["metrics"].pop("set_coverage")
    return made


def abstaining(product: Product, rule: dict[str, float] | None) -> Product:
    """Return the contract with another rule to abstain."""
    written = json.loads(product.model_dump_json(exclude_unset=True))
    written["formulation"]["abstain"] = rule
    return Product(**written)


def test_the_first_sentence_counts_records_and_the_second_answers_and_records() -> None:
    none_seen = measured(0.0, [0.0, 0.0119])
    assert SAY.answers(none_seen) == "Of 1,000 records 800 are answered and 200 go to a person."
    # 1,000 x 0.0119 = 11.9 of the answers, of which there are 0.8 per record: 9.52.
    text = "None of the 400 answers in the test was wrong; at most about 12 of 1,000 answers would be, which is 10 of"
    assert SAY.errors(none_seen) == f"{text} 1,000 records."
    # 0.02 of 400 answers; of 1,000 records 800 are answered: 16 wrong.
    text = "8 of the 400 answers in the test were wrong: 20 of 1,000 answers (95 % interval 10 to 40), which is 16 of"
    assert SAY.errors(measured(0.02, [0.0105, 0.0391])) == f"{text} 1,000 records."


def test_of_a_model_that_answers_nothing_no_error_is_told() -> None:
    assert SAY.errors(measured(None, None)) == ""


def test_what_counts_as_wrong_is_told_where_it_is_not_plain() -> None:
    assert SAY.errors(of("numbers", tolerance=60, unit="kg")).endswith(
        " An answer is wrong if it is off by more than 60 kg."
    )
    assert SAY.errors(of("sets")).endswith(" An answer is wrong if one of its labels is wrong or missing.")


def test_the_cost_is_told_with_its_interval_and_what_people_alone_cost(product: Product) -> None:
    price = product.service.error_cost.model_copy(update={"wrong": 30, "abstain": 1, "unit": "min"})
    priced = product.model_copy(update={"service": product.service.model_copy(update={"error_cost": price})})
    text = (
        "A record costs 0.25 min on average (95 % interval 0.2 to 0.49); if people decided every record, it would be 1."
    )
    assert SAY.cost(priced, measured(0.0, [0.0, 0.01])) == text


def test_what_is_given_back_is_told_beside_the_promise_which_holds_over_all_records() -> None:
    ends = "(54.0 %, 95 % interval 43.7 to 63.6 %); of all records, answered or not, 95.0 %."
    text = "Of the 100 records given back in the test, 54 have the right label among their candidates"
    assert SAY.given_back(measured(0.0, [0.0, 0.01])) == f"{text} {ends}"
    assert (
        SAY.given_back(of("numbers"))
        == f"{text.replace('label among their candidates', 'number inside their interval')} {ends}"
    )
    text = (
        "The candidates of the 100 records given back in the test include 54.0 % of their labels (95 % interval 43.7 to"
    )
    assert SAY.given_back(of("sets")) == f"{text} 63.6 %); those of all records, answered or not, 95.0 %."
    everything = measured(0.0, [0.0, 0.01])
    everything["metrics"]["abstained_coverage"] = None
    assert SAY.given_back(everything) == ""


@pytest.mark.parametrize(
    ("name", "promise"),
    [
        ("labels", "the candidates include the right label 95 times in 100"),
        ("sets", "the candidates include 95 of 100 labels on average"),
        ("numbers", "the interval includes the right number 95 times in 100"),
    ],
)
def test_the_promise_says_over_which_records_it_holds(name: str, promise: str, product: Product) -> None:
    made = measured(0.0, [0.0, 0.01]) if name == "labels" else of(name)
    asking = abstaining(product, {"coverage": 0.95, "false_alarms": 0.02})
    start = f"Yes. Unsure cases go to a person. The aim over all records, answered or not: {promise}. Measured: 95.0 %."
    assert SAY.promise(asking, made) == f"{start} Of the records given back alone, which are the hard ones: 54.0 %."
    assert SAY.promise(abstaining(product, None), made) == "no"


def test_an_answer_of_the_products_own_promises_nothing_that_nobody_measured(product: Product) -> None:
    own = measured(0.0, [0.0, 0.01])
    del own["labels"], own["metrics"]["set_coverage"], own["metrics"]["abstained_coverage"]
    assert SAY.promise(product, own) == "Yes. Unsure cases go to a person."
    assert SAY.given_back(own) == ""


def test_what_was_generated_is_told_with_the_share_that_is_answered_and_which_metrics_leave_it_out() -> None:
    kinds = {"letters": {"answered": 0.096, "auroc": 0.956}, "signs": {"answered": 0.261, "auroc": 0.873}}
    made = measured(0.0, [0.0, 0.01], drawn=kinds, novelty={"noise": {}, "blank": {}})
    text = "Share of generated inputs out of scope that the model answers"
    assert SAY.drawn(made) == f"{text}: letters 9.6 %, signs 26.1 %."
    assert "measured on other unfamiliar inputs (noise, blank)" in SAY.left_out(made)
    assert SAY.left_out(made).endswith("signs are hardest to tell from normal inputs: AUROC 87.3 %, not 99.6 %.")
    easy = {"letters": {"answered": 0.0, "auroc": 1.0}}
    assert SAY.left_out(made | {"drawn": easy}).endswith("measured on other unfamiliar inputs (noise, blank).")
    assert SAY.drawn(measured(0.0, [0.0, 0.01])) == SAY.left_out(measured(0.0, [0.0, 0.01])) == ""


def test_a_metric_without_a_value_says_why() -> None:
    nothing = measured(0.0, [0.0, 0.01])
    assert SAY.unmeasured("unknown_detected", nothing) == ": no records out of scope were collected"
    assert SAY.unmeasured("unknown_answered", nothing) == ": no inputs out of scope were collected or generated"
    assert SAY.unmeasured("abstained_coverage", nothing) == ": no record was given back"
    assert SAY.unmeasured("unknown_detected", nothing | {"unknown": {"accept": 3}}) == ""
    assert SAY.unmeasured("group_gap", nothing) == ""
