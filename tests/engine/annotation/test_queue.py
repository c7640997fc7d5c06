"""Rounds: what people are asked to label next, and why."""

import json
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from fullstack_ml.annotation import choose, opinion, queue
from fullstack_ml.answers import label
from fullstack_ml.pipeline.config import Withdrawn
from fullstack_ml.pipeline.tables import slice_mask
from fullstack_ml.workspace.errors import UserError

Refused = Callable[..., AbstractContextManager[None]]
Settings = Callable[..., Any]
NOON = pl.lit("2026-01-01").str.to_datetime("%F", time_zone="UTC")


def made(settings: Settings, name: str, **values: Any) -> Any:
    """Make a round and return what its file says."""
    queue.run(settings(round=name, **values))
    return json.loads(Path(f"data/rounds/{name}.json").read_text(encoding="utf-8"))


def flag(**reasons: str) -> None:
    """Let stage label have flagged records."""
    rows = {"id": list(reasons), "reason": list(reasons.values()), "detail": [""] * len(reasons)}
    pl.DataFrame(rows, schema=dict.fromkeys(rows, pl.String)).write_parquet("data/review.parquet")


def test_everybody_labels_every_item_of_a_pilot(settings: Settings) -> None:
    found = made(settings, "pilot", kind="pilot", items=20)
    assert len(found["items"]) == 20
    assert set(found["overlap"]) == set(found["items"])
    assert (found["gold"], found["model"], found["shown"]) == ({}, {}, [])
    assert found["guide_version"] == "1.0"


def test_every_slice_has_its_quota_as_far_as_there_are_records() -> None:
    rare = pl.Series([i < 3 for i in range(100)])
    pool = pl.DataFrame({"id": [str(i) for i in range(100)], "slice few": rare, "slice many": ~rare})
    pool = pool.with_columns(bare=False, in_train=True)
    chosen = choose.choose(pool, 20, queue.RANDOM, 5, np.random.default_rng(0))
    assert Counter(chosen.values()) == {"slice few": 3, "slice many": 5, "random": 12}


def test_nobody_is_asked_about_a_record_twice(settings: Settings) -> None:
    first, second = (made(settings, name, kind="pilot", items=30) for name in ("pilot", "pilot-2"))
    assert not set(first["items"]) & set(second["items"])


def test_a_round_of_the_same_name_over_the_same_records_is_the_same(settings: Settings) -> None:
    first = made(settings, "pilot", kind="pilot")
    Path("data/rounds/pilot.json").unlink()
    assert made(settings, "pilot", kind="pilot")["items"] == first["items"]


def test_production_asks_for_what_the_model_is_unsure_of(
    settings: Settings, product: Any, truth: dict[str, str]
) -> None:
    shares = {"uncertain": 1.0, "novel": 0.0, "random": 0.0}
    found = made(settings, "first", kind="production", items=20, quota=0, shares=shares, gold=0.0)
    assert set(found["items"].values()) == {"uncertain"}
    asked = opinion.ask(list(truth), product)
    assert asked is not None
    chosen = asked["id"].is_in(list(found["items"])).to_numpy()
    unsure = asked["unsure"].to_numpy()
    assert unsure[chosen].mean() > 1.5 * unsure[~chosen].mean()


def test_what_the_model_chooses_comes_from_the_training_split_only(settings: Settings) -> None:
    found = made(settings, "first", kind="production", items=40, quota=0, gold=0.0)
    train = set(pl.read_parquet("data/splits/train.parquet")["id"])
    by_model = {record for record, why in found["items"].items() if why in ("uncertain", "novel")}
    assert Counter(found["items"].values()) == {"uncertain": 16, "novel": 4, "random": 20}
    assert by_model <= train
    assert set(found["items"]) - by_model - train


def test_gold_items_are_hidden_among_the_others_and_everybody_labels_them(
    settings: Settings, truth: dict[str, str]
) -> None:
    found = made(settings, "first", kind="production", items=40, gold=0.1, gold_from="source", overlap=0.25)
    assert len(found["gold"]) == 4
    assert found["gold"] == {record: truth[record] for record in found["gold"]}
    assert set(found["gold"]) <= set(found["overlap"])
    assert 10 <= len(found["overlap"]) <= 14
    assert len(found["items"]) == 40


def test_a_control_item_never_shows_what_the_model_says(settings: Settings) -> None:
    gold = {"gold": 0.1, "gold_from": "source"}
    found = made(settings, "first", kind="production", items=50, prelabel=True, blind=0.5, **gold)
    shown = set(found["shown"])
    assert not shown & (set(found["overlap"]) | set(found["gold"]))
    assert len(found["model"]) == len(found["items"]) - len(found["overlap"])
    assert 0.4 < len(shown) / len(found["model"]) < 0.6
    assert shown < set(found["model"])


