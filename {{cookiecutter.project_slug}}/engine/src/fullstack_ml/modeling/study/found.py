"""Say what a sweep found: the winner with its interval, every model's best, and which parameters mattered.

Reads the studies of ``sweeps/trials.db``; writes ``sweeps/winner.json``, which ``make adopt`` takes, and
``sweeps/report.html``, also into the MLflow run of every model.
"""

from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from fullstack_ml.modeling.study.space import stated
from fullstack_ml.modeling.study.trials import TIE
from fullstack_ml.modeling.study.worker import Contender, best_of, parent_run
from fullstack_ml.pages.formats import measured, number
from fullstack_ml.pages.render import html
from fullstack_ml.product.types import Product
from fullstack_ml.registry import tracking
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import write_json, write_text
from fullstack_ml.workspace.paths import SWEEPS, WINNER

TEMPLATES, REPORT = Path(__file__).parent / "templates", SWEEPS / "report.html"
FEWEST = 5  # trials that can say what mattered


def importances(study: optuna.Study) -> dict[str, float]:
    """Return the share of the differences between a model's trials that each of its parameters explains.

    Hutter, Hoos and Leyton-Brown 2014, An Efficient Approach for Assessing Hyperparameter Importance. Nothing where
    there are few trials, or all reached the same.
    """
    done = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    if len(done) < FEWEST or np.ptp([trial.value for trial in done]) < 10 * TIE:
        return {}
    seeded = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return {
        key: float(share) for key, share in optuna.importance.get_param_importances(study, evaluator=seeded).items()
    }


def share_of_models(trials: dict[str, list[FrozenTrial]]) -> float | None:
    """Return the share of the variance between all trials that lies between models; None for one model."""
    values = [[trial.value or 0.0 for trial in tried] for tried in trials.values() if tried]
    every = np.concatenate(values) if values else np.zeros(0)
    spread = float(((every - every.mean()) ** 2).sum()) if len(values) > 1 else 0.0
    return sum(len(v) * (np.mean(v) - every.mean()) ** 2 for v in values) / spread if spread else None


def reached(trial: FrozenTrial) -> str:
    """Write what a trial reached of the metric that decides, or its loss where that could not be measured."""
    facts = trial.user_attrs
    return number(facts["loss"]) if facts["reached"] is None else measured(facts["reached"], facts["bounds"])


def changed(trial: FrozenTrial) -> str:
    """Write the values of a trial."""
    numbers = {key: number(value) if isinstance(value, float) else value for key, value in trial.params.items()}
    return ", ".join(f"{key.removeprefix('estimator.')} {value}" for key, value in numbers.items())


def conclude(field: list[Contender], metric: str, product: Product) -> None:
    """Print and write what was found; nothing where no trial came to its end."""
    studies = {one.model.name: one.study() for one in field}
    trials = {name: study.get_trials(states=[TrialState.COMPLETE]) for name, study in studies.items()}
    best = {name: found for name, tried in trials.items() if (found := best_of(tried))}
    if not best:
        return print("sweep: no trial came to its end; give it more MINUTES")
    order = sorted(best, key=lambda name: best[name].value or 0.0)
    winner = best[order[0]]
    rows: list[dict[str, Any]] = [
        {
            "model": name,
            "reached": reached(best[name]),
            "loss": best[name].user_attrs["loss"],
            "first": reached(trials[name][0]),
            "trials": len(trials[name]),
            "ended": len(studies[name].get_trials(deepcopy=False, states=[TrialState.PRUNED])),
            "values": changed(best[name]),
            "run": best[name].user_attrs["run"],
            "mattered": importances(studies[name]),
        }
        for name in order
    ]
    decides = metric if winner.user_attrs["reached"] is not None else "loss"
    page = html(TEMPLATES, "sweep.html.j2", product=product, rows=rows, metric=decides, models=share_of_models(trials))
    write_text(REPORT, page)
    write_json(WINNER, {"run": winner.user_attrs["run"], "model": order[0], decides: reached(winner)})
    log(field, best)
    for row in rows:
        print(f"  {row['model']:<16} {decides} {row['reached']}, {row['trials']} trials: {row['values']}")
    mattered = [f"{key.removeprefix('estimator.')} {share:.0%}" for key, share in rows[0]["mattered"].items()][:3]
    told = f"; of its parameters mattered {', '.join(mattered)}" if mattered else ""
    print(f"sweep: {order[0]} wins by {decides} on the validation split{told}; see {REPORT}")
    print("next: make adopt, which takes the winner into conf/")


def log(field: list[Contender], best: dict[str, FrozenTrial]) -> None:
    """Put the page into the MLflow run of every model that was tried."""
    mlflow = tracking.connect()
    for one in field:
        if one.model.name in best:
            mlflow.MlflowClient().log_artifact(parent_run(mlflow, one.name, one.model.name), str(REPORT))


def refuse_untuned(field: list[Contender], chosen: str) -> None:
    """Stop where the search found values that are better than those of the ``chosen`` model beyond chance.

    Beyond chance: what the values of ``conf/`` reached lies outside the interval of the winner.

    Raises:
        UserError: with both.
    """
    trials = {one.model.name: one.study().get_trials(states=[TrialState.COMPLETE]) for one in field}
    winner = best_of(trial for tried in trials.values() for trial in tried)
    known = next((stated(one.space, one.model) for one in field if one.model.name == chosen), {})
    mine = next((one for one in trials.get(chosen, []) if known and known.items() <= one.params.items()), None)
    if winner is None or mine is None or not winner.user_attrs["cost"]:
        return print(f"sweep: whether conf/model/{chosen}.yaml is good enough cannot be told from these trials")
    if (mine.value or 0.0) > winner.user_attrs["cost"][1] + TIE * max(1.0, abs(mine.user_attrs["loss"])):
        what = f"the search found {reached(winner)}, and the values of conf/model/{chosen}.yaml reach {reached(mine)}"
        raise UserError(what, str(REPORT), "make sweep, then make adopt, which takes the winner into conf/")
    print(f"sweep: no values were found that are better than conf/model/{chosen}.yaml beyond chance")
