"""Stage evaluate: what the reports say is what the artefact does on the test split."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from sklearn import metrics

from fullstack_ml.artefact import session as artefact
from fullstack_ml.modeling.evaluate import __main__ as evaluate
from fullstack_ml.modeling.export import __main__ as export
from fullstack_ml.pipeline import examples

Refused = Callable[..., AbstractContextManager[None]]


def report(name: str = "evaluation") -> Any:
    """Read a report."""
    return json.loads(Path(f"reports/{name}.json").read_text(encoding="utf-8"))


def test_the_reported_metrics_are_those_that_scikit_learn_finds(finished: Path, product: Any) -> None:
    test = examples.read("test", product)
    probabilities = artefact.Artefact(Path("models/model.onnx")).score(test.inputs).outputs.astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    found, predicted = report()["metrics"], probabilities.argmax(axis=1)
    assert report()["records"] == len(test.truth)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(test.truth, predicted))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(test.truth, predicted, average="macro"))
    of_each = [metrics.average_precision_score(test.truth == i, one) for i, one in enumerate(probabilities.T)]
    assert found["average_precision"] == pytest.approx(np.mean(of_each), abs=1e-6)
    assert found["log_loss"] == pytest.approx(metrics.log_loss(test.truth, probabilities), rel=1e-4)
    assert found["worst_label_recall"] == pytest.approx(metrics.recall_score(test.truth, predicted, average=None).min())
    assert report()["confusion"] == metrics.confusion_matrix(test.truth, predicted).tolist()


def test_the_costs_of_errors_decide_and_are_measured(
    finished: Path, config: Any, product: Any, written: Callable[..., None]
) -> None:
    """Calling the second label the first costs 100 times as much as any other error."""
    names = product.formulation.label_names
    written({"wrong": 2.0, "abstain": 1.0, "by_label": {names[1]: {names[0]: 200.0}}})
    for stage in (export, evaluate):
        stage.run(config)
    test = examples.read("test", product)
    found, prices = artefact.Artefact(Path("models/model.onnx")), np.full((len(names), len(names)), 2.0)
    prices[1, 0] = 200.0
    np.fill_diagonal(prices, 0)
    scored = found.score(test.inputs)
    said = [int(np.argmin([shares @ prices[:, given] for given in range(len(names))])) for shares in scored.outputs]
    assert found.answer.text(scored.outputs, found.rule, product) == [names[i] for i in said]
    assert report()["metrics"]["accuracy"] == pytest.approx(np.mean(np.array(said) == test.truth))
    assert report()["metrics"]["cost_per_record"] == pytest.approx(prices[test.truth, said].mean())
    assert report()["confusion"] == metrics.confusion_matrix(test.truth, said).tolist()
    often = prices[test.truth, scored.outputs.argmax(axis=1)].mean()
    assert report()["metrics"]["cost_per_record"] < often, "the most probable label is not the cheapest here"


@pytest.fixture
def written(finished: Path) -> Callable[..., None]:
    """Write other costs into product.yaml, without a rule to abstain."""

    def write(cost: dict[str, Any]) -> None:
        contract = yaml.safe_load(Path("product.yaml").read_text(encoding="utf-8"))
        contract["service"]["error_cost"].update(cost)
        del contract["formulation"]["abstain"]
        Path("product.yaml").write_text(yaml.safe_dump(contract, allow_unicode=True), encoding="utf-8")

    return write


def test_the_baseline_is_the_most_frequent_label_of_the_training_data(finished: Path, product: Any) -> None:
    counts = report("training")["answers"]
    often = report()["baseline"]["majority"]["label"]
    assert counts[often] == max(counts.values())
    share = (pl.read_parquet("data/splits/test.parquet")["label"] == often).mean()
    margin = report()["metrics"]["accuracy"] - share
    assert report()["metrics"]["margin_over_baseline"] == pytest.approx(margin)
    assert margin > 0.2


def test_a_value_lies_in_its_interval(finished: Path) -> None:
    found = report()
    for name in ("accuracy", "macro_f1", "average_precision", "log_loss", "brier", "answered_share"):
        low, high = found["intervals"][name]
        assert low <= found["metrics"][name] <= high, name


def test_the_headline_and_the_decisions_are_those_of_the_whole_report(finished: Path) -> None:
    assert report("metrics") == report()["metrics"]
    assert sum(report()["decisions"].values()) == report()["records"]
    answered = report()["decisions"]["accept"] / report()["records"]
    assert report()["metrics"]["answered_share"] == pytest.approx(answered)


def test_size_and_time_are_in_a_report_of_their_own(finished: Path) -> None:
    found = report("performance")
    assert found["artefact_kib"] == pytest.approx(Path("models/model.onnx").stat().st_size / 1024)
    assert 0 < found["latency_p50_ms"] <= found["latency_p99_ms"]


def test_evaluating_again_gives_the_same_report_and_the_same_pictures(finished: Path, config: Any) -> None:
    files = [
        Path("reports/evaluation.json"),
        *Path("reports/figures").iterdir(),
        *Path("reports/plots/answer").iterdir(),
    ]
    before = {path: path.read_bytes() for path in files}
    evaluate.run(config)
    assert {path: path.read_bytes() for path in files} == before
    assert all(before[path].startswith(b"\x89PNG") for path in files if path.suffix == ".png")


def test_how_many_records_are_scored_at_once_changes_no_number(finished: Path, config: Any) -> None:
    before = report()["metrics"]
    config.evaluate.batch = 7
    evaluate.run(config)
    for name, value in report()["metrics"].items():
        assert (value is None) == (before[name] is None)
        assert value is None or value == pytest.approx(before[name], rel=1e-4, abs=1e-6), name


def test_every_slice_of_the_contract_is_measured_or_says_why_not(finished: Path, product: Any) -> None:
    found = report()["slices"]
    assert list(found) == [part.id for part in product.data.slices]
    assert all(("accuracy" in part) != ("not_measurable" in part) for part in found.values())


def test_probabilities_that_are_no_numbers_are_refused(
    finished: Path, config: Any, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    right = artefact.Artefact.score

    def broken(*arguments: Any) -> Any:
        scored = right(*arguments)
        return type(scored)(scored.outputs * np.nan, scored.novelty)

    monkeypatch.setattr(artefact.Artefact, "score", broken)
    with refused("not finite", "models/"):
        evaluate.run(config)


def test_training_data_is_not_read(finished: Path, config: Any) -> None:
    for name in ("train", "validation", "calibration"):
        Path(f"data/splits/{name}.parquet").unlink()
    evaluate.run(config)