def test_without_a_model_chance_chooses(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    Path("models/model.onnx").unlink()
    found = made(settings, "first", kind="production", items=10, quota=0, gold=0.0, prelabel=True)
    assert set(found["items"].values()) == {"random"}
    assert (found["model"], found["shown"]) == ({}, [])
    assert "no model yet" in capsys.readouterr().out


@pytest.mark.parametrize(("kind", "items"), [("pilot", 3), ("pilot", 10), ("production", 10)])
def test_records_without_any_label_come_first_and_the_others_fill_the_round(
    kind: str, items: int, settings: Settings, truth: dict[str, str]
) -> None:
    bare = sorted(truth)[:5]
    for shard in Path("data/raw").glob("*.parquet"):
        label = pl.when(~pl.col("id").is_in(bare)).then("source_label")
        pl.read_parquet(shard).with_columns(source_label=label).write_parquet(shard)
    found = set(made(settings, "pilot", kind=kind, items=items, quota=0, gold=0.0)["items"])
    assert len(found) == items
    assert found < set(bare) if items < len(bare) else found > set(bare)


def test_nobody_is_asked_about_a_record_out_of_scope(settings: Settings, truth: dict[str, str], product: Any) -> None:
    inside = sorted(truth)[:30]
    for shard in Path("data/raw").glob("*.parquet"):
        known = pl.col("id").is_in(inside)
        kind = pl.when(known).then("kind").otherwise(pl.lit(product.data.out_of_scope[0]))
        pl.read_parquet(shard).with_columns(kind=kind, source_label=pl.when(known).then("source_label")).write_parquet(
            shard
        )
    assert set(made(settings, "pilot", kind="pilot", items=20)["items"]) <= set(inside)


def test_adjudication_takes_ties_and_unsure_labels_and_review_old_ones(settings: Settings) -> None:
    flag(r1="tie", r2="unsure", r3="old guide")
    settled = made(settings, "settle", kind="adjudication")
    assert settled["items"] == {"r1": "tie", "r2": "unsure"}
    assert (settled["annotators"], settled["overlap"]) == (["owner"], [])
    Path("reports/suspects.json").write_text('{"suspects": [{"id": "r4"}]}', encoding="utf-8")
    assert made(settings, "check", kind="review")["items"] == {"r3": "old guide", "r4": "likely error"}


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"round": "Pilot 1"}, "'Pilot 1'"),
        ({"round": None}, "''"),
        ({"items": 0}, "0 items"),
        ({"kind": "pilto"}, "'pilto'"),
        ({"kind": "adjudication"}, "no record for a round of kind adjudication"),
        ({"kind": "production", "gold_from": "god"}, "'god'"),
        ({"kind": "production", "shares": {"uncertain": 1.0}}, "shares are"),
        ({"kind": "production", "shares": {"uncertain": 0.9, "novel": 0.2, "random": 0.1}}, "shares are"),
    ],
)
def test_a_round_that_cannot_be_is_refused_and_leaves_nothing(
    values: dict[str, Any], what: str, settings: Settings, refused: Refused
) -> None:
    with refused(what):
        queue.run(settings(**{"round": "pilot", **values}))
    assert not list(Path("data").glob("rounds/*"))


def test_unsure_is_one_at_a_tie_and_none_at_certainty() -> None:
    scored = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.7, 0.2, 0.1]])
    assert label.unsure(scored).tolist() == pytest.approx([1.0, 0.0, 0.5])


def test_an_open_round_keeps_its_records_from_the_next(settings: Settings) -> None:
    flag(r1="tie", r2="unsure", r3="old guide", r4="split label")
    assert set(made(settings, "settle", kind="adjudication", items=1)["items"]) == {"r1"}
    assert set(made(settings, "settle-2", kind="adjudication")["items"]) == {"r2"}
    assert set(made(settings, "check", kind="review")["items"]) == {"r3", "r4"}
    with pytest.raises(UserError, match="no record for a round of kind review"):
        made(settings, "check-2", kind="review")


def test_records_of_a_round_for_other_labels_are_asked_for_again(settings: Settings) -> None:
    first = made(settings, "pilot", kind="pilot", items=5)
    path = Path("data/rounds/pilot.json")
    path.write_text(json.dumps(first | {"labels": ["other", "names"]}), encoding="utf-8")
    only = {"ids": ",".join(first["items"])}
    assert set(made(settings, "pilot-2", kind="pilot", items=5, only=only)["items"]) == set(first["items"])


