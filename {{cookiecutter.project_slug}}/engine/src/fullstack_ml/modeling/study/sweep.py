"""Search models and their parameters with Optuna; every trial is an MLflow run below the run of its model's sweep.

Reads the splits but test, ``conf/sweep.yaml`` and ``conf/search/<model>.yaml``; writes MLflow runs and, in ``sweeps/``,
``trials.db``, ``winner.json`` and ``report.html``, and nothing else: the pipeline's files stay as they are. Trials are
judged by ``release.better_on`` of product.yaml. A sweep that was stopped goes on where it was, as long as model, search
space and data are the same. Run: ``make sweep MODEL=all TRIALS=60 MINUTES=20``; with ``CHECK=1`` it fails where the
values of ``conf/model`` are worse than what it found, beyond chance.
"""

import hashlib
import json
import math
import multiprocessing
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import optuna
from optuna.trial import TrialState
from pydantic import TypeAdapter

from fullstack_ml.modeling.study.found import conclude, refuse_untuned
from fullstack_ml.modeling.study.space import Space, inside, read_conf, stated
from fullstack_ml.modeling.study.worker import COUNTED, STORE, Contender, Worker
from fullstack_ml.modeling.train.compatible import check_compatible, compatible_models, misfit
from fullstack_ml.pipeline.compose import own_code, resolve
from fullstack_ml.pipeline.config import Config, Model, Sweep
from fullstack_ml.pipeline.stage import typed
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError, guard
from fullstack_ml.workspace.files import sha256
from fullstack_ml.workspace.paths import CONF, SPLITS, SWEEPS
from fullstack_ml.workspace.seams import SOURCE, package_name

EVERY = "all"
EARLIER = 3  # best trials of an earlier sweep of the same model that are tried first


def name_of(config: Config, model: Model, space: Space, seed: int, product: Product) -> str:
    """Name a sweep by what it searches, on which data and for what, so that the same sweep is found again."""
    splits = [sha256(path) for path in sorted(SPLITS.glob("*.parquet")) if path.stem != "test"]
    said = [asdict(model), config.seed, seed, splits, TypeAdapter(Space).dump_python(space)]
    said += [config.export.calibration, config.train.novelty, product.release.better_on]
    costs, abstain = product.service.error_cost, product.formulation.abstain
    said += [costs.model_dump(mode="json"), abstain.model_dump(mode="json") if abstain else None]
    said += [
        [part.model_dump(mode="json") for part in product.data.slices],
        own_code(SOURCE / package_name())["metrics"],
    ]
    return f"{model.name}-{hashlib.sha256(json.dumps(said).encode()).hexdigest()[:12]}"


def contenders(config: Config, every: bool, seed: int, product: Product) -> list[Contender]:
    """Return the model of ``config``, or every model that fits the contract and has ranges in ``conf/search``."""
    models = [config.model]
    if every:
        names = sorted(path.stem for path in (CONF / "search").glob("*.yaml"))
        models = [typed(resolve([f"model={name}"])).model for name in names]
        models = [model for model in models if misfit(model, product) is None]
        if not models:
            fix = f"write ranges for one of {', '.join(compatible_models(product))}"
            raise UserError("no model with ranges fits the contract", "conf/search/", fix)
        print(f"sweep: searches {', '.join(model.name for model in models)}")
    else:
        check_compatible(config.model, product, f"make sweep MODEL={config.model.name}")
    spaces = [read_conf(f"search/{model.name}.yaml", Space) for model in models]
    pairs = zip(models, spaces, strict=True)
    return [Contender(model, space, name_of(config, model, space, seed, product)) for model, space in pairs]


def prepare(one: Contender) -> int:
    """Put first what is known: trials that a kill cut off, the values of ``conf/``, the best of earlier sweeps.

    Returns how many trials are there.
    """
    study, space = one.study(), one.space
    for killed in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(killed.number, state=TrialState.FAIL)
        if killed.params and [trial.params for trial in study.trials].count(killed.params) < 2:  # it may be what kills
            study.enqueue_trial(killed.params)
    tried = study.get_trials(states=COUNTED)
    if tried or study.get_trials(states=[TrialState.WAITING]):
        return len(tried)
    known = [stated(space, one.model)]
    for other in optuna.get_all_study_summaries(STORE):
        if other.user_attrs.get("model") == one.model.name and other.study_name != one.name:
            earlier = optuna.load_study(study_name=other.study_name, storage=STORE)
            done = earlier.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
            known += [inside(space, trial.params) for trial in sorted(done, key=lambda t: t.value or 0.0)[:EARLIER]]
    for i, values in enumerate(known):
        if values and values not in known[:i]:
            study.enqueue_trial(values)
    return 0


def search(worker: Worker) -> None:
    """Let the workers try, in processes beside each other where there are several.

    Raises:
        SystemExit: where one of them failed; it has said why.
    """
    if worker.workers == 1:
        return worker.run()
    start = multiprocessing.get_context("spawn")
    lock, threads = start.Lock(), max(1, (os.cpu_count() or 1) // worker.workers)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))  # of each, before it imports a library
    processes = [start.Process(target=guarded, args=(worker, lock), daemon=True) for _ in range(worker.workers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        sys.exit(1)


def guarded(worker: Worker, lock: Any) -> None:
    """Run a worker in a process of its own."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    guard(lambda: worker.run(lock))


def run(config: Config, trials: int | None = None, minutes: float | None = None, every: bool = False) -> None:
    """Try until there are as many trials as ``trials``, or as conf/sweep.yaml says, and say what was found."""
    settings: Sweep = read_conf("sweep.yaml", Sweep)
    product, wanted = load(), trials or settings.trials
    metric = product.release.better_on
    field = contenders(config, every, settings.seed, product)
    SWEEPS.mkdir(exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    done = sum(map(prepare, field))
    if done:
        names = ", ".join(one.name for one in field)
        print(f"sweep {names}: {done} of {wanted} trials are there" + ("; TRIALS=<more> goes on" * (done >= wanted)))
    limit = settings.minutes if minutes is None else minutes
    until = time.time() + 60 * limit if limit else math.inf
    if done < wanted:
        workers = min(settings.workers, wanted - done)
        search(Worker(config, field, metric, settings.seed, wanted, until, workers))
    conclude(field, metric, product)
    if os.environ.get("CHECK"):
        refuse_untuned(field, config.model.name)


def positive(arguments: Mapping[str, str], name: str) -> float | None:
    """Return a number above 0 that was typed, or None where none was.

    Raises:
        UserError: for anything else.
    """
    text = arguments[name]
    if not text:
        return None
    if not text.replace(".", "", name == "MINUTES").isdecimal() or float(text) <= 0:
        raise UserError(f"{name} is {text!r}", f"make sweep {name}=20", "give a number above 0")
    return float(text)


def main() -> None:
    """Sweep the model, with the number of trials and the minutes that are the arguments."""
    given = dict(zip(("MODEL", "TRIALS", "MINUTES"), [*sys.argv[1:4], "", "", ""], strict=False))
    trials, minutes, every = positive(given, "TRIALS"), positive(given, "MINUTES"), given["MODEL"] == EVERY
    config = typed(resolve([f"model={given['MODEL']}"] if given["MODEL"] and not every else []))
    run(config, int(trials or 0) or None, minutes, every)


if __name__ == "__main__":
    guard(main)
