"""Stage label: one label per record, people before source, and nothing that the contract does not know."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullstack_ml.data.label import __main__ as label
from fullstack_ml.data.label import rounds
from fullstack_ml.data.label.rounds import Round
from fullstack_ml.pipeline import tables as records
from fullstack_ml.pipeline.config import Withdrawn
from fullstack_ml.product import guide

Refused = Callable[..., AbstractContextManager[None]]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def names(product: Any) -> list[str]:
    """The labels of the contract."""
    return list(product.formulation.label_names)


@pytest.fixture
def ids(finished: Path) -> list[str]:
    """The records of a project on which the stages have run."""
    return pl.read_parquet("data/raw/*.parquet")["id"].sort().to_list()


def annotate(*rows: tuple[str, str | None, str], round: str = "first", **columns: Any) -> None:
    """Store (record, label, annotator) as the labels of a round."""
    plain = {"round": round, "guide_version": guide.guide_version(), "annotated_at": NOON, "seconds": 2.0}
    table = [{"id": i, "label": given, "annotator": who, **plain, **columns} for i, given, who in rows]
    Path("data/labels").mkdir(parents=True, exist_ok=True)
    pl.DataFrame(table, schema=records.LABEL).write_parquet(f"data/labels/{round}.parquet")


def labelled() -> pl.DataFrame:
    """Read what the stage wrote."""
    return pl.read_parquet("data/labelled.parquet")


def of(record: str) -> dict[str, Any]:
    """Return the row of a record."""
    return labelled().row(by_predicate=pl.col("id") == record, named=True)


def report() -> Any:
    """Read what the stage reports."""
    return json.loads(Path("reports/agreement.json").read_text(encoding="utf-8"))


def test_without_people_every_record_has_the_label_of_its_source(ids: list[str], config: Any) -> None:
    label.run(config)
    raw = pl.read_parquet("data/raw/*.parquet")
    both = labelled().join(raw.select("id", "source_label"), on="id")
    assert both["label"].equals(both["source_label"], check_names=False)
    assert labelled()["labelled_by"].unique().to_list() == ["source"]
    assert report()["records"] == len(raw)
    assert report()["labelled_by_people"] == 0


def test_a_person_outranks_the_source(ids: list[str], names: list[str], config: Any) -> None:
    before = of(ids[0])["label"]
    other = next(name for name in names if name != before)
    annotate((ids[0], other, "ana"))
    label.run(config)
    assert (of(ids[0])["label"], of(ids[0])["labelled_by"]) == (other, "people")
    assert of(ids[1])["labelled_by"] == "source"
    assert report()["labelled_by_people"] == 1


def test_a_record_that_people_say_is_out_of_scope_is_kept_and_not_learned(
    ids: list[str], names: list[str], config: Any, product: Any
) -> None:
    label.run(config)
    before, kind = len(labelled()), product.data.out_of_scope[0]
    annotate(
        *((ids[0], said, who) for said, who in ((kind, "ana"), (kind, "ben"), (names[0], "cem"))),
        *((ids[1], said, who) for said, who in ((names[1], "ana"), (names[1], "ben"), (kind, "cem"))),
    )
    label.run(config)
    assert len(labelled()) == before - 1
    assert of(ids[1])["label"] == names[1]
    unknown = pl.read_parquet("data/out_of_scope.parquet").filter(pl.col("id") == ids[0])
    assert unknown["kind"].to_list() == [kind]
    found = report()
    assert (found["labelled_by_people"], found["disagreements"]) == (1, 2)
    assert kind in found["per_label"] and found["alpha"]["alpha"] is not None
    assert {"answers": sorted([kind, names[0]]), "records": 1} in found["mixed_up"]


@pytest.mark.task("image-labels", "tabular-regression")
def test_several_labels_and_numbers_give_way_where_half_say_that_the_record_is_out_of_scope(
    ids: list[str], names: list[str], config: Any, product: Any
) -> None:
    label.run(config)
    before, (kind,), (one, other) = len(labelled()), product.data.out_of_scope, (names or ["70", "90"])[:2]
    annotate(
        *((ids[0], said, who) for said, who in ((kind, "ana"), (kind, "ben"), (one, "cem"))),
        *((ids[1], said, who) for said, who in ((one, "ana"), (one, "ben"), (kind, "cem"))),
        *((ids[2], said, who) for said, who in ((other, "ana"), (kind, "ben"))),
    )
    for method in ("majority", "adjudicated"):
        config.label.aggregation = method
        label.run(config)
        assert len(labelled()) == before - 2
        assert (of(ids[1])["label"], of(ids[1])["votes"]) == (one, 3)
        assert of(ids[1])["share"] == pytest.approx(2 / 3)
        unknown = pl.read_parquet("data/out_of_scope.parquet").filter(pl.col("id").is_in(ids[:3]))
        assert dict(unknown.select("id", "kind").iter_rows()) == {ids[0]: kind, ids[2]: kind}
        assert not set(ids[:3]) & set(pl.read_parquet("data/labelled.parquet").filter(label=kind)["id"])
    review = pl.read_parquet("data/review.parquet")
    assert ("tie") in review.filter(id=ids[2])["reason"].to_list()
    found = report()
    assert (found["labelled_by_people"], found["disagreements"]) == (1, 3)


def test_the_most_frequent_label_of_several_people_counts(ids: list[str], names: list[str], config: Any) -> None:
    annotate((ids[0], names[0], "ana"), (ids[0], names[1], "ben"), (ids[0], names[1], "cem"))
    config.label.aggregation = "majority"
    label.run(config)
    found = of(ids[0])
    assert (found["label"], found["votes"]) == (names[1], 3)
    assert found["share"] == pytest.approx(2 / 3)


def test_a_record_that_people_could_not_annotate_does_not_get_the_label_of_its_source(
    ids: list[str], config: Any
) -> None:
    annotate((ids[0], None, "ana"), (ids[0], None, "ben"))
    label.run(config)
    assert ids[0] not in labelled()["id"].to_list()
    assert report()["left_without_label"] == 1


def test_a_record_without_any_label_is_left_out(ids: list[str], config: Any) -> None:
    (shard,) = Path("data/raw").glob("*.parquet")
    raw = pl.read_parquet(shard)
    unknown = pl.when(pl.col("id") == ids[0]).then(None).otherwise("source_label").alias("source_label")
    raw.with_columns(unknown).write_parquet(shard)
    label.run(config)
    assert set(ids) - set(labelled()["id"]) == {ids[0]}
    assert report()["metrics"]["records"] == len(ids) - 1


def test_what_was_decided_under_an_old_guide_gives_way_to_what_is_said_under_the_new_one(
    ids: list[str], names: list[str], config: Any
) -> None:
    page = Path("docs/2-data/annotation-guide.md")
    page.write_text(page.read_text(encoding="utf-8").replace("1.0", "2.0", 1), encoding="utf-8")
    one = Round(name="settle", kind="adjudication", guide_version="1.0", made_at="1", annotators=["owner"], items={})
    rounds.write(one)
    annotate((ids[0], names[0], "owner"), (ids[1], names[0], "owner"), round="settle", guide_version="1.0")
    label.run(config)
    assert report()["review"] == {"old guide": 2}
    annotate((ids[0], names[1], "ana"), round="check")
    label.run(config)
    assert (of(ids[0])["label"], of(ids[0])["guide_version"]) == (names[1], "2.0")
    assert pl.read_parquet("data/review.parquet").select("id", "reason").rows() == [(ids[1], "old guide")]
    found = report()
    assert found["guide_versions"] == ["1.0", "2.0"]
    assert found["labelled_by_people"] + found["labelled_by_source"] == found["records"]
    assert found["labelled_by_people"] == 2


def test_labels_that_are_withdrawn_give_way_to_the_source(ids: list[str], names: list[str], config: Any) -> None:
    before = of(ids[0])["label"]
    annotate((ids[0], next(name for name in names if name != before), "ana"))
    config.label.withdrawn = [Withdrawn("copied from a list", annotator="ana")]
    label.run(config)
    assert (of(ids[0])["label"], of(ids[0])["labelled_by"]) == (before, "source")
    assert (report()["withdrawn"], report()["labels"]) == (1, 1)


def test_labels_of_several_rounds_come_together(ids: list[str], names: list[str], config: Any) -> None:
    annotate((ids[0], names[0], "ana"), round="first")
    annotate((ids[1], names[1], "ana"), round="second")
    label.run(config)
    assert (of(ids[0])["label"], of(ids[1])["label"]) == (names[0], names[1])
    assert report()["labels"] == 2


def test_a_label_that_the_contract_does_not_know_is_named_with_record_and_annotator(
    ids: list[str], names: list[str], config: Any, refused: Refused
) -> None:
    before = Path("data/labelled.parquet").read_bytes()
    annotate((ids[0], f"{names[0]}x", "ana"))
    with refused(f"'{names[0]}x' of record {ids[0][:12]} by ana", "data/labels", repr(names[0])):
        label.run(config)
    assert Path("data/labelled.parquet").read_bytes() == before


@pytest.mark.parametrize("column", ["annotator", "guide_version", "annotated_at"])
def test_a_label_that_does_not_know_its_origin_is_refused(
    column: str, ids: list[str], names: list[str], config: Any, refused: Refused
) -> None:
    missing: dict[str, Any] = {column: None}
    annotate((ids[0], names[0], "ana"), **missing)
    with refused("lacks its origin or guide version", "data/labels/first.parquet"):
        label.run(config)


def test_a_file_with_other_columns_is_refused(finished: Path, config: Any, refused: Refused) -> None:
    Path("data/labels").mkdir(parents=True, exist_ok=True)
    pl.DataFrame({"id": ["a"], "answer": ["b"]}).write_parquet("data/labels/odd.parquet")
    with refused("odd.parquet is no table of labels", "data/labels/odd.parquet", "annotator"):
        label.run(config)


def test_labels_of_records_that_are_not_there_are_counted(ids: list[str], names: list[str], config: Any) -> None:
    annotate((ids[0], names[0], "ana"), ("f" * 64, names[0], "ana"))
    label.run(config)
    assert report()["labels_of_unknown_records"] == 1
    assert set(labelled()["id"]) == set(ids)


def test_every_label_carries_a_version_of_the_guide(ids: list[str], names: list[str], config: Any) -> None:
    annotate((ids[0], names[0], "ana"), guide_version="0.9")
    label.run(config)
    assert of(ids[0])["guide_version"] == "0.9"
    assert of(ids[1])["guide_version"] == guide.guide_version()


def test_an_unknown_aggregation_is_refused_with_the_nearest(finished: Path, config: Any, refused: Refused) -> None:
    config.label.aggregation = "majorty"
    with refused("'majorty'", "conf/label.yaml", "'majority'"):
        label.run(config)


def test_the_same_records_collected_later_give_the_same_table(ids: list[str], config: Any) -> None:
    before = Path("data/labelled.parquet").read_bytes()
    (shard,) = Path("data/raw").glob("*.parquet")
    pl.read_parquet(shard).with_columns(collected_at=pl.lit(NOON).dt.cast_time_unit("us")).write_parquet(shard)
    label.run(config)
    assert Path("data/labelled.parquet").read_bytes() == before
