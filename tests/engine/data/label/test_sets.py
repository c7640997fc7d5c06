"""Agreement on sets of labels, by hand and against the reference library, and the set that stands for several."""

import krippendorff
import numpy as np
import polars as pl
import pytest

from fullstack_ml.data.label import sets


def table(rows: list[list[str | None]]) -> pl.DataFrame:
    """Write a row per annotator, an answer per record; None is no answer, a minus says: cannot be annotated."""
    found = [
        (f"{i:03}", None if said == "-" else said, f"annotator-{a + 1}", "pilot", "1.0", a, 1.0)
        for a, row in enumerate(rows)
        for i, said in enumerate(row)
        if said is not None
    ]
    names = ["id", "label", "annotator", "round", "guide_version", "annotated_at", "seconds"]
    return pl.DataFrame(found, schema=names, orient="row", infer_schema_length=None)


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("a;b", "a;b", 0),
        ("a;b", "a", 1 - 1 / 2 * 2 / 3),
        ("a;b", "b;c", 1 - 1 / 3 * 1 / 3),
        ("a;b", "c", 1),
        ("none", "none", 0),
        ("none", "a", 1),
        ("cannot be annotated", "none", 1),
    ],
)
def test_two_sets_are_apart_by_masi(one: str, other: str, apart: float) -> None:
    assert sets.distances([one, other])[0, 1] == pytest.approx(apart)


def test_alpha_of_sets_is_the_one_worked_by_hand() -> None:
    found = sets.measure(table([["a", "a;b", "none", "b"], ["a", "a", "none", "b"]]), ["a", "b"])
    # Observed: one of four records is 2/3 apart. Expected: of a 3, a;b 1, none 2, b 2 times among 8 answers, pairs
    # a/a;b 3 x 2/3, a;b/b 2 x 2/3, and all others that differ (a/none 6, a/b 6, a;b/none 2, none/b 4) 1, over 28.
    expected = (3 * 2 / 3 + 2 * 2 / 3 + 18) / 28
    assert found["alpha"]["alpha"] == pytest.approx(1 - (2 / 3 / 4) / expected)
    assert found["metrics"]["agreement_alpha"] == found["alpha"]["alpha"]
    assert found["per_label"]["a"]["alpha"] == pytest.approx(1.0)
    assert found["disagreements"] == 1
    (pair,) = found["pairs"]
    assert (pair["alpha"], pair["records"]) == (pytest.approx(found["alpha"]["alpha"]), 4)
    assert found["with_others"]["annotator-2"] == pytest.approx(found["alpha"]["alpha"])


def test_of_one_label_each_alpha_is_that_of_the_reference_library() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 4, 80)
    values = np.where(random.random((3, 80)) < 0.75, truth, random.integers(0, 4, (3, 80))).astype(float)
    values[random.random((3, 80)) < 0.2] = np.nan
    names = ["a", "b", "none", "-"]
    rows = [[None if np.isnan(x) else names[int(x)] for x in row] for row in values]
    found = sets.measure(table(rows), ["a", "b"])
    wanted = krippendorff.alpha(reliability_data=values, level_of_measurement="nominal")
    assert found["alpha"]["alpha"] == pytest.approx(wanted)
    assert found["alpha"]["low"] < wanted < found["alpha"]["high"]
    alone = np.where(np.isnan(values), np.nan, values == 1)
    expected = krippendorff.alpha(reliability_data=alone, level_of_measurement="nominal")
    assert found["per_label"]["b"]["alpha"] == pytest.approx(expected)


def test_nothing_to_compare_is_no_agreement() -> None:
    assert sets.measure(table([["a", None], [None, "b"]]), ["a", "b"])["alpha"]["alpha"] is None
    assert sets.measure(table([["a"]]).clear(), ["a", "b"])["metrics"] == {
        "agreement_alpha": None,
        "worst_label_alpha": None,
    }


def test_a_label_stands_that_more_than_half_give() -> None:
    said = table(
        [
            ["a;b", "a", "a", "-", "none", "a;b"],
            ["a;c", "b", "none", "-", "none", "a;b"],
            ["a", None, "a;b", "b", "a", "a;b"],
        ]
    )
    found = sets.majority(said).sort("id")
    assert found["label"].to_list() == ["a", "none", "a", None, "none", "a;b"]
    assert found["share"].to_list() == pytest.approx([2 / 3, 1 / 2, 2 / 3, 2 / 3, 2 / 3, 1])
    assert found["votes"].to_list() == [3, 2, 3, 3, 3, 3]
    assert sets.majority(said.clear()).columns == found.columns


def test_a_correction_weighs_what_the_contract_says() -> None:
    rows = [("1", "a", "ann", 1.0), ("1", "a;b", "users", 0.5), ("2", "a", "ann", 1.0), ("2", "a;b", "users", 1.0)]
    rows += [("3", "a", "ann", 1.0), ("3", "b", "ben", 1.0), ("3", "b", "users", 0.5)]
    made = pl.DataFrame(rows, schema=["id", "label", "annotator", "weight"], orient="row")
    said = made.with_columns(guide_version=pl.lit("1.0"), annotated_at=pl.lit(0))
    found = sets.majority(said).sort("id")
    assert found["label"].to_list() == ["a", "a", "b"]
    assert found["share"].to_list() == pytest.approx([1 / 1.5, 1 / 2, 1.5 / 2.5])
