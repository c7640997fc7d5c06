"""Agreement against published examples, hand computation and the reference library."""

from datetime import UTC, datetime
from typing import Any

import krippendorff
import numpy as np
import polars as pl
import pytest

from fullstack_ml.data.label import agreement

A, B, C = "annotator-1", "annotator-2", "annotator-3"
# K. Krippendorff (2011), Computing Krippendorff's alpha-reliability: a row per observer, a dot where there is no label.
PUBLISHED = {
    "binary": (["0100000010", "1110010000"], 0.095),
    "nominal": (["aabbdcccedda", "babbbccceddd"], 0.692),
    "missing": (["123321412...", "1233224125.3", ".3332342251.", "12332441251."], 0.743),
}


def table(rows: list[str], seconds: float = 1.0) -> pl.DataFrame:
    """Write a row per annotator, a character per record; a dot is no label, a minus says: cannot be annotated."""
    when = datetime(2026, 1, 1, tzinfo=UTC)
    found = [
        {"id": f"{i:03}", "label": None if label == "-" else label, "annotator": f"annotator-{a + 1}", "round": "pilot"}
        | {"guide_version": "1.0", "annotated_at": when, "seconds": seconds + a}
        for a, row in enumerate(rows)
        for i, label in enumerate(row)
        if label != "."
    ]
    return pl.DataFrame(found)


def measured(rows: list[str], names: str) -> dict[str, Any]:
    """Measure such rows."""
    return agreement.measure(table(rows), list(names))


@pytest.mark.parametrize("name", PUBLISHED)
def test_alpha_of_published_examples(name: str) -> None:
    rows, expected = PUBLISHED[name]
    value = measured(rows, "".join(sorted(set("".join(rows)) - {"."})))["metrics"]["agreement_alpha"]
    assert value == pytest.approx(expected, abs=0.0005)


def test_alpha_by_hand() -> None:
    # Labels aa, aa, bb, ab: 2 of 8 values disagree; 8 * 8 - 5 * 5 - 3 * 3 = 30; 1 - 7 * 2 / 30.
    found = measured(["aaba", "aabb"], "ab")
    assert found["metrics"]["agreement_alpha"] == pytest.approx(1 - 14 / 30)
    assert (found["shared_records"], found["disagreements"]) == (4, 1)


def test_steps_that_are_far_apart_disagree_more() -> None:
    # K. Krippendorff (2011), the example with missing labels: 0.743 if all differences are alike, 0.815 by order.
    rows, _ = PUBLISHED["missing"]
    found = agreement.measure(table(rows), list("12345"), agreement.ordinal)
    assert found["metrics"]["agreement_alpha"] == pytest.approx(0.815, abs=0.0005)
    # Labels aa, bb, cc, ac: mean ranks 1.5, 4 and 6.5 of 8; apart 2 * 5^2, expected 2 * (6 + 6) * 2.5^2 + 2 * 9 * 5^2.
    by_hand = agreement.measure(table(["abca", "abcc"]), list("abc"), agreement.ordinal)
    assert by_hand["alpha"]["alpha"] == pytest.approx(1 - 7 * 50 / 600)
    (pair,) = by_hand["pairs"]
    assert pair["alpha"] == by_hand["with_others"][A] == pytest.approx(1 - 7 * 50 / 600)
    near = agreement.measure(table(["abca", "abcb"]), list("abc"), agreement.ordinal)["alpha"]["alpha"]
    assert near > by_hand["alpha"]["alpha"]


def test_who_cannot_say_gives_no_step() -> None:
    said = agreement.measure(table(["abca-", "abccb"]), list("abc"), agreement.ordinal)
    assert said["alpha"]["alpha"] == pytest.approx(1 - 7 * 50 / 600)
    assert agreement.measure(table(["aa-", "aab"]), list("ab"), agreement.ordinal)["alpha"]["alpha"] is None


