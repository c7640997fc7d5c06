"""A table with features of every type, gaps and unseen values goes from a CSV file to the registry and the server."""

import copy
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from omegaconf import DictConfig, OmegaConf
from pydantic import SecretStr
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from starlette.testclient import TestClient

from fullstack_ml.artefact.graph import features_of
from fullstack_ml.inputs import table
from fullstack_ml.modeling.register import __main__ as register
from fullstack_ml.pipeline import stage
from fullstack_ml.product import contract
from fullstack_ml.serving import app, settings
from laid import requirement

pytestmark = pytest.mark.task("tabular-classification")
PLANS, STEPS = ["month to month", "one year", "two years"], ["low", "middle", "high"]
FEATURES: list[dict[str, Any]] = [
    {"name": "fee (KRW)", "low": 0, "high": 200, "missing": "allowed", "column": "monthly fee"},
    {"name": "calls", "type": "whole", "low": 0, "high": 50},
    {"name": "plan", "type": "category", "values": PLANS, "other": "allowed", "missing": "allowed"},
    {"name": "만족도", "type": "ordered", "values": STEPS},
    {"name": "json", "type": "flag"},
    {"name": "joined.on", "type": "date", "low": "2020-01-01", "high": "2025-12-31", "missing": "allowed"},
]
NAMES = [feature["name"] for feature in FEATURES]


def draw_customers(count: int = 2000) -> pl.DataFrame:
    """Draw rows whose answer depends on every feature, as text in a CSV file would write them."""
    random = np.random.default_rng(0)
    fee, calls, step = random.uniform(20, 120, count), random.integers(0, 12, count), random.integers(0, 3, count)
    plan = random.choice([*PLANS, "trial"], count, p=[0.4, 0.3, 0.2, 0.1])
    paperless, day = random.random(count) < 0.5, random.integers(0, 2000, count)
    joined = [datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=int(d)) for d in day]
    score = (fee - 70) / 30 + (calls - 6) / 5 + 2.0 * (plan == PLANS[0]) - 1.5 * step + paperless - day / 1000
    score += 1.5 * np.array([moment.weekday() == 6 for moment in joined])
    columns = {
        "monthly fee": [f"{value:.2f}" for value in fee],
        "calls": calls,
        "plan": plan,
        "만족도": [STEPS[i] for i in step],
        "json": np.where(paperless, "Yes", "no"),
        "joined.on": [moment.date().isoformat() for moment in joined],
        "left (Y/N)": np.where(score + random.normal(0, 0.7, count) > np.median(score), "Y", "N"),
    }
    frame = pl.DataFrame(columns)
    gaps = {"monthly fee": 0.1, "plan": 0.05, "joined.on": 0.05}
    kept = {name: pl.Series(random.random(count) >= share) for name, share in gaps.items()}
    words = {"monthly fee": "N/A", "plan": "", "joined.on": "-"}
    return frame.with_columns(pl.when(kept[n]).then(pl.col(n)).otherwise(pl.lit(words[n])).alias(n) for n in gaps)


def ask_for_customers(written: dict[str, Any]) -> None:
    """Ask for these features, the labels Y and N, and what a useful model meets."""
    written["formulation"]["input"]["features"] = [{**feature, "meaning": "m"} for feature in FEATURES]
    labels = [{"name": name, "definition": name} for name in ("N", "Y")]
    written["formulation"]["answer"]["labels"] = labels
    written["requirements"] = [requirement("R1", "accuracy", 0.75), requirement("R2", "worst_slice_accuracy", 0.6)]
    chosen: list[dict[str, Any]] = [{"column": "plan", "equals": PLANS[1]}, {"column": "json", "equals": True}]
    chosen += [{"column": "joined.on", "at_least": "2022-01-01"}, {"column": "calls", "below": 3}]
    written["data"]["slices"] = [{"id": f"slice {i}", "reason": "r", **part} for i, part in enumerate(chosen)]


@pytest.fixture(scope="module")
def laid(lay_own: Callable[..., tuple[Path, DictConfig]]) -> tuple[Path, DictConfig]:
    """A project whose contract has features of every type, its table as source, and boosted trees as model."""
    own, chosen = lay_own(ask_for_customers, draw_customers())
    chosen.source.options.label = "left (Y/N)"
    chosen.model = OmegaConf.load(own / "conf/model/boosted.yaml")
    return own, chosen


@pytest.fixture
def customers(laid: tuple[Path, DictConfig]) -> Path:
    """Such a project; only read it."""
    return laid[0]


