"""Champion against challenger: what is worse, what is better, and what noise must not decide."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest

from fullstack_ml.modeling.register import champion


def measured(resampled: dict[str, list[float]], **metrics: float | None) -> Any:
    """Return what was measured of a model: its metrics, and resamples after the point value."""
    values = {name: np.array([metrics[name], *samples]) for name, samples in resampled.items()}
    return SimpleNamespace(report={"metrics": metrics}, resampled=values)


def contract(product: Any, *metrics: str, better_on: str = "accuracy", decide: str = "point") -> Any:
    """Return the contract with one requirement per metric."""
    first = product.requirements[0]
    rows = [first.model_copy(update={"id": f"R{i}", "metric": m, "slice": "all"}) for i, m in enumerate(metrics, 1)]
    release = product.release.model_copy(update={"better_on": better_on, "decide": decide})
    return product.model_copy(update={"requirements": rows, "release": release})


def test_a_model_that_is_better_takes_the_place(product: Any) -> None:
    new, old = measured({}, accuracy=0.95), measured({}, accuracy=0.9)
    assert champion.reasons_to_stay(contract(product, "accuracy"), new, old, tolerance=0.01) == []


def test_a_model_that_is_equal_does_not(product: Any) -> None:
    same = measured({}, accuracy=0.9)
    (reason,) = champion.reasons_to_stay(contract(product, "accuracy"), same, same, tolerance=0.01)
    assert reason.startswith("accuracy is not better")


def test_less_is_better_where_the_metric_says_so(product: Any) -> None:
    new, old = measured({}, log_loss=0.2), measured({}, log_loss=0.3)
    wanted = contract(product, "log_loss", better_on="log_loss")
    assert champion.reasons_to_stay(wanted, new, old, tolerance=0.01) == []
    assert len(champion.reasons_to_stay(wanted, old, new, tolerance=0.01)) == 2


def test_a_requirement_that_became_worse_is_named(product: Any) -> None:
    new = measured({"ece": [0.10, 0.11, 0.12]}, accuracy=0.95, ece=0.11)
    old = measured({"ece": [0.02, 0.03, 0.04]}, accuracy=0.9, ece=0.03)
    (reason,) = champion.reasons_to_stay(contract(product, "accuracy", "ece"), new, old, tolerance=0.01)
    assert reason == "R2 ece is worse by 0.08"


def test_a_difference_within_its_interval_is_no_reason(product: Any) -> None:
    new = measured({"ece": [0.02, 0.05, 0.02, 0.05]}, accuracy=0.95, ece=0.035)
    old = measured({"ece": [0.04, 0.03, 0.04, 0.03]}, accuracy=0.9, ece=0.03)
    assert champion.reasons_to_stay(contract(product, "accuracy", "ece"), new, old, tolerance=0.01) == []


def test_the_same_resample_of_both_is_compared(product: Any) -> None:
    # Each resample of the new model is worse by 0.01, though the two intervals overlap widely.
    samples = np.linspace(0.7, 0.99, 40)
    new = measured({"accuracy": list(samples - 0.01)}, accuracy=0.89)
    old = measured({"accuracy": list(samples)}, accuracy=0.9)
    reasons = champion.reasons_to_stay(contract(product, "accuracy"), new, old, tolerance=0.5)
    assert reasons[0] == "R1 accuracy is worse by 0.01"


def test_decided_on_the_bound_a_better_value_is_not_enough(product: Any) -> None:
    new = measured({"accuracy": [0.85, 0.95, 0.99]}, accuracy=0.93)
    old = measured({"accuracy": [0.9, 0.9, 0.9]}, accuracy=0.9)
    assert champion.reasons_to_stay(contract(product, "accuracy"), new, old, tolerance=0.5) == []
    (reason,) = champion.reasons_to_stay(contract(product, "accuracy", decide="bound"), new, old, tolerance=0.5)
    assert reason.startswith("accuracy is not better")


@pytest.mark.parametrize("metric", ["latency_p99_ms", "records"])
def test_what_a_machine_or_the_data_decides_is_not_compared(metric: str, product: Any) -> None:
    new, old = measured({}, accuracy=0.95), measured({}, accuracy=0.9)
    assert champion.reasons_to_stay(contract(product, "accuracy", metric), new, old, tolerance=0.01) == []


def test_a_requirement_on_one_slice_is_held_against_its_threshold_alone(product: Any) -> None:
    new = measured({"ece": [0.10, 0.11, 0.12]}, accuracy=0.95, ece=0.11)
    old = measured({"ece": [0.02, 0.03, 0.04]}, accuracy=0.9, ece=0.03)
    wanted = contract(product, "accuracy", "ece")
    wanted.requirements[1] = wanted.requirements[1].model_copy(update={"slice": "kind=crumpled"})
    assert champion.reasons_to_stay(wanted, new, old, tolerance=0.01) == []


def test_a_metric_that_cannot_be_measured_decides_for_the_champion(product: Any) -> None:
    new, old = measured({}, accuracy=None), measured({}, accuracy=0.9)
    assert champion.reasons_to_stay(contract(product, "accuracy"), new, old, tolerance=0.01) == [
        "accuracy is not measurable"
    ]


def other_labels(path: Path) -> Path:
    """Return a copy of the artefact that was made for one label more."""
    graph = onnx.load("models/model.onnx")
    labels = next(prop for prop in graph.metadata_props if prop.key == "labels")
    labels.value = json.dumps([*json.loads(labels.value), "one more"])
    onnx.save(graph, path)
    return path


def test_a_champion_of_another_contract_makes_way(
    finished: Path, product: Any, config: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    old = other_labels(Path("old.onnx"))
    registry: Any = SimpleNamespace(aliases=lambda: {"champion": "1"}, file=lambda _: old)
    assert champion.challenge(registry, "2", product, config) == []
    assert "version 1, the champion until now, has other labels" in capsys.readouterr().out


@pytest.mark.parametrize(("crown", "reasons"), [(True, []), (False, ["real traffic decides: make release"])])
def test_without_crown_a_better_version_waits_for_traffic(
    crown: bool, reasons: list[str], finished: Path, product: Any, config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry: Any = SimpleNamespace(aliases=lambda: {"champion": "1"}, file=lambda _: Path("models/model.onnx"))
    results = iter([measured({}, accuracy=0.95), measured({}, accuracy=0.9)])
    monkeypatch.setattr(champion, "test", lambda *_: next(results))
    config.register.crown = crown
    assert champion.challenge(registry, "2", contract(product, "accuracy"), config) == reasons
    assert "Version 1 was champion" in Path("reports/changes.html").read_text(encoding="utf-8")
    none: Any = SimpleNamespace(aliases=dict)
    assert champion.challenge(none, "1", contract(product, "accuracy"), config) == [], "the first one is crowned"
