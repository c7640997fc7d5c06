"""What the first sentences of the client's page say of made figures, computed here by hand."""

from typing import Any

import pytest

from fullstack_ml.modeling.cards import meaning


def measured(wrong: float | None, bounds: list[float] | None) -> dict[str, Any]:
    """Return an evaluation in which 800 of 1,000 records are answered."""
    metrics = {"answered_share": 0.8, "answered_error": wrong, "cost_per_record": 0.25}
    return {"metrics": metrics, "intervals": {"answered_error": bounds, "cost_per_record": [0.2, 0.3]}}


def priced(product: Any) -> Any:
    """Return a contract in which a wrong answer costs 30 minutes, and a person one."""
    cost = product.service.error_cost.model_copy(update={"wrong": 30, "abstain": 1, "unit": "min"})
    return product.model_copy(update={"service": product.service.model_copy(update={"error_cost": cost})})


def test_errors_that_nobody_saw_count_by_their_bound(product: Any) -> None:
    first, errors, cost = meaning.answered(priced(product), measured(0.0, [0.0, 0.0119]))
    assert first == "Of 1,000 records 800 are answered and 200 go to a person."
    assert errors == "No answer in the test was wrong; by this test up to 12 of 1,000 may be."
    # 0.2 of the records at 1 minute, and 0.8 x 0.0119 at 30 minutes: 0.4856; the resampled 0.3 knows of no error.
    assert (
        cost == "A record costs 0.25 min on average, at worst about 0.49; giving every record to a person would cost 1."
    )


def test_errors_that_were_seen_are_told_with_their_interval(product: Any) -> None:
    errors = meaning.answered(priced(product), measured(0.02, [0.0105, 0.0391]))[1]
    assert errors == "About 20 of 1,000 answers are wrong; by this test it may be 10 to 40."


def test_of_a_model_that_answers_nothing_no_error_is_told(product: Any) -> None:
    assert len(meaning.answered(priced(product), measured(None, None))) == 1


def test_weak_labels_are_named_the_weakest_first_and_good_ones_are_not() -> None:
    rows = {
        name: {"recall": part, "answered_share": 0.9}
        for name, part in zip("abcde", (1, 0.9, 0.7, 0.8, 0.95), strict=True)
    }
    rows["a"]["answered_share"] = 0.5
    assert meaning.weak_labels({"labels": rows}) == [
        "Labels that are missed most: c (70.0 % found), d (80.0 % found), b (90.0 % found).",
        "Labels that the model answers least often: a (50.0 %).",
    ]
    assert meaning.weak_labels({}) == []  # numbers have none


@pytest.mark.parametrize(("higher", "name"), [(True, "thin"), (False, "thick")])
def test_the_weakest_slice_is_the_one_on_the_bad_side(higher: bool, name: str) -> None:
    slices = {"thin": {"score": 0.5}, "thick": {"score": 0.9}, "few": {"records": 2, "not_measurable": "too few"}}
    said = meaning.weak_slices({"metrics": {"score": 0.7}, "slices": slices}, "score", higher, "share")
    value = "50 %" if higher else "90 %"
    assert said == [f"The weakest slice is {name}: score {value}, against 70 % of all records."]
    assert (
        meaning.weak_slices({"metrics": {"score": 0.7}, "slices": {"thin": slices["thin"]}}, "score", higher, "share")
        == []
    )


def test_how_far_the_models_of_folds_differ_is_told(product: Any) -> None:
    validation = {"kinds": {kind.name: {"found": 1} for kind in product.data.kinds}}
    seen = {"slices": {}, "answered_by_fold": [0.41, 0.324, 0.5]}
    (said,) = meaning.unknown(product, seen, validation)
    assert said.startswith("The models of the 3 folds answer between 32 % and 50 % of their records.")
    assert meaning.unknown(product, seen | {"answered_by_fold": []}, validation) == []
