"""Sweeps: trials under one run, the best on top, and nothing of the pipeline touched."""

import json
import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import optuna
import polars as pl
import pytest
import yaml

from fullstack_ml.artefact.session import Artefact
from fullstack_ml.data.split import __main__ as split
from fullstack_ml.data.split import leakage
from fullstack_ml.modeling.export import __main__ as export
from fullstack_ml.modeling.measuring import measure
from fullstack_ml.modeling.study import adopt, sweep, worker
from fullstack_ml.modeling.study import trials as judging
from fullstack_ml.modeling.study.found import refuse_untuned
from fullstack_ml.modeling.study.trials import Judge
from fullstack_ml.modeling.train import __main__ as train
from fullstack_ml.pipeline import examples
from fullstack_ml.pipeline.tables import write_parquet
from fullstack_ml.product import contract
from fullstack_ml.workspace.errors import UserError

TABULAR = pytest.mark.task("tabular-classification")
Refused = Callable[..., AbstractContextManager[None]]


def test_the_trials_of_a_sweep_share_one_parent(mlflow: Any) -> None:
    parent = worker.parent_run(mlflow, "20260101-120000", "mlp")
    assert worker.parent_run(mlflow, "20260101-120000", "mlp") == parent
    assert worker.parent_run(mlflow, "20260102-120000", "mlp") != parent
    trial = worker.log_trial(mlflow, parent, 3, {"model": {"name": "mlp"}}, {"log_loss": 0.5})
    tags = mlflow.get_run(trial).data.tags
    assert (tags["mlflow.parentRunId"], tags["kind"]) == (parent, "trial")


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
    Path("data/splits/test.parquet").unlink()
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
    reached = [(run.data.metrics["validation.cost_per_record"], run.data.metrics["validation.loss"]) for run in found]
    assert parent.data.metrics["validation.cost_per_record"] == min(reached)[0]
    printed = capsys.readouterr().out
    best = found[reached.index(min(reached))].info.run_id
    assert parent.data.tags["best"] == best
    assert [line for line in printed.splitlines() if "RUN=" in line][-1].endswith(f"make adopt RUN={best}")
    assert json.loads(Path("sweeps/winner.json").read_text(encoding="utf-8"))["run"] == best
    page = Path("sweeps/report.html").read_text(encoding="utf-8")
    assert best in page
    assert mlflow.artifacts.load_text(f"runs:/{parent.info.run_id}/report.html") == page


def test_a_trial_reaches_what_the_pipeline_would_on_the_same_records(
    quick: Any, mlflow: Any, config: Any, product: Any
) -> None:
    search("scale: [true]")
    config.model.scale = True
    sweep.run(config, 1)
    train.run(config)
    export.run(config)
    shutil.copy("data/splits/validation.parquet", "data/splits/test.parquet")
    measured = measure.test(Artefact(Path("models/model.onnx")), product, config)
    reached = trials(mlflow)[0].data.metrics
    for name in ("accuracy", "log_loss", "cost_per_record", "answered_share", "ece"):
        assert reached[f"validation.{name}"] == pytest.approx(measured.report["metrics"][name], rel=1e-4), name


