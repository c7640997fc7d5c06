"""Which labels stand: names change, only what was split is asked again, labels are withdrawn."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from fullstack_ml.data.label.rounds import Round
from fullstack_ml.data.label.standing import LONGEST, annotations, of_source, standing, withdrawn
from fullstack_ml.pipeline.config import Withdrawn
from fullstack_ml.pipeline.tables import LABEL, write_parquet
from fullstack_ml.product.formulation import Label
from fullstack_ml.workspace.paths import LABELS

Refused = Callable[..., AbstractContextManager[None]]
WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def said(*rows: str, name: str = "old") -> pl.DataFrame:
    """Write rows such as ``r1 ana cat`` as labels of a round; ``-`` is none."""
    found = [
        (record, None if label == "-" else label, who, name, "1.0", WHEN + timedelta(minutes=i), 2.0, None)
        for i, (record, who, label) in enumerate(row.split() for row in rows)
    ]
    return pl.DataFrame(found, schema=LABEL, orient="row")


def now(product: Any, **labels: list[str]) -> Any:
    """Return the product with labels, each with the names that it had."""
    made = [Label(name=name, definition="-", was=was) for name, was in labels.items()]
    answer = product.formulation.answer.model_copy(update={"labels": made})
    return product.model_copy(
        update={"formulation": product.formulation.model_copy(update={"answer": answer, "label_names": list(labels)})}
    )


def a_round(name: str, *labels: str) -> dict[str, Round]:
    """Describe a round with the labels that were on offer."""
    one = Round(
        name=name, kind="review", guide_version="1.0", made_at="1", annotators=["x"], items={}, labels=list(labels)
    )
    return {name: one}


def outcome(found: tuple[pl.DataFrame, pl.DataFrame]) -> tuple[list[Any], list[str]]:
    """Return (id, label) of what stands, and the ids to ask again."""
    return found[0].sort("id", "annotator").select("id", "label").rows(), found[1]["id"].to_list()


def test_renamed_and_merged_labels_need_no_new_round(product: Any) -> None:
    changed = now(product, cat=["kitty", "tom"], dog=[])
    labels = said("r ana kitty", "r ben tom", "s ana dog", "t ana -")
    assert outcome(standing(labels, [], a_round("old"), changed)) == (
        [("r", "cat"), ("r", "cat"), ("s", "dog"), ("t", None)],
        [],
    )


def test_of_a_split_label_only_its_records_are_asked_again(product: Any) -> None:
    changed = now(product, hen=["bird"], owl=["bird"], dog=[])
    labels, rounds = said("r ana bird", "s ana dog", "t ana bird"), a_round("old") | a_round("new", "hen", "owl", "dog")
    assert outcome(standing(labels, [], rounds, changed)) == ([("s", "dog")], ["r", "t"])
    labels = pl.concat([labels, said("r ana owl", name="new")])
    assert outcome(standing(labels, [], rounds, changed)) == ([("r", "owl"), ("s", "dog")], ["t"])


def test_a_label_that_a_part_was_split_off_stands_until_somebody_looked_again(product: Any) -> None:
    changed = now(product, bird=[], hen=["bird"])
    labels, rounds = said("r ana bird", "t ana bird"), a_round("old", "bird") | a_round("new", "bird", "hen")
    assert outcome(standing(labels, [], rounds, changed)) == ([("r", "bird"), ("t", "bird")], ["r", "t"])
    labels = pl.concat([labels, said("r ben hen", "u ben bird", name="new")])
    assert outcome(standing(labels, [], rounds, changed)) == ([("r", "hen"), ("t", "bird"), ("u", "bird")], ["t"])


def test_what_the_source_says_changes_its_name_too(product: Any) -> None:
    frame = pl.DataFrame({"source_label": ["kitty", "bird", "fish", "dog", None]})
    changed = now(product, cat=["kitty"], hen=["bird"], owl=["bird"], fish=[], eel=["fish"], dog=[])
    assert frame.select(of_source(changed)).to_series().to_list() == ["cat", None, "fish", "dog", None]


def test_labels_are_withdrawn_by_round_annotator_and_record(product: Any, refused: Refused) -> None:
    labels = pl.concat([said("r ana a", "r ben a", "s ben b"), said("r ana b", "t eva a", name="second")])
    rules = [Withdrawn("lists", annotator="ben", round="old"), Withdrawn("wrong guide", round="second", id="t")]
    assert labels.filter(~withdrawn(rules)).select("id", "annotator", "round").rows() == [
        ("r", "ana", "old"),
        ("r", "ana", "second"),
    ]
    with refused("all labels would be withdrawn", "conf/label.yaml"):
        withdrawn([Withdrawn("no reason to name")])


def test_the_time_of_a_record_that_was_left_open_counts_for_nothing(project: Any) -> None:
    table = said("r ana a", "s ana a", "t ana a").with_columns(seconds=pl.Series([2_000_000.0, LONGEST, 3.0]))
    LABELS.mkdir(parents=True, exist_ok=True)
    write_parquet(LABELS / "old.parquet", [table.drop("note")])
    assert annotations()["seconds"].to_list() == [None, LONGEST, 3.0]


@pytest.mark.parametrize("label", ["kitty", "cat"])
def test_a_name_of_before_is_no_mistake(label: str, product: Any) -> None:
    from fullstack_ml.answers import label as answer

    assert [*answer.illegal([label, "cow"], now(product, cat=["kitty"], dog=[]))] == ["cow"]
