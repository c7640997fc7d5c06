"""A model that learned nothing is refused, by the ids that refuse it, and both baselines are measured."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fullstack_ml.answers.label import report
from fullstack_ml.modeling.accept import __main__ as accept
from fullstack_ml.modeling.evaluate import __main__ as evaluate
from fullstack_ml.modeling.export import __main__ as export
from fullstack_ml.modeling.train import __main__ as train
from fullstack_ml.workspace.sentences import in_english


@pytest.fixture
def majority(finished: Path, config: Any) -> Any:
    """The configuration of the majority baseline."""
    config.model.name, config.model.scale = "majority", False
    config.model.estimator = {"_target_": "sklearn.dummy.DummyClassifier", "strategy": "prior"}
    return config


def test_always_the_most_frequent_label_is_refused_by_id_and_called_collapsed(
    majority: Any, product: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for stage in (train, export, evaluate, accept):
        stage.run(majority)
    decided = json.loads(Path("reports/acceptance.json").read_text(encoding="utf-8"))
    guards = [r.id for r in product.requirements if r.metric in ("collapse", "margin_over_baseline")]
    assert guards
    assert set(guards) <= set(decided["failed"])
    note = in_english(next(row["note"] for row in decided["verdicts"] if row["metric"] == "collapse"))
    counts = json.loads(Path("reports/training.json").read_text(encoding="utf-8"))["answers"]
    never = [name for name in product.formulation.label_names if name != max(counts, key=counts.__getitem__)]
    assert note == f"collapsed: the model never predicts {', '.join(never)}"
    assert note in capsys.readouterr().out


def test_an_accepted_collapse_has_no_note(finished: Path) -> None:
    rows = json.loads(Path("reports/acceptance.json").read_text(encoding="utf-8"))["verdicts"]
    assert [row["note"] for row in rows if row["verdict"] == "pass"] == [None] * sum(
        row["verdict"] == "pass" for row in rows
    )


def test_the_baselines_are_those_of_the_train_split_on_the_test_split() -> None:
    truth = np.array([0] * 6 + [1] * 4)
    product: Any = SimpleNamespace(formulation=SimpleNamespace(label_names=["a", "b"]))
    found = report.baselines({"a": 30, "b": 70}, truth, product, bins=10)
    assert (found["majority"]["label"], found["majority"]["accuracy"]) == ("b", pytest.approx(0.4))
    assert found["majority"]["macro_f1"] == pytest.approx((0 + 2 * 4 / 14) / 2)
    assert found["prior"]["log_loss"] == pytest.approx(-(0.6 * np.log(0.3) + 0.4 * np.log(0.7)))
    assert found["prior"]["brier"] == pytest.approx(0.6 * 2 * 0.7**2 + 0.4 * 2 * 0.3**2)


def test_the_evaluation_holds_both_baselines(finished: Path) -> None:
    known = json.loads(Path("reports/evaluation.json").read_text(encoding="utf-8"))["baseline"]
    counts = json.loads(Path("reports/training.json").read_text(encoding="utf-8"))["answers"]
    assert known["majority"]["label"] == max(counts, key=counts.__getitem__)
    assert set(known["prior"]) == {"accuracy", "macro_f1", "log_loss", "brier", "ece"}
