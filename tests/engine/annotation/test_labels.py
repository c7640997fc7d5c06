"""Bringing annotations home: nothing lost, nothing doubled, nothing wrong let in."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullstack_ml.annotation import annotate, labels, queue, watch
from fullstack_ml.annotation.server import place
from fullstack_ml.annotation.studio import Studio
from fullstack_ml.workspace.errors import UserError

Refused = Callable[..., AbstractContextManager[None]]
CANNOT = "cannot be annotated"
FILE, REJECTED = Path("data/labels/pilot.parquet"), Path("data/rejected/labels-pilot.parquet")


@pytest.fixture
def pilot(studio: Any, settings: Callable[..., Any], kept: list[Path]) -> Any:
    """A pilot of ten records in Label Studio."""
    config = settings(round="pilot", kind="pilot", items=10)
    queue.run(config)
    annotate.run(config)
    return config


@pytest.fixture
def ids(studio: Any, pilot: Any) -> list[str]:
    """The records of the pilot."""
    return [task["data"]["id"] for task in studio.tasks]


def test_a_label_comes_home_with_all_that_is_known_of_it(studio: Any, pilot: Any, ids: list[str], product: Any) -> None:
    name = product.formulation.label_names[0]
    studio.annotate(ids[0], "annotator-1", name, lead_time=4.5)
    labels.run(pilot)
    (row,) = pl.read_parquet(FILE).to_dicts()
    assert (row["id"], row["label"], row["annotator"], row["seconds"]) == (ids[0], name, "annotator-1", 4.5)
    assert (row["round"], row["guide_version"], row["annotated_at"].isoformat()) == (
        *("pilot", "1.0"),
        "2026-01-01T00:00:00+00:00",
    )


def test_pulling_again_changes_nothing_and_later_labels_are_added(
    studio: Any, pilot: Any, ids: list[str], product: Any, kept: list[Path]
) -> None:
    name = product.formulation.label_names[0]
    studio.annotate(ids[0], "annotator-1", name)
    labels.run(pilot)
    before = FILE.stat().st_mtime_ns
    labels.run(pilot)
    assert FILE.stat().st_mtime_ns == before
    studio.annotate(ids[0], "annotator-2", name)
    labels.run(pilot)
    assert pl.read_parquet(FILE).height == 2
    assert kept == [FILE] * 3  # also the second time: the first may have been killed before DVC had the table


def test_where_dvc_does_not_work_the_file_stays_and_the_command_is_named(
    studio: Any, settings: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    config = settings(round="pilot", kind="pilot", items=1)
    queue.run(config)
    annotate.run(config)
    studio.annotate(studio.tasks[0]["data"]["id"], "annotator-1", CANNOT)
    labels.run(config)  # the project of the test is no repository
    assert f"dvc add {FILE} did not work: " in capsys.readouterr().out
    assert len(pl.read_parquet(FILE)) == 1


def test_cannot_be_annotated_is_a_label_that_is_missing(studio: Any, pilot: Any, ids: list[str]) -> None:
    studio.annotate(ids[0], "annotator-1", CANNOT)
    labels.run(pilot)
    assert pl.read_parquet(FILE)["label"].to_list() == [None]


def test_what_is_skipped_is_not_finished(studio: Any, pilot: Any, ids: list[str]) -> None:
    studio.annotate(ids[0], "annotator-1", was_cancelled=True)
    labels.run(pilot)
    assert not FILE.exists()
    assert not REJECTED.exists()


def test_of_two_labels_of_one_annotator_the_later_counts_and_the_other_is_kept(
    studio: Any, pilot: Any, ids: list[str], product: Any
) -> None:
    first, second, *_ = product.formulation.label_names
    studio.annotate(ids[0], "annotator-1", first)
    studio.annotate(ids[0], "annotator-1", second)
    labels.run(pilot)
    assert pl.read_parquet(FILE)["label"].to_list() == [second]
    assert pl.read_parquet(REJECTED).select("label", "reason").rows() == [
        (first, "replaced by a later label of the same annotator")
    ]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (["no such label"], "not allowed by product.yaml"),
        ([], "not exactly one answer"),
        (["a", "b"], "not exactly one answer"),
    ],
    ids=["unknown", "none", "two"],
)
def test_a_wrong_label_is_rejected_with_its_reason_and_the_others_come_home(
    given: list[str], reason: str, studio: Any, pilot: Any, ids: list[str], product: Any, refused: Refused
) -> None:
    studio.annotate(ids[0], "annotator-1", *given)
    studio.annotate(ids[1], "annotator-1", product.formulation.label_names[0])
    with refused(reason, str(REJECTED), "make labels"):
        labels.run(pilot)
    assert pl.read_parquet(FILE)["id"].to_list() == [ids[1]]
    assert pl.read_parquet(REJECTED).select("id", "reason").rows() == [(ids[0], reason)]


@pytest.mark.parametrize("data", [{"id": "somebody else's"}, {}], ids=["other", "none"])
def test_an_annotation_of_a_record_that_the_round_does_not_have_is_rejected(
    data: dict[str, str], studio: Any, pilot: Any, ids: list[str], product: Any, refused: Refused
) -> None:
    studio.annotate(ids[0], "annotator-1", product.formulation.label_names[0])
    studio.tasks[0]["data"] = data
    with refused("unknown record", str(REJECTED)):
        labels.run(pilot)
    assert not FILE.exists()


def test_labels_survive_the_loss_of_label_studio(
    studio: Any, pilot: Any, ids: list[str], product: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    name = product.formulation.label_names[0]
    studio.annotate(ids[0], "annotator-1", name)
    labels.run(pilot)
    studio.tasks[0]["annotations"].clear()
    studio.annotate(ids[1], "annotator-1", name)
    labels.run(pilot)
    assert sorted(pl.read_parquet(FILE)["id"]) == sorted(ids[:2])
    assert "1 of them are gone from Label Studio and were kept" in capsys.readouterr().out


def test_a_round_that_label_studio_does_not_have_is_named(studio: Any, pilot: Any, refused: Refused) -> None:
    studio.projects.clear()
    with refused("'pilot'", studio.url, "make annotate ROUND=pilot"):
        labels.run(pilot)


def test_label_studio_that_was_never_started_is_named(
    pilot: Any, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LABEL_STUDIO_URL")
    with refused("never started", ".labelstudio/access.json", "make annotate"):
        labels.run(pilot)


def test_many_pages_of_tasks_are_all_read(studio: Any, pilot: Any, ids: list[str], monkeypatch: Any) -> None:
    monkeypatch.setattr(f"{labels.__package__}.studio.PAGE", 3)
    for record in ids:
        studio.annotate(record, "annotator-1", CANNOT)
    labels.run(pilot)
    assert sorted(pl.read_parquet(FILE)["id"]) == sorted(ids)


def test_who_edits_a_label_answers_for_it(studio: Any, pilot: Any, ids: list[str], product: Any) -> None:
    name = product.formulation.label_names[0]
    studio.annotate(ids[0], "annotator-1", name, updated_by=3)  # the number of annotator-2
    studio.annotate(ids[1], "annotator-1", name, updated_by=None)
    labels.run(pilot)
    who = dict(pl.read_parquet(FILE).select("id", "annotator").iter_rows())
    assert who == {ids[0]: "annotator-2", ids[1]: "annotator-1"}


def test_the_reason_comes_home_with_the_answer(studio: Any, pilot: Any, ids: list[str]) -> None:
    studio.annotate(ids[0], "annotator-1", CANNOT)
    note = {"type": "textarea", "from_name": "note", "value": {"text": ["two at once"]}}
    studio.tasks[0]["annotations"][0]["result"].append(note)
    labels.run(pilot)
    assert pl.read_parquet(FILE)["note"].to_list() == ["two at once"]


def test_the_list_of_wrong_labels_goes_when_they_are_mended(
    studio: Any, pilot: Any, ids: list[str], product: Any, refused: Refused
) -> None:
    studio.annotate(ids[0], "annotator-1", "no such label")
    with refused("not allowed"):
        labels.run(pilot)
    studio.tasks[0]["annotations"][0]["result"][0]["value"]["choices"] = product.formulation.label_names[:1]
    labels.run(pilot)
    assert not REJECTED.exists()


def test_a_minor_change_of_the_guide_during_a_round_stands_on_the_labels_after_it(
    studio: Any, pilot: Any, ids: list[str]
) -> None:
    studio.annotate(ids[0], "annotator-1", CANNOT)
    labels.run(pilot)
    guide = Path("docs/2-data/annotation-guide.md")
    guide.write_text(guide.read_text(encoding="utf-8").replace("1.0", "1.1", 1), encoding="utf-8")
    annotate.run(pilot)
    assert 'guide 1.1"' not in studio.projects[0]["expert_instruction"]
    assert "1.1" in studio.projects[0]["expert_instruction"]
    studio.annotate(ids[1], "annotator-1", CANNOT, updated_at="2999-01-01T00:00:00.000000Z")
    labels.run(pilot)
    assert dict(pl.read_parquet(FILE).select("id", "guide_version").iter_rows()) == {ids[0]: "1.0", ids[1]: "1.1"}
    noted = json.loads(Path("data/rounds/pilot.json").read_text(encoding="utf-8"))
    assert (noted["guide_version"], list(noted["guides"])) == ("1.0", ["1.1"])


def test_a_project_that_somebody_deletes_takes_no_label_with_it(
    studio: Any, pilot: Any, ids: list[str], product: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, *_ = product.formulation.label_names
    studio.annotate(ids[0], "annotator-1", first)
    labels.run(pilot)
    studio.annotate(ids[1], "annotator-2", second)
    studio.annotate(ids[2], "annotator-2", CANNOT)
    watch.copy(pilot.annotation)  # which runs by itself beside Label Studio
    studio.projects.clear()
    studio.tasks.clear()
    labels.run(pilot)
    known = {ids[0]: first, ids[1]: second, ids[2]: None}
    assert dict(pl.read_parquet(FILE).select("id", "label").iter_rows()) == known
    assert "make annotate brings it back" in capsys.readouterr().out
    before = pl.read_parquet(FILE)
    annotate.run(pilot)
    back = {task["data"]["id"]: task["annotations"][0] for task in studio.tasks if task["annotations"]}
    said = {record: row["result"][0]["value"]["choices"][0] for record, row in back.items()}
    assert said == {ids[0]: first, ids[1]: second, ids[2]: CANNOT}
    assert back[ids[1]]["completed_by"] == 3
    labels.run(pilot)
    assert pl.read_parquet(FILE).equals(before), "a project that is made anew changes no time"


def test_a_personal_access_token_signs_in_too(studio: Any, pilot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    studio.short = "a short token"  # which the personal one is exchanged for
    monkeypatch.setenv("LABEL_STUDIO_TOKEN", "head.body.signature")
    client = Studio(*place(pilot.annotation))
    assert client.names()[1] == "owner"
    studio.short = "the next one"  # the first has ended
    assert client.names()[1] == "owner"
    monkeypatch.setenv("LABEL_STUDIO_TOKEN", "a legacy token")
    with pytest.raises(UserError, match="401") as error:
        Studio(*place(pilot.annotation)).names()
    assert "personal access token" in error.value.fix
