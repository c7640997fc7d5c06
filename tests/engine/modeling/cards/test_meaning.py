"""What the client's page says is weak, of made figures, computed here by hand."""

from typing import Any

import pytest

from fullstack_ml.modeling.cards import meaning


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
