"""What users sent comes back once, in the shares of conf; what they corrected is a label that decides nothing alone."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from omegaconf import OmegaConf

from fullstack_ml.annotation import queue
from fullstack_ml.data.label import users
from fullstack_ml.data.label.__main__ import run as label
from fullstack_ml.data.label.aggregate import majority
from fullstack_ml.inputs import input_of
from fullstack_ml.monitoring import feedback
from fullstack_ml.pipeline.config import Annotation, Config, Source
from fullstack_ml.pipeline.tables import LABEL, raw

pytestmark = pytest.mark.task("tabular-classification")
Logged = Callable[..., list[str]]


@pytest.fixture
def asked(config: Config) -> Config:
    """conf/ with the log as source, ten records of each kind at most."""
    config.source = Source(**yaml.safe_load(Path("conf/source/predictions.yaml").read_text(encoding="utf-8")))
    shares = dict.fromkeys(("corrected", "strangers", "doubtful", "random"), 0.25)
    config.source.options = {**config.source.options, "records": 40, "shares": shares}
    return config


def sent(usual: pl.DataFrame, product: Any) -> pl.DataFrame:
    """Change records, so that none is stored: another one in the contract's range."""
    name = product.formulation.input.features[0].name
    return usual.with_columns(pl.col(name) * 0.97)


def name_inputs(ids: list[str], frame: pl.DataFrame, product: Any) -> dict[str, str]:
    """Write the names of the records into the log, as the server does; return them by prediction."""
    names = dict(zip(ids, input_of(product).content_id(frame, product), strict=True))
    with sqlite3.connect("predictions.db") as connection:
        rows = [(record, prediction) for prediction, record in names.items()]
        connection.executemany("UPDATE predictions SET input_sha256 = ? WHERE prediction_id = ?", rows)
    return names


def test_what_was_sent_comes_back_once_and_waits_for_a_round(
    log: Logged, usual: pl.DataFrame, product: Any, asked: Config, capsys: Any
) -> None:
    frame = sent(usual.head(120), product)
    names = name_inputs(log(frame), frame, product)
    again = name_inputs(log(frame), frame, product)  # everybody sent everything twice
    stored = usual.head(20)  # and some of it is known
    name_inputs(log(stored), stored, product)
    with sqlite3.connect("predictions.db") as connection:
        reasons = dict(connection.execute("SELECT prediction_id, reason FROM predictions"))
        for prediction in list(names)[:6]:
            row = (prediction, "clerk", "champion", "benign", "noticed", "2026-01-01 00:00:00")
            connection.execute("INSERT INTO feedback VALUES (?, ?, ?, ?, ?, ?)", row)
        wrong = "SELECT count(*) FROM predictions p JOIN feedback f USING (prediction_id) WHERE p.answer != f.answer"
        corrected = connection.execute(wrong).fetchone()[0]
    before = raw().select("id").collect()["id"].to_list()
    feedback.run(asked)
    came = raw().filter(pl.col("source").str.starts_with("prediction ")).collect()
    assert came["id"].n_unique() == len(came)
    assert set(came["id"]) <= set(names.values())
    assert not {one[:32] for one in came["id"]} & {one[:32] for one in before}
    why = dict(came["source"].str.split(" ").list.last().value_counts().iter_rows())
    assert why["corrected"] == corrected
    assert why["doubtful"] == why["random"] == 10
    said = dict(came["source"].str.extract_groups(r"prediction (\w+) (\w+)").struct.unnest().iter_rows())
    assert {reasons[one] for one, group in said.items() if group == "doubtful"} == {"uncertain"}
    assert came["happened_at"].null_count() == 0
    assert "KIND=production" in capsys.readouterr().out
    waiting = pl.read_csv(feedback.LIST)
    assert sorted(waiting["id"]) == sorted(came["id"])
    assert set(said) <= set(names) | set(again)

    feedback.run(asked)  # a second run brings others, and never the same
    more = raw().filter(pl.col("source").str.starts_with("prediction ")).collect()
    assert more["id"].n_unique() == len(more) > len(came)
    assert set(before) <= set(raw().select("id").collect()["id"])

    table = pl.read_parquet(feedback.FILE)
    assert set(table["annotator"]) == {"users"}
    assert set(table["id"]) <= {names[one] for one in list(names)[:6]}
    label(asked)  # nobody else has looked at these records: no label follows
    labelled = pl.read_parquet("data/labelled.parquet")
    assert not set(labelled["id"]) & set(came["id"])
    assert json.loads(Path("reports/agreement.json").read_text(encoding="utf-8"))["users"] == {
        "labels": len(table),
        "judged": 0,
        "same": None,
    }
    asked_for = set(pl.read_csv(feedback.LIST)["id"])
    take_round(asked, len(asked_for))
    chosen = json.loads(Path("data/rounds/back.json").read_text(encoding="utf-8"))
    assert "production" not in {kind.name for kind in product.data.kinds}, "the contract need not know the kind"
    fresh = set(chosen["items"]) - set(chosen["gold"])
    assert fresh
    assert fresh <= asked_for


def take_round(config: Config, items: int) -> None:
    """Type what the feedback said is next: make round NAME=back KIND=production N= FILE=."""
    kept: Any = OmegaConf.to_container(OmegaConf.load("conf/annotation.yaml"))
    kept = kept["annotation"]
    only = {**kept["only"], "file": str(feedback.LIST)}
    config.annotation = Annotation(**{**kept, "round": "back", "kind": "production", "items": items, "only": only})
    queue.run(config)


def test_personal_records_do_not_come_back(log: Logged, usual: pl.DataFrame, asked: Config, refused: Any) -> None:
    log(usual.head(10))
    text = Path("product.yaml").read_text(encoding="utf-8")
    Path("product.yaml").write_text(text.replace("privacy: public", "privacy: personal"), encoding="utf-8")
    with refused("the log keeps no input"):
        feedback.run(asked)


def test_a_correction_settles_a_tie_and_decides_nothing_alone() -> None:
    rows = [("1", "a", "ann"), ("1", "b", "bob"), ("1", "b", "users"), ("2", "a", "users")]
    rows += [("3", "a", "ann"), ("3", "b", "users")]
    made = pl.DataFrame(rows, schema=["id", "label", "annotator"], orient="row")
    beside = {name: pl.lit(None, kind) for name, kind in LABEL.items() if name not in made.columns}
    said = made.with_columns(**beside).with_columns(guide_version=pl.lit("1.0"))
    half = majority(users.weighed(said, 0.5))
    assert dict(half.select("id", "label").iter_rows()) == {"1": "b", "3": "a"}
    assert half["share"].to_list() == pytest.approx([1.5 / 2.5, 1 / 1.5])
    whole = majority(users.weighed(said, 1))
    assert dict(whole.select("id", "label").iter_rows()) == {"1": "b", "2": "a", "3": "a"}
    none = majority(users.weighed(said, 0))
    assert dict(none.select("id", "label").iter_rows()) == {"1": "a", "3": "a"}
    found = users.agreement(said, none)
    assert found.pop("interval") == pytest.approx([0, 3.8415 / 5.8415], abs=1e-4)  # Wilson's, of none of two
    assert found == {"labels": 3, "judged": 2, "same": 0.0}


def test_what_users_corrected_still_waits_for_an_annotator() -> None:
    said = pl.DataFrame({"id": ["by a user", "by both", "by both"], "annotator": ["users", "users", "annotator-1"]})
    assert queue.Known(said, {}, set(), None).asked == {"by both"}