@pytest.fixture
def chosen(laid: tuple[Path, DictConfig]) -> DictConfig:
    """What its conf/ says; the test may change it."""
    return copy.deepcopy(laid[1])


def plain_accuracy() -> float:
    """Return what a plain pipeline of scikit-learn reaches on the same split."""
    known, unseen = (pl.read_parquet(f"data/splits/{name}.parquet").to_pandas() for name in ("train", "test"))
    for frame in (known, unseen):
        frame["joined.on"] = frame["joined.on"].astype("int64").where(frame["joined.on"].notna())
    text = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    steps = [("plan", text, ["plan"]), ("step", OrdinalEncoder(categories=[STEPS]), ["만족도"])]
    encode = ColumnTransformer(steps, remainder="passthrough", sparse_threshold=0)
    model = make_pipeline(encode, HistGradientBoostingClassifier(random_state=0))
    model.fit(known[NAMES], known["label"])
    return float((model.predict(unseen[NAMES]) == unseen["label"]).mean())


def test_features_of_every_type_go_through_every_stage_to_the_server(
    stages: Callable[..., None], customers: Path, chosen: DictConfig, git: Callable[..., str], empty_store: Path
) -> None:
    stages(chosen, customers)
    verdicts = json.loads(Path("reports/acceptance.json").read_text(encoding="utf-8"))
    assert verdicts["accepted"], verdicts["failed"]
    evaluation = json.loads(Path("reports/evaluation.json").read_text(encoding="utf-8"))
    assert {part.get("not_measurable") for part in evaluation["slices"].values()} == {None}
    assert evaluation["metrics"]["accuracy"] >= plain_accuracy() - 0.02
    shutil.copy(empty_store, "mlflow.db")
    Path("dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {"train": {"cmd": "train"}}}))
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "-m", "Begin")
    register.run(stage.typed(chosen))
    assert json.loads(Path("reports/registration.json").read_text(encoding="utf-8"))["version"]
    record = {"fee (KRW)": 50.5, "calls": 3, "plan": "one year", "만족도": "high", "json": True}
    joined = {**record, "joined.on": "2024-05-05"}
    answers = ask(joined, {**joined, "plan": "never seen"}, {**joined, "plan": None}, record)
    assert answers.status_code == 200, answers.text
    assert {one["reason"] for one in answers.json()["predictions"]} <= {None, "uncertain"}, "it is familiar"
    faults = ask(record, {**record, "calls": 51}, {**record, "json": "yes"}, {**record, "만족도": "?"})
    first, *others = faults.json()["predictions"]
    assert first["decision"]
    said = {fault["pointer"]: fault["detail"] for entry in others for fault in entry["errors"]}
    assert set(said) == {"/records/1/calls", "/records/2/json", "/records/3/만족도"}
    assert said["/records/1/calls"].startswith("record 1: calls is 51: above the highest value, 50 (")
    assert said["/records/3/만족도"].endswith("(m; low, middle, high)")


def ask(*records: dict[str, Any]) -> Any:
    """Serve the artefact and ask it."""
    served = settings.Settings(model="models/model.onnx", database_url=SecretStr("sqlite:///predictions.db"))
    with TestClient(app.create_app(served), "http://localhost") as client:
        return client.post("/v1/predict", json={"records": list(records)})


ROWS: dict[str, list[Any]] = {
    "fee (KRW)": [12.5, None],
    "calls": [3, 0],
    "plan": ["two years", "never seen"],
    "만족도": ["high", "low"],
    "json": [True, False],
    "joined.on": [datetime(2024, 1, 1, 12), None],
}


@pytest.fixture
def product_of_customers(customers: Path) -> Any:
    """The contract with features of every type."""
    return contract.load(customers / "product.yaml")


def stored(product: Any) -> pl.DataFrame:
    """Two records as they are stored."""
    return pl.DataFrame(ROWS, schema=table.columns(product))


def test_a_stored_record_and_a_request_give_the_model_the_same(product_of_customers: Any) -> None:
    inputs = table.matrix(stored(product_of_customers), product_of_customers)
    # 2024-01-01 is 54 years and 13 leap days after 1970-01-01.
    by_hand = [[12.5, 3, 2, 2, 1, 54 * 365 + 13 + 0.5], [np.nan, 0, 3, 0, 0, np.nan]]
    assert inputs == pytest.approx(np.array(by_hand, np.float32), nan_ok=True)
    record = table.record_type(product_of_customers)
    rows = [dict(zip(ROWS, values, strict=True)) for values in zip(*ROWS.values(), strict=True)]
    rows[0]["joined.on"] = "2024-01-01T21:00+09:00"
    del rows[1]["fee (KRW)"]
    decoded, names, kept = table.decoder(product_of_customers)([record.model_validate(row) for row in rows], 0.0)
    assert np.array_equal(decoded, inputs, equal_nan=True)
    assert names == table.content_id(stored(product_of_customers), product_of_customers).to_list()
    assert json.loads(kept[0])["joined.on"] == "2024-01-01T21:00+09:00"


