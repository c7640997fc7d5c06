"""How several labels of one record become one, and which records a person should look at again."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from fullstack_ml.data.label import aggregate
from fullstack_ml.pipeline import tables as records

START = datetime(2026, 1, 1, tzinfo=UTC)


def said(*rows: str, round_name: str = "pilot") -> pl.DataFrame:
    """Write rows such as ``r1 ana cat 1.0`` as labels, each a minute after the one before; ``-`` is no label."""
    parts = [row.split() for row in rows]
    found = [
        (record, None if label == "-" else label, who, round_name, guide, START + timedelta(minutes=i), 1.0, None)
        for i, (record, who, label, guide) in enumerate(parts)
    ]
    return pl.DataFrame(found, schema=records.LABEL, orient="row")


def chosen(frame: pl.DataFrame) -> dict[str, str | None]:
    """Return the label of each record."""
    return dict(frame.select("id", "label").iter_rows())


def reasons(frame: pl.DataFrame) -> dict[str, str]:
    """Return why each record is flagged."""
    return dict(frame.select("id", "reason").iter_rows())


def test_the_latest_label_of_an_annotator_counts() -> None:
    labels = said("r ana cat 1.0", "r ben dog 1.0", "r ana dog 1.0")
    assert chosen(aggregate.majority(aggregate.votes(labels))) == {"r": "dog"}
    assert aggregate.votes(labels).height == 2


def test_labels_under_a_new_major_guide_replace_older_ones() -> None:
    labels = said("r ana cat 1.9", "r ben cat 1.9", "r eva dog 2.0", "s ana cat 1.9")
    kept = aggregate.votes(labels)
    assert sorted(kept.select("id", "guide_version").iter_rows()) == [("r", "2.0"), ("s", "1.9")]


def test_guide_ten_is_newer_than_guide_nine() -> None:
    kept = aggregate.votes(said("r ana cat 9.0", "r ben dog 10.0"))
    assert kept["guide_version"].to_list() == ["10.0"]


def test_dawid_skene_believes_the_reliable_annotator_against_two_careless_ones() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 3, 600)
    rows = []
    for who, error in (("ana", 0.02), ("ben", 0.6), ("eva", 0.6)):
        wrong = random.random(len(truth)) < error
        given = np.where(wrong, (truth + 1) % 3, truth)  # both careless ones err in the same way
        rows += [f"r{i:04} {who} L{label} 1.0" for i, label in enumerate(given)]
    labels = said(*rows)
    right = [f"L{label}" for label in truth]
    by_votes, by_trust = (aggregate.AGGREGATIONS[name](labels).sort("id") for name in ("majority", "dawid_skene"))
    hits = [(frame["label"] == pl.Series(right)).sum() for frame in (by_votes, by_trust)]
    assert hits[0] < 0.75 * len(truth)
    assert hits[1] > 0.95 * len(truth)
    assert by_trust["share"].is_between(0, 1).all()


def test_a_label_of_weight_two_counts_as_two_alike_ones() -> None:
    random = np.random.default_rng(3)
    rows = [f"r{i:02} {who} L{random.integers(0, 2)} 1.0" for i in range(40) for who in ("ana", "ben", "users")]
    labels = said(*rows)
    heavy = labels.with_columns(weight=pl.when(pl.col("annotator") == "users").then(2.0).otherwise(1.0))
    twice = pl.concat([labels, labels.filter(pl.col("annotator") == "users")])
    one, other = (aggregate.dawid_skene(table).sort("id") for table in (heavy, twice))
    assert one["label"].equals(other["label"])
    assert one["share"].to_list() == pytest.approx(other["share"].to_list())
    light = aggregate.dawid_skene(heavy.with_columns(weight=pl.lit(1.0))).sort("id")
    assert one["share"].to_list() != pytest.approx(light["share"].to_list())


@pytest.mark.parametrize("name", aggregate.AGGREGATIONS)
def test_every_method_takes_no_labels_and_one_label(name: str) -> None:
    method = aggregate.AGGREGATIONS[name]
    assert method(said()).is_empty()
    assert chosen(method(said("r ana cat 1.0"))) == {"r": "cat"}


@pytest.mark.parametrize("name", aggregate.AGGREGATIONS)
def test_a_record_that_nobody_can_annotate_has_no_label(name: str) -> None:
    labels = said("r ana - 1.0", "r ben - 1.0", "s ana cat 1.0", "s ben cat 1.0")
    assert chosen(aggregate.AGGREGATIONS[name](labels)) == {"r": None, "s": "cat"}


def test_adjudicated_leaves_open_what_people_do_not_agree_on() -> None:
    labels = said("r ana cat 1.0", "r ben cat 1.0", "r eva dog 1.0", "s ana cat 1.0", "s ben cat 1.0")
    assert chosen(aggregate.adjudicated(labels)) == {"r": None, "s": "cat"}


@pytest.mark.parametrize("name", aggregate.AGGREGATIONS)
def test_an_adjudicator_stands_above_any_number_of_annotators(name: str) -> None:
    labels = said("r ana cat 1.0", "r ben cat 1.0", "r eva cat 1.0", "s ana cat 1.0")
    ruled = said("r lead dog 1.0", round_name="settle")
    assert chosen(aggregate.decide(aggregate.AGGREGATIONS[name], labels, ruled)) == {"r": "dog", "s": "cat"}


def test_ties_and_unsure_labels_are_flagged_until_an_adjudicator_decided() -> None:
    labels = said(
        *("tie ana cat 1.0", "tie ben dog 1.0", "sure ana cat 1.0", "sure ben cat 1.0"),
        *("split ana cat 1.0", "split ben cat 1.0", "split eva dog 1.0", "split ida elk 1.0"),
    )
    people = aggregate.decide(aggregate.majority, labels, said())
    assert reasons(aggregate.flags(labels, people, said(), 1, 0.6)) == {"tie": "tie", "split": "unsure"}
    ruled = said("tie lead dog 1.0", round_name="settle")
    people = aggregate.decide(aggregate.majority, labels, ruled)
    assert reasons(aggregate.flags(labels, people, ruled, 1, 0.6)) == {"split": "unsure"}


def test_a_new_major_guide_flags_every_older_label_and_a_minor_one_none() -> None:
    labels = said("r ana cat 1.4", "s ana cat 2.0")
    people = aggregate.decide(aggregate.majority, labels, said())
    assert reasons(aggregate.flags(labels, people, said(), 2, 0.6)) == {"r": "old guide"}
    assert aggregate.flags(labels, people, said(), 1, 0.6).is_empty()


def test_a_ruling_under_an_old_major_guide_gives_way_to_labels_under_the_new_one() -> None:
    labels = said("r ana cat 2.0", "s ana cat 1.0")
    both = aggregate.newest(pl.concat([labels, said("r lead dog 1.0", "s lead elk 1.0", round_name="settle")]))
    ruled = both.filter(pl.col("round") == "settle")
    people = aggregate.decide(aggregate.majority, both.filter(pl.col("round") != "settle"), ruled)
    assert chosen(people) == {"r": "cat", "s": "elk"}
    assert reasons(aggregate.flags(labels, people, ruled, 2, 1.0)) == {"s": "old guide"}


def test_two_to_one_is_flagged_where_all_have_to_agree() -> None:
    labels = said("r ana cat 1.0", "r ben cat 1.0", "r eva dog 1.0", "s ana cat 1.0", "s ben cat 1.0", "t ana cat 1.0")
    people = aggregate.decide(aggregate.majority, labels, said())
    assert reasons(aggregate.flags(labels, people, said(), 1, 1.0)) == {"r": "unsure"}
