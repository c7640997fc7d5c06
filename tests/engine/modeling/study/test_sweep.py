"""Sweeps: trials under one run, the best on top, and nothing of the pipeline touched."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import open_dict

from fullstack_ml.modeling.study import adopt, sweep

Refused = Callable[..., AbstractContextManager[None]]


def metrics(loss: float) -> dict[str, float]:
    """Return the metrics of a trial."""
    return {"log_loss": loss, "accuracy": 1 - loss}


def test_the_trials_of_a_sweep_share_one_parent(mlflow: Any) -> None:
    parent = sweep.parent_run(mlflow, "20260101-120000", "mlp")
    assert sweep.parent_run(mlflow, "20260101-120000", "mlp") == parent
    assert sweep.parent_run(mlflow, "20260102-120000", "mlp") != parent
    trial = sweep.log_trial(mlflow, parent, 3, {"model": {"name": "mlp"}}, metrics(0.5))
    tags = mlflow.get_run(trial).data.tags
    assert (tags["mlflow.parentRunId"], tags["kind"]) == (parent, "trial")


def test_the_parent_shows_the_best_trial(mlflow: Any) -> None:
    parent = sweep.parent_run(mlflow, "20260101-120000", "mlp")
    assert [sweep.log_best(mlflow, parent, metrics(loss)) for loss in (0.5, 0.7, 0.4, 0.4)] == [
        True,
        False,
        True,
        False,
    ]
    assert mlflow.get_run(parent).data.metrics == {"validation.log_loss": 0.4, "validation.accuracy": 0.6}


@pytest.fixture
def trial(mlflow: Any, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Hydra say that this is trial 4 of a sweep."""
    with initialize_config_dir(str(finished / "conf"), version_base="1.3"):
        composed = compose("sweep", return_hydra_config=True)
    with open_dict(composed):
        composed.hydra.job.num = 4
        composed.hydra.sweep.dir = "sweeps/20260101-120000"
    monkeypatch.setattr(HydraConfig, "get", lambda: composed.hydra)


def test_a_trial_leaves_files_and_test_split_alone(trial: None, finished: Path, mlflow: Any, config: Any) -> None:
    for name in ("test", "calibration"):
        Path(f"data/splits/{name}.parquet").unlink()
    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file() and "mlflow" not in path.name}
    loss = sweep.run(config)
    after = {path: path.read_bytes() for path in before}
    assert after == before
    found = mlflow.search_runs(output_format="list", filter_string="tags.kind = 'trial'")
    assert found[0].data.metrics["validation.log_loss"] == pytest.approx(loss)
    # The same settings and seed as the pipeline's own model, so the same validation loss.
    training = json.loads(Path("reports/training.json").read_text(encoding="utf-8"))
    assert loss == pytest.approx(training["validation"]["log_loss"])


def test_a_trial_can_be_adopted(trial: None, mlflow: Any, config: Any) -> None:
    config.model.scale = not config.model.scale
    sweep.run(config)
    (found,) = mlflow.search_runs(output_format="list", filter_string="tags.kind = 'trial'")
    assert adopt.adopt(found.info.run_id) == config.model.name
    written = yaml.safe_load(Path(f"conf/model/{config.model.name}.yaml").read_text(encoding="utf-8"))
    assert written["scale"] == config.model.scale
    assert written["estimator"] == config.model.estimator
