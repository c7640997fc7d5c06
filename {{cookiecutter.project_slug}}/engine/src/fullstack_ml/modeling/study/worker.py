"""Make the trials of a sweep, one after the other: choose a model, draw its values, fit, judge, log.

Reads and writes what ``sweep.py`` says. Several workers, each a process, share the studies in ``sweeps/trials.db``.
"""

import multiprocessing
import time
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import Any

import optuna
import yaml
from optuna.trial import FrozenTrial, TrialState

from fullstack_ml.modeling.study.space import Space, draw
from fullstack_ml.modeling.study.trials import Judge, Judged
from fullstack_ml.pages.formats import measured
from fullstack_ml.pipeline.config import Config, Model
from fullstack_ml.product.contract import load
from fullstack_ml.registry import tracking
from fullstack_ml.workspace import git
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.paths import SWEEPS

ROUND = 5  # trials that every model gets before the better ones get more
COUNTED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
STORE = f"sqlite:///{SWEEPS}/trials.db"


@dataclass(frozen=True)
class Contender:
    """A model of a sweep, its ranges, and the name of its study."""

    model: Model
    space: Space
    name: str

    def study(self) -> optuna.Study:
        """Return the study: a new one, or as it was left."""
        storage = optuna.storages.RDBStorage(STORE, engine_kwargs={"connect_args": {"timeout": 60}})
        pruner = optuna.pruners.MedianPruner(n_startup_trials=ROUND)
        study = optuna.create_study(storage=storage, study_name=self.name, pruner=pruner, load_if_exists=True)
        study.set_user_attr("model", self.model.name)
        return study


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


def best_of(trials: Iterable[FrozenTrial]) -> FrozenTrial | None:
    """Return the best trial that was measured in full."""
    done = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    return min(done, key=lambda trial: trial.value or 0.0, default=None)


def next_of(trials: dict[str, list[FrozenTrial]]) -> str:
    """Return which model is tried next: first all alike, then those that may still be best, the leader twice as often.

    A model is out when the interval of its best trial lies wholly beyond that of the leader: a race (Maron and Moore
    1994, Hoeffding Races).
    """
    count = {name: len(tried) for name, tried in trials.items()}
    least = min(count, key=lambda name: count[name])
    best = {name: found for name, tried in trials.items() if (found := best_of(tried))}
    if count[least] < ROUND or not best:
        return least
    leader = min(best, key=lambda name: best[name].value or 0.0)
    bounds = {name: found.user_attrs["cost"] for name, found in best.items()}
    racing = [name for name in best if not (bounds[name] and bounds[leader] and bounds[name][0] > bounds[leader][1])]
    return min(racing, key=lambda name: count[name] / (2 if name == leader else 1))


def said(found: Judged, metric: str) -> str:
    """Write what a trial reached."""
    value = found.measured.metrics.get(metric)
    reached = "" if value is None else f"{metric} {measured(value, found.measured.intervals.get(metric))}, "
    return f"{reached}loss {found.loss:.4f}"


def is_wanted() -> bool:
    """Tell whether the process that started this one still lives: killed, it would leave its workers behind."""
    parent = multiprocessing.parent_process()
    return parent is None or parent.is_alive()


@dataclass
class Worker:
    """Tries models until all of them together have ``wanted`` trials, or the moment ``until`` is over."""

    config: Config
    field: list[Contender]
    metric: str
    seed: int
    wanted: int
    until: float
    workers: int = 1

    def run(self, lock: Any = None) -> None:
        """Choose, try, and go on; a model that cannot be fitted here is left out, if there are others."""
        judge, mlflow, by_name = Judge(self.config, load()), tracking.connect(), {c.model.name: c for c in self.field}
        studies = {name: one.study() for name, one in by_name.items()}
        parents = {name: parent_run(mlflow, one.name, name) for name, one in by_name.items()}
        while time.time() < self.until and is_wanted():
            with lock or nullcontext():
                trials = {name: study.get_trials(states=COUNTED) for name, study in studies.items()}
                if sum(map(len, trials.values())) >= self.wanted:
                    return
                name = next_of(trials)
                study = studies[name]
                # Another seed for every trial, also after a stop: the same one would draw the same values.
                seed = self.seed + sum(trial.state is not TrialState.WAITING for trial in study.trials)
                liar = self.workers > 1  # trials beside each other would draw the same values
                study.sampler = optuna.samplers.TPESampler(n_startup_trials=ROUND, seed=seed, constant_liar=liar)
                trial = study.ask()
            try:
                self.attempt(judge, mlflow, parents[name], study, trial, by_name[name])
            except UserError as error:
                study.tell(trial, state=TrialState.FAIL)
                del studies[name]
                if not studies:
                    raise
                what, *_, fix = str(error).splitlines()
                told = what.removeprefix("error: "), fix.removeprefix("fix:").strip()
                print(f"sweep: {name} is left out: {told[0]}; {told[1]}", flush=True)

    def attempt(
        self, judge: Judge, mlflow: Any, parent: str, study: optuna.Study, trial: optuna.Trial, one: Contender
    ) -> None:
        """Fit, judge, log and tell one trial; of many records first of a part of them."""
        model = draw(trial, one.space, one.model)
        title = f"{one.model.name} {trial.number}" if len(self.field) > 1 else f"trial {trial.number}"
        if first := judge.on_part(model):
            trial.report(judge.value(first, self.metric), 1)
            if trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
                print(f"{title}: {said(first, self.metric)} on a part of the records; ended", flush=True)
                return
        found = judge.on_all(model)
        metrics = {name: value for name, value in found.measured.metrics.items() if value is not None}
        metrics |= {"loss": found.loss, "records": len(judge.examples.truth)}
        run_id = log_trial(mlflow, parent, trial.number, {"model": asdict(model)}, metrics)
        value, bounds = judge.value(found, self.metric), found.measured.intervals.get(self.metric)
        turned = sorted(judge.sign(self.metric) * end for end in bounds) if bounds else None
        reached = found.measured.metrics.get(self.metric)
        facts = {"run": run_id, "loss": found.loss, "reached": reached, "bounds": bounds, "cost": turned}
        for key, fact in {**facts, "settings": asdict(model)}.items():
            trial.set_user_attr(key, fact)
        before = best_of(study.get_trials(deepcopy=False))
        study.tell(trial, value)
        hint = ""
        if before is None or value < (before.value or 0.0):
            hint = f", the best so far: make adopt RUN={run_id}"
            mlflow.MlflowClient().set_tag(parent, "best", run_id)
            for name, number in metrics.items():
                mlflow.MlflowClient().log_metric(parent, f"validation.{name}", number)
        print(f"{title}: {said(found, self.metric)}{hint}", flush=True)
