"""Sweeps: trials under one run, the best on top, and nothing of the pipeline touched."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import yaml

from fullstack_ml.modeling.study import adopt, sweep
from fullstack_ml.modeling.train import __main__ as train
from fullstack_ml.workspace.errors import UserError

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
def quick(mlflow: Any, config: Any) -> Any:
    """A model that fits at once, with a space that holds little."""
    config.model.name = "logistic"
    config.model.estimator = {"_target_": "sklearn.linear_model.LogisticRegression", "max_iter": 50}
    search("{estimator.C: {low: 0.01, high: 10.0, log: true}, scale: [true, false]}")
    return config


def search(text: str) -> None:
    """Write what the sweep tries."""
    Path("conf/search/logistic.yaml").write_text(text, encoding="utf-8")


def trials(mlflow: Any) -> list[Any]:
    """Return the runs of the trials, the first one first."""
    query = {"filter_string": "tags.kind = 'trial'", "order_by": ["attributes.start_time"]}
    found: list[Any] = mlflow.search_runs(output_format="list", **query)
    return found


def test_a_sweep_leaves_files_and_test_split_alone(quick: Any, finished: Path, mlflow: Any) -> None:
    for name in ("test", "calibration"):
        Path(f"data/splits/{name}.parquet").unlink()
    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file() and "mlflow" not in path.name}
    sweep.run(quick, 1)
    assert {path: path.read_bytes() for path in before} == before
    new = {path.relative_to(finished).parts[0] for path in finished.rglob("*") if path.is_file()}
    assert new - {path.relative_to(finished).parts[0] for path in before} <= {
        "sweeps",
        "mlflow.db",
        "mlflow.db.lock",
        "mlartifacts",
    }


def test_every_trial_stands_below_its_sweep_with_what_it_tried(
    quick: Any, mlflow: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep.run(quick, 4)
    found = trials(mlflow)
    (parent,) = mlflow.search_runs(output_format="list", filter_string="tags.kind = 'sweep'")
    assert [run.data.tags["mlflow.parentRunId"] for run in found] == [parent.info.run_id] * 4
    strengths = [float(run.data.params["model.estimator.C"]) for run in found]
    assert len(set(strengths)) == 4
    assert all(0.01 <= strength <= 10 for strength in strengths)
    losses = [run.data.metrics["validation.log_loss"] for run in found]
    assert parent.data.metrics["validation.log_loss"] == min(losses)
    printed = capsys.readouterr().out
    best = found[losses.index(min(losses))].info.run_id
    assert [line for line in printed.splitlines() if "adopt" in line][-1].endswith(f"make adopt RUN={best}")


def test_a_trial_measures_what_training_would(quick: Any, mlflow: Any, config: Any) -> None:
    search("scale: [true]")
    config.model.scale = True
    sweep.run(config, 1)
    train.run(config)
    training = json.loads(Path("reports/training.json").read_text(encoding="utf-8"))
    assert trials(mlflow)[0].data.metrics["validation.log_loss"] == pytest.approx(training["validation"]["log_loss"])


def test_a_sweep_that_was_killed_goes_on_where_it_was(
    quick: Any, mlflow: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measure = sweep.Trials.measure

    def killed(self: Any, model: Any) -> Any:
        if len(trials(mlflow)) == 2:
            raise KeyboardInterrupt
        return measure(self, model)

    monkeypatch.setattr(sweep.Trials, "measure", killed)
    with pytest.raises(KeyboardInterrupt):
        sweep.run(quick, 3)
    monkeypatch.setattr(sweep.Trials, "measure", measure)
    sweep.run(quick, 3)
    found = trials(mlflow)
    assert len(found) == 3
    assert len({run.data.tags["mlflow.parentRunId"] for run in found}) == 1
    assert len({run.data.params["model.estimator.C"] for run in found}) == 3
    assert "2 of 3 trials are there" in capsys.readouterr().out
    sweep.run(quick, 3)
    assert len(trials(mlflow)) == 3
    assert "TRIALS=<more> goes on" in capsys.readouterr().out


def test_another_space_is_another_sweep(quick: Any, mlflow: Any) -> None:
    sweep.run(quick, 1)
    search("estimator.C: [1.0, 2.0]")
    sweep.run(quick, 1)
    assert len({run.data.tags["mlflow.parentRunId"] for run in trials(mlflow)}) == 2


def test_a_trial_can_be_adopted(quick: Any, mlflow: Any) -> None:
    sweep.run(quick, 1)
    (found,) = trials(mlflow)
    assert adopt.adopt(found.info.run_id) == "logistic"
    written = yaml.safe_load(Path("conf/model/logistic.yaml").read_text(encoding="utf-8"))
    assert str(written["scale"]) == found.data.params["model.scale"]
    assert written["estimator"]["C"] == float(found.data.params["model.estimator.C"])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("estimator.C: {low: 1.0, hihg: 2.0}", "hihg"),
        ("estimator.C: 3.0", "estimator.C"),
        ("estimator.D: [1.0]", "'D'"),
        ("estimators.C: [1.0]", "'estimators.C'"),
    ],
    ids=["a-misspelled-bound", "no-space", "no-argument", "no-key"],
)
def test_a_space_that_does_not_fit_is_three_lines(text: str, what: str, quick: Any, refused: Refused) -> None:
    search(text)
    with pytest.raises(UserError) as caught:
        sweep.run(quick, 1)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert what in "".join(lines)
    assert "logistic.yaml" in lines[1]


def test_a_model_without_a_space_is_named(quick: Any, refused: Refused) -> None:
    quick.model.name = "mpl"
    with refused("no conf/search/mpl.yaml", "conf/search/mpl.yaml", "'mlp'"):
        sweep.run(quick, 1)