def test_alpha_equals_the_reference_library_on_random_labels() -> None:
    random = np.random.default_rng(0)
    counts = random.poisson(0.6, (300, 5)).astype(float)
    ours = agreement.alpha(counts, np.ones((1, len(counts))))[0]
    assert ours == pytest.approx(krippendorff.alpha(value_counts=counts.astype(int), level_of_measurement="nominal"))
    steps = agreement.ordinal(np.pad(counts, [(0, 0), (0, 1)], constant_values=1), np.ones((1, len(counts))))[0]
    assert steps == pytest.approx(krippendorff.alpha(value_counts=counts.astype(int), level_of_measurement="ordinal"))


def test_a_label_that_people_mix_up_shows_by_label_and_not_in_the_mean_alone() -> None:
    found = measured(["a" * 40 + "b" * 40 + "cddc" * 2, "a" * 40 + "b" * 40 + "dccd" * 2], "abcd")
    assert found["metrics"]["agreement_alpha"] > 0.8
    assert found["per_label"]["a"]["alpha"] == 1
    assert found["metrics"]["worst_label_alpha"] < 0.1


def test_cannot_be_annotated_is_an_answer_like_others() -> None:
    assert measured(["aabb--", "aabb--"], "ab")["alpha"]["alpha"] == 1
    assert measured(["aabb--", "aabbab"], "ab")["alpha"]["alpha"] < 1


def test_the_interval_holds_the_value_and_narrows_with_more_records() -> None:
    few, many = (measured(["aabab" * n, "aabbb" * n], "ab")["alpha"] for n in (4, 400))
    for found in (few, many):
        assert found["low"] <= found["alpha"] <= found["high"]
    assert many["high"] - many["low"] < (few["high"] - few["low"]) / 5


def test_a_label_of_one_record_has_no_interval() -> None:
    # A sample of the records lacks that one in a third of the cases: what the others say is no interval.
    found = measured(["a" * 20 + "b" * 20 + "c", "a" * 19 + "b" * 21 + "a"], "abc")["per_label"]
    assert found["c"]["alpha"] is not None
    assert (found["c"]["low"], found["c"]["high"]) == (None, None)
    assert found["a"]["low"] is not None


@pytest.mark.parametrize("rows", [[], ["ab."], ["a..", ".b."], ["aaa", "aaa"]], ids=["none", "one", "apart", "same"])
def test_what_cannot_be_measured_is_none_and_not_a_number(rows: list[str]) -> None:
    said = table(rows) if rows else table(["a"]).clear()
    found = agreement.measure(said, ["a", "b"])
    assert found["metrics"]["agreement_alpha"] is None
    assert found["metrics"]["worst_label_alpha"] is None


def test_kappa_of_two_annotators() -> None:
    # 35 of 50 equal; by chance 0.6 * 0.5 + 0.4 * 0.5 = 0.5; (0.7 - 0.5) / (1 - 0.5).
    rows = ["a" * 25 + "b" * 25, "a" * 20 + "b" * 5 + "a" * 10 + "b" * 15]
    (pair,) = measured(rows, "ab")["pairs"]
    assert pair["annotators"] == [A, B]
    assert (pair["records"], pair["kappa"]) == (50, pytest.approx(0.4))


def test_every_pair_is_measured_on_the_records_that_it_shares() -> None:
    found = measured(["abab..", "abba..", "..abab"], "ab")["pairs"]
    assert [(pair["annotators"], pair["records"]) for pair in found] == [([A, B], 4), ([A, C], 2), ([B, C], 2)]
    assert [round(pair["kappa"], 3) for pair in found] == [0.0, 1.0, -1.0]


def test_the_same_labels_always_give_the_same_report() -> None:
    rows = ["abcabcaab", "abcabbaab", "abbabc..b"]
    said = table(rows)
    assert agreement.measure(said, list("abc")) == agreement.measure(said.reverse(), list("abc"))
