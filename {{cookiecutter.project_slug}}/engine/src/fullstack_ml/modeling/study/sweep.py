"""Search the model's parameters: a Hydra multirun with the Optuna sweeper; every trial a nested MLflow run.

Reads the train and validation splits and ``conf/search/<model>.yaml``; writes MLflow runs and nothing else: the test
split stays unread and the pipeline's files stay as they are. Run: ``make sweep MODEL=mlp TRIALS=20``.
"""

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from fullstack_ml.answers import answer_of
from fullstack_ml.artefact.graph import features_of
from fullstack_ml.inputs import input_of
from fullstack_ml.modeling.train.backends import backend_of
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.examples import read
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.product.contract import load
from fullstack_ml.registry import tracking
from fullstack_ml.workspace import git


def parent_run(mlflow: Any, sweep: str, model: str) -> str:
    """Find or make the run under which the trials of one sweep stand."""
    found = tracking.find_run(mlflow, {"sweep": sweep, "kind": "sweep"})
    if found:
        return found
    with mlflow.start_run(run_name=f"sweep {model}") as active:
        mlflow.set_tags({"sweep": sweep, "kind": "sweep", "git.commit": git.commit()})
        return str(active.info.run_id)


def log_trial(mlflow: Any, parent: str, number: int, settings: dict[str, Any], metrics: dict[str, float]) -> str:
    """Write one trial as a nested run, with the settings that ``make adopt`` takes over."""
    with mlflow.start_run(run_name=f"trial {number}", tags={"mlflow.parentRunId": parent, "kind": "trial"}) as active:
        mlflow.log_params(tracking.flatten(settings))
        mlflow.log_metrics({f"validation.{name}": value for name, value in metrics.items()})
        mlflow.log_text(yaml.safe_dump(settings, allow_unicode=True), "model.yaml")
        return str(active.info.run_id)


def run(config: Config) -> float:
    """Fit one trial and return its validation log loss, which the sweeper makes as small as it can."""
    product = load()
    known, held_out = read("train", product), read("validation", product)
    answer, backend, alike = answer_of(product), backend_of(config.model), input_of(product).ALIKE
    fitted = backend.fit(config.model, config.seed, features_of(known.inputs, product), known.truth, answer, alike)
    metrics = answer.headline(backend.outputs(fitted, features_of(held_out.inputs, product)), held_out.truth)
    often = np.bincount(known.truth).argmax()
    metrics["margin_over_baseline"] = metrics["accuracy"] - float((held_out.truth == often).mean())
    metrics["records"] = len(held_out.truth)
    mlflow = tracking.connect()
    sweep, number = Path(HydraConfig.get().sweep.dir).name, int(HydraConfig.get().job.num)
    parent = parent_run(mlflow, sweep, config.model.name)
    settings = OmegaConf.to_container(OmegaConf.structured(config.model))
    assert isinstance(settings, dict)
    run_id = log_trial(mlflow, parent, number, {"model": settings}, metrics)
    best = log_best(mlflow, parent, metrics)
    hint = f", the best so far: make adopt RUN={run_id}" if best else ""
    print(f"trial {number}: log loss {metrics['log_loss']:.4f}, accuracy {metrics['accuracy']:.4f}{hint}")
    return metrics["log_loss"]


def log_best(mlflow: Any, parent: str, metrics: dict[str, float]) -> bool:
    """Keep the best trial's metrics on the parent run, so that sweeps can be compared; say whether this is the best."""
    client = mlflow.MlflowClient()
    best = client.get_run(parent).data.metrics.get("validation.log_loss")
    if best is not None and metrics["log_loss"] >= best:
        return False
    for name, value in metrics.items():
        client.log_metric(parent, f"validation.{name}", value)
    return True


if __name__ == "__main__":
    stage(run, "sweep")