def test_the_graph_makes_columns_of_values_days_and_gaps(product_of_customers: Any) -> None:
    inputs = table.matrix(stored(product_of_customers), product_of_customers)
    made = features_of(inputs, product_of_customers)
    regions = {name: places for name, places, _ in table.regions(product_of_customers)}
    columns = np.concatenate([index for _, _, (index,) in table.regions(product_of_customers)])
    assert sorted(columns) == list(range(inputs.shape[1]))
    assert sorted(np.concatenate(list(regions.values()))) == list(range(made.shape[1]))
    expected = {
        "fee (KRW)": [[12.5, 0], [np.nan, 1]],  # the value, and whether it is missing
        "calls": [[3], [0]],
        "plan": [[0, 0, 1, 0, 0], [0, 0, 0, 1, 0]],  # the values, another one, missing
        "만족도": [[2], [0]],
        "json": [[1], [0]],
        # the day, the time of year and of day, Monday to Sunday, missing
        "joined.on": [[19723.5, 0, 0.5, 1, 0, 0, 0, 0, 0, 0, 0], [np.nan] * 3 + [0] * 7 + [1]],
    }
    for name, rows in expected.items():
        assert made[:, regions[name]] == pytest.approx(np.array(rows, np.float32), abs=3e-3, nan_ok=True), name


def test_a_value_that_is_added_to_the_contract_renames_no_record(product_of_customers: Any) -> None:
    features = product_of_customers.formulation.input.features
    longer = features[2].model_copy(update={"values": ["new", *features[2].values]})
    old = product_of_customers.formulation.input
    given = old.model_copy(update={"features": [*features[:2], longer, *features[3:]]})
    formulation = product_of_customers.formulation.model_copy(update={"input": given})
    changed = product_of_customers.model_copy(update={"formulation": formulation})
    frame = stored(product_of_customers)
    names = table.content_id(frame, product_of_customers).to_list()
    assert table.content_id(frame, changed).to_list() == names
    assert len(set(names)) == 2


def test_a_record_is_shown_with_all_its_values(product_of_customers: Any) -> None:
    first, second = (table.html(row, product_of_customers) for row in stored(product_of_customers).to_dicts())
    for text in ("12.5", "two years", "high", "yes", "2024-01-01 12:00"):
        assert f">{text}<" in first
    assert second.count(">missing<") == 2
    inputs = table.matrix(stored(product_of_customers), product_of_customers)
    drawn = table.draw(inputs[1], product_of_customers)
    assert "plan: another value" in drawn
    assert "json: no" in drawn
    assert "joined.on: missing" in drawn


def test_what_is_made_up_is_what_the_contract_allows(product_of_customers: Any) -> None:
    record = table.record_type(product_of_customers)
    example = table.example(product_of_customers)
    assert json.loads(record.model_validate(example).model_dump_json(by_alias=True)) == example
    drawn = table.random_inputs(product_of_customers, 500, 0)
    for feature, column in zip(product_of_customers.formulation.input.features, drawn.T, strict=True):
        low, high = feature.bounds if feature.ranged else (0, max(1, len(feature.values) - 1))
        assert column.min() >= low, feature.name
        assert column.max() <= high, feature.name
        assert feature.type == "number" or (column == column.round()).all(), feature.name


def test_strange_rows_leave_categories_what_they_are_and_gaps_where_they_were(product_of_customers: Any) -> None:
    inputs = table.random_inputs(product_of_customers, 50, 0)
    inputs[::5, 0] = np.nan
    strange = table.strangers(inputs, product_of_customers, 1)
    assert set(strange) > {"rows mixed", "columns swapped", "another unit (x 10)"}
    for name, made in strange.items():
        assert made.dtype == np.float32
        if name != "rows mixed":
            assert np.array_equal(made[:, 2:], inputs[: len(made), 2:], equal_nan=True), name
    assert np.array_equal(strange["another unit (x 10)"][:, :2], inputs[:, :2] * 10, equal_nan=True)
    assert all(set(np.unique(strange["rows mixed"][:, i])) == set(np.unique(inputs[:, i])) for i in (1, 2, 3))
