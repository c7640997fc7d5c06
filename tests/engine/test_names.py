"""Labels are taken as people write them: signs, markup, Hangul, 200 characters, from the source to MLflow."""

import json
import shutil
import sqlite3
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from omegaconf import DictConfig
from starlette.testclient import TestClient

from fullstack_ml.annotation import interface
from fullstack_ml.modeling.register import runlog
from fullstack_ml.product import contract
from fullstack_ml.registry.tracking import connect, entity_name
from laid import requirement

pytestmark = pytest.mark.task("tabular-classification")
LABELS = [">50K", "C++", "50 %", "it's", "a/b", "A, B", "a & b", "None", "01", "$5 $9", "x|y"]
LABELS += ["<script>alert(1)</script>", "라벨 하나", "e" * 200]


def ask_for_labels(written: dict[str, Any]) -> None:
    """Ask for a label of such a name from a point in the plane."""
    features = [{"name": name, "low": -100, "high": 100, "unit": "m", "meaning": name} for name in ("x", "y")]
    written["formulation"]["input"]["features"] = features
    written["formulation"]["answer"]["labels"] = [{"name": name, "definition": f"is {name}"} for name in LABELS]
    written["requirements"] = [requirement("R1", "accuracy", 0.9)]


@pytest.fixture
def named(lay_own: Callable[..., tuple[Path, DictConfig]]) -> tuple[Path, DictConfig]:
    """Write a contract and a table whose labels have such names, one cluster of rows each."""
    random, place = np.random.default_rng(0), np.repeat(np.arange(len(LABELS)), 100)
    angle = 2 * np.pi * place / len(LABELS)
    points = {"x": 80 * np.cos(angle) + random.normal(0, 2, len(place))}
    points["y"] = 80 * np.sin(angle) + random.normal(0, 2, len(place))
    return lay_own(ask_for_labels, pl.DataFrame({**points, "label": [LABELS[i] for i in place]}))


def test_a_label_of_any_name_goes_from_the_source_to_the_store(
    stages: Callable[..., None], named: tuple[Path, DictConfig], empty_store: Path
) -> None:
    own, chosen = named
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Glyph")  # a figure in which a letter is missing
        stages(chosen, own)
    evaluation = json.loads(Path("reports/evaluation.json").read_text(encoding="utf-8"))
    assert list(evaluation["labels"]) == LABELS
    pages = [*Path("docs").rglob("*.md"), *Path("reports").rglob("*.html")]
    assert len(pages) > 3
    for page in pages:
        assert "<script>alert" not in page.read_text(encoding="utf-8"), page
    assert "x\\|y" in Path("docs/2-data/data-card.md").read_text(encoding="utf-8")
    shutil.copy(empty_store, "mlflow.db")
    mlflow = connect()
    with mlflow.start_run() as active:
        runlog.log_numbers(mlflow, active.info, {}, contract.load())
    with sqlite3.connect("mlflow.db") as store:
        logged = {name for (name,) in store.execute("SELECT key FROM metrics")}
    assert {entity_name(f"label.{name}.recall") for name in LABELS} <= logged


def test_every_name_has_one_in_the_store_and_no_two_the_same() -> None:
    names = [*LABELS, "C--", "a:b", "a:3ab", "e" * 201, "🚗"]
    given = {entity_name(name) for name in names}
    assert len(given) == len(names)
    assert max(map(len, given)) <= 250
    assert entity_name("C++") == "C:2b:2b"
    assert entity_name("label.라벨 하나.recall") == "label.라벨 하나.recall"


def test_a_label_is_text_on_the_screen_of_the_annotators(
    project: Path, named: tuple[Path, DictConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    from xml.etree import ElementTree

    monkeypatch.chdir(named[0])
    screen = ElementTree.fromstring(interface.interface(contract.load()))
    assert [choice.get("value") for choice in screen.iter("Choice")][: len(LABELS)] == LABELS


def test_a_label_of_any_name_is_answered_and_corrected(
    stages: Callable[..., None], named: tuple[Path, DictConfig]
) -> None:
    from pydantic import SecretStr

    from fullstack_ml.serving import app, settings

    own, chosen = named
    stages(chosen, own)
    served = settings.Settings(model="models/model.onnx", database_url=SecretStr("sqlite:///predictions.db"))
    with TestClient(app.create_app(served), "http://localhost") as client:
        answer = client.post("/v1/predict", json={"records": [{"x": 80.0, "y": 0.0}]})
        assert answer.status_code == 200, answer.text
        (given,) = answer.json()["predictions"]
        assert sorted(given["scores"]) == sorted(LABELS)
        late = {"prediction_id": given["prediction_id"], "answer": "라벨 하나", "who": "a clerk", "how": "noticed"}
        told = client.post("/v1/feedback", json=late)
        assert told.status_code < 300, told.text