def test_a_sweep_that_was_killed_goes_on_where_it_was(
    quick: Any, mlflow: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_all = Judge.on_all

    def killed(self: Any, model: Any) -> Any:
        if len(trials(mlflow)) == 2:
            raise KeyboardInterrupt
        return on_all(self, model)

    monkeypatch.setattr(Judge, "on_all", killed)
    with pytest.raises(KeyboardInterrupt):
        sweep.run(quick, 3)
    monkeypatch.setattr(Judge, "on_all", on_all)
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


# --- several models ------------------------------------------------------------------------------------------


@pytest.fixture
def field(quick: Any) -> Any:
    """Two models with ranges: one that fits at once, and one whose backend is not installed."""
    for path in Path("conf/search").glob("*.yaml"):
        path.unlink()
    model = "name: quick\nscale: true\nestimator:\n  _target_: sklearn.naive_bayes.GaussianNB\n  var_smoothing: 0.001\n"
    Path("conf/model/quick.yaml").write_text(model, encoding="utf-8")
    Path("conf/search/quick.yaml").write_text("estimator.var_smoothing: {low: 1.0e-6, high: 1.0, log: true}\n")
    Path("conf/search/lightgbm.yaml").write_text("estimator.num_leaves: {low: 4, high: 16}\n", encoding="utf-8")
    return quick


@TABULAR
def test_all_models_with_ranges_run_and_the_winner_is_adopted_in_one_command(
    field: Any, mlflow: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    search("estimator.C: {low: 0.01, high: 10.0, log: true}")
    monkeypatch.setattr(sys, "argv", ["sweep", "all", "12", ""])
    sweep.main()
    printed = capsys.readouterr().out
    assert "sweep: lightgbm is left out: LightGBM is not installed; uv sync --extra lightgbm" in printed
    found = trials(mlflow)
    names = [run.data.params["model.name"] for run in found]
    assert len(names) == 12
    assert names[:10].count("quick") == names[:10].count("logistic") == 5
    # What conf/ says is tried first.
    first = next(run for run in found if run.data.params["model.name"] == "quick")
    assert float(first.data.params["model.estimator.var_smoothing"]) == 0.001
    key = [(run.data.metrics["validation.cost_per_record"], run.data.metrics["validation.loss"]) for run in found]
    best = found[key.index(min(key))]
    assert f"sweep: {best.data.params['model.name']} wins by cost_per_record on the validation split" in printed
    assert "next: make adopt" in printed
    assert "What mattered" in Path("sweeps/report.html").read_text(encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["adopt"])
    adopt.main()
    assert f"  - model: {best.data.params['model.name']}\n" in Path("conf/config.yaml").read_text(encoding="utf-8")
    assert best.info.run_id in capsys.readouterr().out


@TABULAR
def test_values_that_are_beaten_beyond_chance_stop_a_search_that_is_asked_for_it(
    quick: Any, mlflow: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], refused: Refused
) -> None:
    monkeypatch.setenv("CHECK", "1")
    search("{estimator.C: {low: 0.01, high: 10.0, log: true}}")
    quick.model.estimator["C"] = 0.1
    sweep.run(quick, trials=1)
    assert "no values were found that are better than conf/model/logistic.yaml" in capsys.readouterr().out
    seed = yaml.safe_load(Path("conf/sweep.yaml").read_text(encoding="utf-8"))["seed"]
    (one,) = sweep.contenders(quick, False, seed, contract.load())
    study = one.study()
    (mine,) = study.trials
    known = mine.value or 0.0
    for value, upper in ((known - 0.2, known + 0.1), (known - 0.5, known - 0.4)):
        facts = {**mine.user_attrs, "reached": value, "bounds": [value - 0.1, upper], "cost": [value - 0.1, upper]}
        study.add_trial(
            optuna.trial.create_trial(
                params={"estimator.C": 5.0}, distributions=mine.distributions, value=value, user_attrs=facts
            )
        )
        if upper > known:  # chance explains as much
            refuse_untuned([one], "logistic")
    with refused("the search found "):
        refuse_untuned([one], "logistic")
    refuse_untuned([one], "quick")
    assert "cannot be told" in capsys.readouterr().out


def frozen(value: float, spread: float) -> optuna.trial.FrozenTrial:
    """Return a trial that came to its end, with the interval of what it cost."""
    return optuna.trial.create_trial(value=value, user_attrs={"cost": [value - spread, value + spread]})


@TABULAR
def test_models_that_cannot_win_any_more_get_no_more_trials() -> None:
    best, near, far = ([frozen(value, 0.1)] * 5 for value in (0.2, 0.35, 0.9))
    assert worker.next_of({"best": best, "near": near, "far": far[:4]}) == "far"
    drawn = {"best": best, "near": near, "far": far}
    order = []
    for _ in range(6):
        order.append(worker.next_of(drawn))
        drawn[order[-1]] = [*drawn[order[-1]], drawn[order[-1]][0]]
    assert order.count("best") > order.count("near") == 6 - order.count("best")
    assert "far" not in order


@TABULAR
def test_on_many_records_a_poor_trial_ends_early(
    quick: Any, mlflow: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(judging, "MANY", 10)
    monkeypatch.setattr(judging, "PART", 2)
    search("estimator.C: {low: 1.0e-6, high: 10.0, log: true}")
    sweep.run(quick, 14)
    ended = capsys.readouterr().out.count("on a part of the records; ended")
    assert 0 < ended < 10
    assert len(trials(mlflow)) == 14 - ended


@TABULAR
def test_an_earlier_sweep_of_the_model_is_where_a_new_one_begins(quick: Any, mlflow: Any) -> None:
    sweep.run(quick, 3)
    (parent,) = mlflow.search_runs(output_format="list", filter_string="tags.kind = 'sweep'")
    best = mlflow.get_run(parent.data.tags["best"]).data.params["model.estimator.C"]
    search("{estimator.C: {low: 0.001, high: 100.0, log: true}, scale: [true, false]}")
    sweep.run(quick, 2)
    assert trials(mlflow)[-1].data.params["model.estimator.C"] == best


@TABULAR
def test_workers_beside_each_other_share_the_trials(quick: Any, mlflow: Any) -> None:
    Path("conf/sweep.yaml").write_text("{trials: 5, workers: 2, seed: 1}", encoding="utf-8")
    sweep.run(quick)
    assert len(trials(mlflow)) == 5
    assert len({run.data.params["model.estimator.C"] for run in trials(mlflow)}) == 5


@TABULAR
def test_no_trial_begins_after_the_minutes(quick: Any, mlflow: Any, capsys: pytest.CaptureFixture[str]) -> None:
    sweep.run(quick, 5, minutes=1e-9)
    assert trials(mlflow) == []
    assert "no trial came to its end; give it more MINUTES" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["mlp", "0"], ["mlp", "2.5"], ["mlp", "", "-1"], ["all", "", "soon"]])
def test_what_is_no_number_is_three_lines(
    arguments: list[str], project: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    monkeypatch.setattr(sys, "argv", ["sweep", *arguments])
    with refused(f"is {arguments[-1]!r}", "make sweep", "a number above 0"):
        sweep.main()


@TABULAR
def test_with_folds_every_record_is_judged_by_a_model_that_has_not_seen_it(
    quick: Any, mlflow: Any, finished: Path, product: Any
) -> None:
    kept = pl.read_parquet("data/labelled.parquet").sample(400, seed=0)
    write_parquet(Path("data/labelled.parquet"), [kept])
    Path("reports/frozen.json").unlink()
    quick.split.folds = 4
    split.run(quick)
    search("scale: [true]")
    quick.model.scale = True
    sweep.run(quick, 1)
    for stage in (leakage, train, export):
        stage.run(quick)
    folds = [Artefact(Path(f"models/variants/folds/{i}.onnx")) for i in range(4)]
    parts = examples.read_folds(product)
    measured = measure.test(folds[0], product, quick, list(zip(folds, parts, strict=True)))
    reached = trials(mlflow)[0].data.metrics
    assert reached["validation.records"] == 400
    for name in ("accuracy", "log_loss", "cost_per_record"):
        assert reached[f"validation.{name}"] == pytest.approx(measured.report["metrics"][name], rel=1e-4), name
