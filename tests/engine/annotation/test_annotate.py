"""Giving a round to annotators: all of it, once, and nothing of anybody else."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullstack_ml.annotation import annotate, queue

Refused = Callable[..., AbstractContextManager[None]]
Settings = Callable[..., Any]
Read = Callable[[str], Any]


@pytest.fixture
def production(settings: Settings) -> Any:
    """A round with overlap, gold items and pre-labels."""
    config = settings(round="first", kind="production", items=40, gold=0.1, gold_from="source", prelabel=True)
    queue.run(config)
    return config


def test_every_item_becomes_one_task(
    studio: Any, production: Any, read: Read, capsys: pytest.CaptureFixture[str]
) -> None:
    annotate.run(production)
    one = read("first")
    assert sorted(task["data"]["id"] for task in studio.tasks) == sorted(one.items)
    assert f"{studio.url}/projects/1/data" in capsys.readouterr().out


def test_running_it_again_changes_nothing(studio: Any, production: Any, capsys: pytest.CaptureFixture[str]) -> None:
    annotate.run(production)
    studio.changes.clear()
    annotate.run(production)
    assert studio.changes == []
    assert "0 of them new" in capsys.readouterr().out


def test_a_run_that_was_killed_is_finished_by_the_next(studio: Any, production: Any, read: Read) -> None:
    annotate.run(production)
    one = read("first")
    whole = [(task["data"], task["predictions"], task["overlap"]) for task in studio.tasks]
    del studio.tasks[30:]
    next(task for task in studio.tasks if task["data"]["id"] in one.overlap)["overlap"] = 1
    annotate.run(production)
    assert [(task["data"], task["predictions"], task["overlap"]) for task in studio.tasks] == whole
    assert {task["data"]["id"]: task["overlap"] for task in studio.tasks} == {
        record: 3 if record in one.overlap else 1 for record in sorted(one.items)
    }


def test_only_the_shown_items_carry_what_the_model_says(studio: Any, production: Any, read: Read) -> None:
    annotate.run(production)
    one = read("first")
    assert one.shown
    for task in studio.tasks:
        hints = [(p["result"][0]["value"]["choices"], p["score"]) for p in task["predictions"]]
        record = task["data"]["id"]
        assert hints == ([([one.model[record]], one.certainty[record])] if record in one.shown else [])
        sure = f"{100 * min(0.99, one.certainty[record]):.0f} %" if record in one.shown else ""
        assert task["data"]["hint"] == (f"The model says: {one.model[record]} ({sure} sure)" if sure else "")


def test_no_task_tells_why_it_is_there_or_what_is_right(studio: Any, production: Any) -> None:
    annotate.run(production)
    assert {frozenset(task["data"]) - {"image", "row"} for task in studio.tasks} == {frozenset({"id", "hint"})}
    ids = [task["data"]["id"] for task in studio.tasks]
    assert ids == sorted(ids)


def test_everybody_labels_a_pilot_and_the_newest_round_is_taken(studio: Any, settings: Settings) -> None:
    queue.run(settings(round="pilot", kind="pilot", items=10))
    annotate.run(settings())
    (project,) = studio.projects
    assert (project["maximum_annotations"], project["show_skip_button"]) == (3, False)
    assert {task["overlap"] for task in studio.tasks} == {3}


def test_a_project_of_somebody_else_with_the_same_name_is_left_alone(
    studio: Any, production: Any, refused: Refused
) -> None:
    annotate.run(production)
    studio.projects[0]["description"] = "mine"
    studio.changes.clear()
    with refused("make annotate of this product did not make it", "/projects/1", "rename"):
        annotate.run(production)
    assert studio.changes == []


def test_two_products_of_one_name_do_not_share_a_project(studio: Any, production: Any, refused: Refused) -> None:
    annotate.run(production)
    Path("src/my_product").rename("src/your_product")
    with refused("make annotate of this product did not make it", "/projects/1", "service.name"):
        annotate.run(production)


def test_a_round_of_an_older_major_guide_is_refused(studio: Any, production: Any, refused: Refused) -> None:
    guide = Path("docs/2-data/annotation-guide.md")
    text = guide.read_text(encoding="utf-8")
    guide.write_text(text.replace("1.0", "1.1", 1), encoding="utf-8")
    annotate.run(production)
    guide.write_text(text.replace("1.0", "2.0", 1), encoding="utf-8")
    with refused("guide 1.0", str(guide), "new round"):
        annotate.run(production)


def test_a_record_that_was_forgotten_is_named(studio: Any, production: Any, read: Read, refused: Refused) -> None:
    gone = sorted(read("first").items)[0]
    for shard in Path("data/raw").glob("*.parquet"):
        pl.read_parquet(shard).filter(pl.col("id") != gone).write_parquet(shard)
    with refused(gone[:12], "first.json"):
        annotate.run(production)


def test_a_server_that_refuses_or_is_away_is_named(
    studio: Any, production: Any, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.refuses = (403, '{"detail": "no such token"}')
    with refused("no such token", studio.url):
        annotate.run(production)
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:1")
    with refused("does not answer", "http://127.0.0.1:1", "make annotate"):
        annotate.run(production)