def test_a_filter_says_which_records_a_round_is_about(
    settings: Settings, truth: dict[str, str], product: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    label = product.formulation.label_names[0]
    found = made(settings, "by-label", kind="pilot", items=5, quota=0, only={"label": label})
    assert {truth[record] for record in found["items"]} == {label}
    ids = sorted(set(truth) - set(found["items"]))[:3]
    file = tmp_path / "ids.csv"
    file.write_text("who;id\nana;" + "\nana;".join(record[:16] for record in ids) + "\n", encoding="utf-8")
    found = made(settings, "by-file", kind="review", only={"file": str(file)})
    assert found["items"] == dict.fromkeys(ids, "asked for")
    other = sorted(set(truth) - set(ids))[-1]
    capsys.readouterr()
    assert set(made(settings, "again", kind="review", only={"ids": f"{ids[0]} {other}"})["items"]) == {other}
    assert "left out, since an open round asks about them: 1" in capsys.readouterr().out
    raw = pl.read_parquet("data/raw/*.parquet")
    sizes = {part.id: raw.filter(slice_mask(part))["id"].to_list() for part in product.data.slices}
    part = max(sizes, key=lambda name: len(sizes[name]))
    found = made(settings, "by-slice", kind="pilot", items=4, only={"slice": part})
    assert len(found["items"]) == 4
    assert set(found["items"]) <= set(sizes[part])


@pytest.mark.parametrize(
    ("only", "what"),
    [
        ({"label": "no such"}, "no label 'no such'"),
        ({"slice": "no such"}, "no slice 'no such'"),
        ({"ids": "zzzz"}, "no record has an id that begins with 'zzzz'"),
        ({"file": "nowhere.csv"}, "nowhere.csv cannot be read"),
    ],
)
def test_a_filter_that_names_nothing_is_refused(
    only: dict[str, str], what: str, settings: Settings, refused: Refused
) -> None:
    with refused(what):
        queue.run(settings(round="pilot", only=only))


def test_a_pilot_takes_every_label_alike(settings: Settings, truth: dict[str, str], product: Any) -> None:
    names = product.formulation.label_names
    found = made(settings, "pilot", kind="pilot", items=4 * len(names), quota=0)
    assert Counter(truth[record] for record in found["items"]) == dict.fromkeys(names, 4)


def test_of_records_that_look_alike_a_round_takes_one(settings: Settings, truth: dict[str, str]) -> None:
    a, b, c, *others = sorted(truth)
    pairs = {"id": [a, a], "other": [b, c]}  # of three that are equal each is paired with the first
    pl.DataFrame(pairs).write_parquet("data/near_duplicates.parquet")
    only = {"ids": " ".join([b, c, *others[:3]])}
    found = made(settings, "pilot", kind="pilot", items=5, quota=0, only=only)["items"]
    assert len(found) == 4
    assert set(others[:3]) < set(found)


def test_gold_comes_from_what_all_agree_on_and_too_few_are_told(
    settings: Settings, truth: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    ids = sorted(truth)[:4]
    rows = [(r, truth[r] if i else "-", f"annotator-{who}") for i, r in enumerate(ids) for who in (1, 2)]
    rows[2] = (ids[1], "another", "annotator-1")
    said = pl.DataFrame(rows, schema=["id", "label", "annotator"], orient="row").with_columns(
        label=pl.col("label").replace("-", None),
        round=pl.lit("pilot"), guide_version=pl.lit("1.0"), annotated_at=NOON, seconds=pl.lit(2.0),
    )  # fmt: skip
    Path("data/labels").mkdir(parents=True, exist_ok=True)
    said.write_parquet("data/labels/pilot.parquet")
    found = made(settings, "first", kind="production", items=40, gold=0.1)
    assert found["gold"] == {record: truth[record] for record in ids[2:]}
    assert "2 of 4 gold items: no more answers are known from agreed" in capsys.readouterr().out
    lead = Path("gold.csv")
    lead.write_text(f"id,label,why\n{ids[0][:16]},{truth[ids[0]]},clear\n", encoding="utf-8")
    found = made(settings, "second", kind="production", items=10, gold=0.1, gold_from="gold.csv")
    assert found["gold"] == {ids[0]: truth[ids[0]]}


def test_records_whose_labels_were_withdrawn_are_asked_for_again(settings: Settings, truth: dict[str, str]) -> None:
    record = sorted(truth)[0]
    row = {"id": record, "label": truth[record], "annotator": "ana", "round": "bad", "guide_version": "1.0"}
    Path("data/labels").mkdir(parents=True, exist_ok=True)
    pl.DataFrame([row]).with_columns(annotated_at=NOON, seconds=pl.lit(2.0)).write_parquet("data/labels/bad.parquet")
    config = settings(round="pilot", only={"ids": record})
    with pytest.raises(UserError, match="passes the filter"):
        queue.run(config)
    config.label.withdrawn = [Withdrawn("took them from a list", annotator="ana")]
    queue.run(config)
    assert Path("data/rounds/pilot.json").exists()
