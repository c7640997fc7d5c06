"""The agreement report, and agreement as a requirement: what people see, and what the gate sees."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from english import sentences
from fullstack_ml.annotation import annotate, labels, queue, report
from fullstack_ml.data.label import __main__ as label_stage
from fullstack_ml.data.label import rounds, trend
from fullstack_ml.data.label.standing import annotations
from fullstack_ml.inputs import input_of
from fullstack_ml.modeling.accept import __main__ as accept
from fullstack_ml.pipeline.tables import raw_records

Refused = Callable[..., AbstractContextManager[None]]
PEOPLE = ["annotator-1", "annotator-2", "annotator-3"]


@pytest.fixture
def annotated(
    studio: Any, settings: Callable[..., Any], truth: dict[str, str], product: Any, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """A pilot of 20 records in which the first annotator errs on every fourth, and the others never."""
    config = settings(round="pilot", kind="pilot", items=20)
    monkeypatch.setattr(labels, "keep", lambda path: None)
    queue.run(config)
    annotate.run(config)
    names = product.formulation.label_names
    for i, task in enumerate(studio.tasks):
        record = task["data"]["id"]
        right = truth[record]
        wrong = names[(names.index(right) + 1) % len(names)]
        for who in PEOPLE:
            studio.annotate(record, who, wrong if who == PEOPLE[0] and i % 4 == 0 else right)
    labels.run(config)
    label_stage.run(config)
    return config


def test_the_page_in_another_language_holds_no_english_sentence(annotated: Any, translate: Callable[[], None]) -> None:
    translate()
    report.run(annotated)
    assert sentences(Path("reports/agreement.html")) == []


def test_the_page_shows_every_disagreement_as_a_person_sees_it(annotated: Any, studio: Any, product: Any) -> None:
    report.run(annotated)
    page = Path("reports/agreement.html").read_text(encoding="utf-8")
    apart = [task["data"] for i, task in enumerate(studio.tasks) if i % 4 == 0]
    assert page.count('class="card"') == len(apart) == 5
    for data in apart:
        assert data["id"][:16] in page
    for record in raw_records([data["id"] for data in apart]).iter_rows(named=True):
        assert input_of(product).html(record, product) in page
    assert "annotator-1 and annotator-2" in page


@pytest.mark.task("image-classification")
def test_the_page_says_how_far_users_are_to_be_trusted(annotated: Any, product: Any) -> None:
    said = annotations().unique("id").sort("id").head(4)
    decided = dict(pl.read_parquet("data/labelled.parquet").select("id", "label").iter_rows())
    names = product.formulation.label_names
    right = [decided[record] for record in said["id"]]
    right[3] = names[(names.index(right[3]) + 1) % len(names)]  # one of the four corrections is none
    users = said.with_columns(label=pl.Series(right), annotator=pl.lit("users"), round=pl.lit("users"))
    users.write_parquet("data/labels/users.parquet")
    label_stage.run(annotated)
    report.run(annotated)
    page = Path("reports/agreement.html").read_text(encoding="utf-8")
    assert "Users corrected 4 records; annotators have labelled 4 of these" in page
    assert "decided as the users said in 0.75 of them" in page.replace("0.750", "0.75")


def test_the_page_needs_nothing_from_elsewhere(annotated: Any) -> None:
    report.run(annotated)
    page = Path("reports/agreement.html").read_text(encoding="utf-8")
    assert "http://" not in page
    assert "https://" not in page
    assert "default-src 'none'" in page
    assert "<script" not in page


def test_the_least_agreed_stands_first(annotated: Any, studio: Any) -> None:
    said = annotations()
    rows = trend.contested(said)
    assert rows["share"].to_list() == pytest.approx([2 / 3] * 5)
    assert rows["who"][0].to_list() == PEOPLE


def test_following_the_model_shows_where_its_label_was_in_view(
    annotated: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path("data/rounds/pilot.json")
    one = json.loads(path.read_text(encoding="utf-8"))
    said: dict[str, str] = dict(annotations().select("id", "label").iter_rows())
    ids = sorted(one["items"])
    one["model"] = {record: said[record] if i < 10 else "other" for i, record in enumerate(ids)}
    one["shown"] = ids[:10]
    path.write_text(json.dumps(one), encoding="utf-8")
    found = report.influence(annotations(), list(rounds.read_all().values()))
    assert found["shown"]["equal"] > 0.8
    assert found["blind"]["equal"] == 0
    assert found["blind"]["interval"] == pytest.approx([0, 0.1135], abs=1e-3)  # 0 of 30 by Wilson
    low, high = found["follows"]["interval"]
    assert 0.5 < low < found["follows"]["equal"] == found["shown"]["equal"] < high <= 1
    label_stage.run(annotated)
    measured = json.loads(Path("reports/agreement.json").read_text(encoding="utf-8"))
    assert measured["shared_records"] == 10, "agreeing with one suggestion is no agreement"
    report.run(annotated)
    page = Path("reports/agreement.html").read_text(encoding="utf-8")
    assert 0 < page.count('class="card"') == measured["disagreements"] < 5
    assert f"; {measured['disagreements']} disagreements on 10 records" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"alpha": 0.5, "low": None, "high": None}, "alpha 0.500, too low"),  # a label that few samples hold
        ({"alpha": None, "low": None, "high": None}, "alpha not measured;"),
        ({"alpha": 0.9, "low": 0.85, "high": 0.95}, "alpha 0.900 (0.850 to 0.950), firm"),
    ],
)
def test_alpha_is_told_as_far_as_it_was_measured(
    value: dict[str, float | None], said: str, annotated: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path("reports/agreement.json")
    measured = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(measured | {"alpha": value}), encoding="utf-8")
    report.run(annotated)
    assert f"agreement: {said}" in capsys.readouterr().out


def test_nobody_has_labelled_anything(finished: Path, settings: Callable[..., Any], refused: Refused) -> None:
    with refused("nobody", "data/labels", "make annotate"):
        report.run(settings())


@pytest.mark.parametrize(("value", "says"), [(0.8, "firm"), (0.7, "tentative"), (0.6, "too low"), (None, "not")])
def test_the_verdict_follows_the_usual_bounds(value: float | None, says: str) -> None:
    assert report.verdict(value).startswith(says)


@pytest.mark.parametrize(("threshold", "verdict"), [(0.99, "fail"), (0.1, "pass")])
def test_a_requirement_on_agreement_decides_the_release(
    threshold: float, verdict: str, annotated: Any, product: Any
) -> None:
    values = {"id": "R99", "metric": "agreement_alpha", "slice": "all", "operator": ">=", "threshold": threshold}
    required = product.requirements[0].model_copy(update={**values, "decide": "point"})
    stricter = product.model_copy(update={"requirements": [*product.requirements, required]})
    names = ("validation", "agreement", "performance", "evaluation")
    reports = {name: json.loads(Path(f"reports/{name}.json").read_text(encoding="utf-8")) for name in names}
    found = {row["id"]: row for row in accept.verdicts(stricter, reports)}
    assert found["R99"]["verdict"] == verdict
    assert 0.1 < found["R99"]["value"] < 0.99


def test_where_nobody_annotated_the_product_asks_for_no_agreement(finished: Path, product: Any) -> None:
    measured = json.loads(Path("reports/agreement.json").read_text(encoding="utf-8"))
    assert measured["metrics"]["agreement_alpha"] is None
    assert "agreement_alpha" not in [requirement.metric for requirement in product.requirements]
