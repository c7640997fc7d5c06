"""Agreement on numbers against the reference library, and the number that stands for several."""

import krippendorff
import numpy as np
import polars as pl
import pytest

from fullstack_ml.data.label import aggregate, interval


def table(rows: list[list[str | None]]) -> pl.DataFrame:
    """Write a row per annotator, a number per record; None is no label, a minus says: cannot be annotated."""
    found = [
        (f"{i:03}", None if said == "-" else said, f"annotator-{a + 1}", "pilot", "1.0", a, 1.0 + a)
        for a, row in enumerate(rows)
        for i, said in enumerate(row)
        if said is not None
    ]
    names = ["id", "label", "annotator", "round", "guide_version", "annotated_at", "seconds"]
    return pl.DataFrame(found, schema=names, orient="row", infer_schema_length=None)


def test_alpha_of_numbers_is_that_of_the_reference_library() -> None:
    random = np.random.default_rng(0)
    truth = random.normal(1e4, 10, 60)
    values = truth + random.normal(0, [[3], [5], [1]], (3, 60))
    values[random.random((3, 60)) < 0.3] = np.nan
    rows = [[None if np.isnan(x) else repr(float(x)) for x in row] for row in values]
    found = interval.measure(table(rows), [])
    expected = krippendorff.alpha(reliability_data=values, level_of_measurement="interval")
    assert found["alpha"]["alpha"] == pytest.approx(expected, abs=1e-9)
    assert found["alpha"]["low"] < expected < found["alpha"]["high"]
    assert found["metrics"]["agreement_alpha"] == found["alpha"]["alpha"]
    pair = next(row for row in found["pairs"] if row["annotators"] == ["annotator-1", "annotator-3"])
    both = krippendorff.alpha(reliability_data=values[[0, 2]], level_of_measurement="interval")
    assert pair["alpha"] == pytest.approx(both, abs=1e-9)
    assert pair["records"] == int(np.isfinite(values[[0, 2]]).all(axis=0).sum())


def test_without_two_numbers_of_a_record_there_is_no_agreement() -> None:
    assert interval.measure(table([["1", None], [None, "2"]]), [])["alpha"]["alpha"] is None
    assert interval.measure(table([["1"], ["1"]]), [])["alpha"]["alpha"] is None
    assert interval.measure(table([["1"], ["1"]]).clear(), [])["alpha"]["alpha"] is None


def test_the_median_stands_for_several_numbers() -> None:
    said = table([["10.0", "3", "-", "9"], ["9.5", "20", "-", "-"], ["100", None, "4", None]])
    found = {row["id"]: row for row in interval.middle(said).to_dicts()}
    assert [found[f"{i:03}"]["label"] for i in range(4)] == ["10.0", "3", None, "9"]
    assert [found[f"{i:03}"]["votes"] for i in range(4)] == [3, 2, 3, 2]
    assert [found[f"{i:03}"]["share"] for i in range(4)] == pytest.approx([1, 1, 2 / 3, 0.5])
    assert set(interval.middle(said).columns) == set(aggregate.majority(said).columns)


def test_two_numbers_that_differ_are_no_tie_and_a_number_beside_none_is() -> None:
    said = table([["1.0", "2"], ["1.1", "-"]]).with_columns(pl.col("annotated_at").cast(pl.Datetime))
    people = aggregate.decide(interval.middle, said, said.clear())
    review = aggregate.flags(interval.alike(said), people, said.clear(), 1, 0.6)
    assert review.select("id", "reason").rows() == [("001", "tie")]
