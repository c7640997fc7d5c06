"""Search the model's parameters with Optuna; every trial is an MLflow run below the run of its sweep.

Reads the train and validation splits, ``conf/sweep.yaml`` and ``conf/search/<model>.yaml``; writes MLflow runs and
``sweeps/trials.db``, and nothing else: the test split stays unread and the pipeline's files stay as they are. A sweep
that was stopped goes on where it was, as long as model, search space and data are the same.
Run: ``make sweep MODEL=mlp TRIALS=20``.
"""

import copy
import hashlib
import json
import sys
from dataclasses import asdict
from typing import Any

import numpy as np
import optuna
import yaml
from optuna.trial import TrialState
from pydantic import TypeAdapter, ValidationError

from fullstack_ml.answers import answer_of
from fullstack_ml.artefact.graph import features_of
from fullstack_ml.modeling.train.backends import backend_of, lesson_of
from fullstack_ml.pipeline.compose import resolve
from fullstack_ml.pipeline.config import Config, Interval, Model, Sweep
from fullstack_ml.pipeline.examples import read
from fullstack_ml.pipeline.stage import typed
from fullstack_ml.product.contract import load
from fullstack_ml.registry import tracking
from fullstack_ml.workspace import git
from fullstack_ml.workspace.aliases import refuse_bomb
from fullstack_ml.workspace.errors import UserError, explain, guard, suggest
from fullstack_ml.workspace.files import sha256
from fullstack_ml.workspace.paths import CONF, SPLITS, SWEEPS

Space = dict[str, Interval | list[Any]]


def read_conf(name: str, kind: Any) -> Any:
    """Read a file of ``conf/`` that only a sweep needs.

    Raises:
        UserError: if it is not there, or holds something else than ``kind``.
    """
    path = CONF / name
    if not path.exists():
        there = [file.stem for file in path.parent.glob("*.yaml")]
        raise UserError(f"there is no {path}", str(path), f"{suggest(path.stem, there)}; or write it")
    refuse_bomb(path)
    try:
        return TypeAdapter(kind).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise explain(error, kind, lambda location: f"{path}, {location[0] if location else ''}") from error


def draw(trial: optuna.Trial, space: Space, model: Model) -> Model:
    """Return ``model`` with the values that the sampler draws for a trial."""
    settings = copy.deepcopy(asdict(model))
    for key, values in space.items():
        *parents, last = key.split(".")
        place = settings
        for parent in parents:
            place = place.get(parent, {})
        if key.split(".")[0] not in settings:
            where, fix = f"conf/search/{model.name}.yaml", "name keys of conf/model, such as estimator.alpha"
            raise UserError(f"a model has no setting {key!r}", where, fix)
        place[last] = drawn(trial, key, values)
    return Model(**settings)


def drawn(trial: optuna.Trial, key: str, values: Interval | list[Any]) -> Any:
    """Draw one value."""
    if isinstance(values, list):  # as text, since Optuna stores no lists
        return json.loads(trial.suggest_categorical(key, [json.dumps(value) for value in values]))
    if isinstance(values.low, int) and isinstance(values.high, int):
        return trial.suggest_int(key, values.low, values.high, step=int(values.step or 1), log=values.log)
    return trial.suggest_float(key, values.low, values.high, step=values.step, log=values.log)


def name_of(config: Config, space: Space, seed: int) -> str:
    """Name a sweep by what it searches and on which data, so that the same sweep is found again."""
    splits = [sha256(SPLITS / f"{name}.parquet") for name in ("train", "validation")]
    said = json.dumps([asdict(config.model), config.seed, seed, splits, TypeAdapter(Space).dump_python(space)])
    return f"{config.model.name}-{hashlib.sha256(said.encode()).hexdigest()[:12]}"


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


def log_best(mlflow: Any, parent: str, metrics: dict[str, float]) -> bool:
    """Keep the best trial's metrics on the parent run, so that sweeps can be compared; say whether this is the best."""
    client = mlflow.MlflowClient()
    best = client.get_run(parent).data.metrics.get("validation.log_loss")
    if best is not None and metrics["log_loss"] >= best:
        return False
    for name, value in metrics.items():
        client.log_metric(parent, f"validation.{name}", value)
    return True


class Trials:
    """Fits the trials of one sweep; the splits are read once."""

    def __init__(self, config: Config, space: Space, sweep: str) -> None:
        """Read the data and open the sweep's run."""
        self.config, self.space, product = config, space, load()
        known, held_out = read("train", product), read("validation", product)
        self.answer, self.lesson = answer_of(product), lesson_of(known, product, held_out)
        self.unseen, self.truth = features_of(held_out.inputs, product), held_out.truth
        self.mlflow = tracking.connect()
        self.parent = parent_run(self.mlflow, sweep, config.model.name)

    def measure(self, model: Model) -> dict[str, float]:
        """Fit ``model`` and measure it on the validation split."""
        backend = backend_of(model)
        fitted = backend.fit(model, self.config.seed, self.lesson)
        metrics = dict(self.answer.headline(backend.outputs(fitted, self.unseen), self.truth))
        often = np.bincount(self.lesson.truth).argmax()
        metrics["margin_over_baseline"] = metrics["accuracy"] - float((self.truth == often).mean())
        return {**metrics, "records": len(self.truth)}

    def __call__(self, trial: optuna.Trial) -> float:
        """Fit and log one trial, and return its validation log loss, which the sampler makes as small as it can."""
        model = draw(trial, self.space, self.config.model)
        metrics = self.measure(model)
        run_id = log_trial(self.mlflow, self.parent, trial.number, {"model": asdict(model)}, metrics)
        hint = f", the best so far: make adopt RUN={run_id}" if log_best(self.mlflow, self.parent, metrics) else ""
        loss, accuracy = metrics["log_loss"], metrics["accuracy"]
        print(f"trial {trial.number}: log loss {loss:.4f}, accuracy {accuracy:.4f}{hint}", flush=True)
        return loss


def run(config: Config, trials: int | None = None) -> None:
    """Fit trials until the sweep has as many as ``trials``, or as conf/sweep.yaml says."""
    settings: Sweep = read_conf("sweep.yaml", Sweep)
    space: Space = read_conf(f"search/{config.model.name}.yaml", Space)
    name, wanted = name_of(config, space, settings.seed), trials or settings.trials
    SWEEPS.mkdir(exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(storage=f"sqlite:///{SWEEPS}/trials.db", study_name=name, load_if_exists=True)
    for killed in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(killed.number, state=TrialState.FAIL)
    done = len(study.get_trials(states=[TrialState.COMPLETE]))
    # Another seed after a stop: the same one would draw the first trials again.
    study.sampler = optuna.samplers.TPESampler(seed=settings.seed + len(study.trials))
    if done:
        print(f"sweep {name}: {done} of {wanted} trials are there" + ("; TRIALS=<more> goes on" * (done >= wanted)))
    if done < wanted:
        study.optimize(Trials(config, space, name), n_trials=wanted - done)


def main() -> None:
    """Sweep the model and the number of trials that are the arguments."""
    model, trials = [*sys.argv[1:3], "", ""][:2]
    if trials and not (trials.isdecimal() and int(trials)):
        raise UserError(f"TRIALS is {trials!r}", "make sweep TRIALS=20", "give a number from 1")
    run(typed(resolve([f"model={model}"] if model else [])), int(trials or 0) or None)


if __name__ == "__main__":
    guard(main)
