"""Artefacts side by side: every metric of each, a mark where a requirement fails, registered versions beside them."""

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import onnx
import pytest

from fullstack_ml.modeling.study import compare
from fullstack_ml.registry.tracking import ClientRegistry

Refused = Callable[..., AbstractContextManager[None]]


def compared(monkeypatch: pytest.MonkeyPatch, *versions: str) -> Any:
    """Run ``make compare`` and return what it stored."""
    monkeypatch.setattr("sys.argv", ["compare", *versions])
    compare.main()
    return json.loads(compare.COMPARISON.read_text(encoding="utf-8"))


def test_the_variants_stand_beside_each_other_with_what_the_evaluation_measured(
    finished: Path, monkeypatch: pytest.MonkeyPatch, product: Any
) -> None:
    found = compared(monkeypatch)
    assert list(found) == ["full (exported)", "int8 (exported)"]
    evaluation = json.loads(Path("reports/metrics.json").read_text(encoding="utf-8"))
    full = found["full (exported)"]
    # The evaluation measured the shipped variant, which is the full one.
    assert {name: full[name] for name in evaluation} == pytest.approx(evaluation)
    for name, row in found.items():
        size = Path(f"models/variants/{name.split()[0]}.onnx").stat().st_size
        assert row["artefact_kib"] == pytest.approx(size / 1024)
        assert row["memory_mib"] > 0
    on_the_model = [
        r.metric for r in product.requirements if r.slice == "all" and r.metric not in ("records", "input_cost")
    ]
    assert set(on_the_model) <= set(full)


def test_a_registered_version_is_compared_by_its_alias(
    finished: Path, monkeypatch: pytest.MonkeyPatch, mlflow: Any
) -> None:
    shutil.copytree("models/variants", "stored")
    client, name = mlflow.MlflowClient(), "my_product"
    client.create_registered_model(name)
    version = client.create_model_version(name, source=str(Path("stored").resolve()))
    client.set_registered_model_alias(name, "champion", version.version)
    monkeypatch.setattr(ClientRegistry, "file", lambda _, number: Path("stored/int8.onnx"))
    found = compared(monkeypatch, "champion")
    assert list(found)[-1] == "version 1 (champion)"
    assert found["version 1 (champion)"]["accuracy"] == found["int8 (exported)"]["accuracy"]


def test_models_of_conf_stand_beside_each_other_as_the_pipeline_would_make_them(
    finished: Path, monkeypatch: pytest.MonkeyPatch, config: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    found = compared(monkeypatch, f"model={config.model.name}", "model=majority", "model=lightgbm")
    assert list(found) == ["full (exported)", "int8 (exported)", config.model.name, "majority", "lightgbm"]
    own, shipped = found[config.model.name], found["full (exported)"]
    assert {name: own[name] for name in ("accuracy", "log_loss", "cost_per_record")} == pytest.approx(
        {name: shipped[name] for name in ("accuracy", "log_loss", "cost_per_record")}, abs=0.05
    )
    assert found["majority"]["margin_over_baseline"] == pytest.approx(0)
    assert found["lightgbm"]["accuracy"] > found["majority"]["accuracy"]
    assert "lightgbm" in capsys.readouterr().out.splitlines()[3]


def test_a_version_of_another_contract_is_refused(
    finished: Path, monkeypatch: pytest.MonkeyPatch, mlflow: Any, refused: Refused
) -> None:
    graph = onnx.load("models/model.onnx")
    next(prop for prop in graph.metadata_props if prop.key == "labels").value = '["other"]'
    onnx.save(graph, "other.onnx")
    client = mlflow.MlflowClient()
    client.create_registered_model("my_product")
    client.create_model_version("my_product", source="nowhere")
    monkeypatch.setattr(ClientRegistry, "file", lambda *_: Path("other.onnx"))
    with refused("version 1 has other labels", "VERSIONS", "product.yaml"):
        compared(monkeypatch, "1")
    assert not compare.COMPARISON.exists()


def test_a_version_that_is_not_there_is_refused(
    finished: Path, monkeypatch: pytest.MonkeyPatch, mlflow: Any, refused: Refused
) -> None:
    with refused("no version '7'", "VERSIONS", "make mlflow"):
        compared(monkeypatch, "7")


def test_a_failed_requirement_is_marked_where_it_fails(product: Any) -> None:
    wanted = product.requirements[0].model_copy(
        update={"metric": "accuracy", "slice": "all", "operator": ">=", "threshold": 0.9}
    )
    contract = product.model_copy(update={"requirements": [wanted]})
    known = {"good": 0.95, "bad": 0.85, "none": None}
    results: Any = {name: {"accuracy": value, "ece": 0.5} for name, value in known.items()}
    rows = {line.split()[0]: line for line in compare.as_table(results, contract).splitlines()[1:]}
    assert rows["accuracy"].split()[1:5] == ["0.95", "0.85", "FAIL", "not"]
    assert rows["accuracy"].count("FAIL") == 2  # what was not measured fails too
    assert "FAIL" not in rows["ece"]
