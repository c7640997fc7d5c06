"""Annotators against known answers: who passes is decided by what chance does to a good one."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from fullstack_ml.data.label import gold
from fullstack_ml.data.label.rounds import Round
from fullstack_ml.pipeline.tables import LABEL

WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def said(who: str, *labels: str | None) -> pl.DataFrame:
    """Let somebody label the records 0, 1, 2 and so on, each in two seconds."""
    rows = [(f"{i}", label, who, "first", "1.0", WHEN, 2.0, None) for i, label in enumerate(labels)]
    return pl.DataFrame(rows, schema=LABEL, orient="row")


@pytest.mark.parametrize(("items", "may"), [(5, 0), (20, 1), (100, 3), (400, 8), (0, 0)])
def test_who_gets_99_of_100_right_passes_95_times_of_100(items: int, may: int) -> None:
    assert gold.allowed(items, 0.99) == may
    misses = np.random.default_rng(0).binomial(items, 0.01, 20_000)
    assert (misses <= may).mean() > 0.945
    assert may == 0 or (misses <= may - 1).mean() < 0.95


def known(name: str, count: int) -> pl.DataFrame:
    """Let the records of a round be gold, and right where they are called a."""
    one = Round(
        name=name, kind="production", guide_version="1.0", made_at="1", annotators=["ana"], items={},
        gold={f"{i}": "was" for i in range(count)},
    )  # fmt: skip
    return gold.known([one], {"was": "a"})


def test_accuracy_has_an_interval_and_a_verdict_and_every_miss_is_listed() -> None:
    labels = pl.concat([said("ana", *"a" * 19, "b"), said("ben", *"a" * 17, "b", "b", None), said("eva", None)])
    ana, ben, _ = gold.annotators(labels, known("first", 20), 0.99)
    assert (ana["gold"], ana["accuracy"], ana["passes"]) == (20, 0.95, True)
    assert ana["accuracy_interval"] == pytest.approx([0.7639, 0.9911], abs=1e-4)  # Wilson, by hand
    assert (ben["accuracy"], ben["passes"]) == (0.85, False)
    found = gold.missed(labels, known("first", 20))
    assert [(row["id"], row["annotator"], row["label"]) for row in found] == [
        *[("0", "eva", None), ("17", "ben", "b"), ("18", "ben", "b"), ("19", "ana", "b"), ("19", "ben", None)]
    ]


def test_the_labels_that_made_an_item_gold_are_no_test_of_those_who_gave_them() -> None:
    (row,) = gold.annotators(said("ana", "a", "b"), known("second", 2), 0.99)
    assert (row["gold"], row["accuracy"], row["accuracy_interval"], row["passes"]) == (0, None, None, None)
    assert gold.missed(said("ana", "a", "b"), known("second", 2)) == []
