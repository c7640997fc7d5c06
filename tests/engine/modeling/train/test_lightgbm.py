"""Backend ``lightgbm``: the same answers in ONNX, gaps and decimals included; what stops it; what it promises."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any

import lightgbm
import numpy as np
import onnxruntime
import pytest
from sklearn.datasets import load_wine
from sklearn.metrics import log_loss

from fullstack_ml.answers import label
from fullstack_ml.answers import labels as several
from fullstack_ml.modeling.train.backends import Lesson, backend_of, set_aside
from fullstack_ml.modeling.train.backends import lightgbm as backend
from fullstack_ml.pipeline.config import Model
from fullstack_ml.product.formulation import Feature

Refused = Callable[..., AbstractContextManager[None]]
WHERE = "model.estimator in conf/model/m.yaml"


def model(weights: Any = "none", **estimator: Any) -> Model:
    """Return a file of conf/model with parameters of LightGBM."""
    quick = {"n_estimators": 60, "min_child_samples": 5, **estimator}
    return Model("m", scale=False, estimator=quick, backend="lightgbm", weights=weights)


def wine(gaps: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return 178 wines of three labels, some values missing."""
    rows, truth = load_wine(return_X_y=True)
    rows[np.random.default_rng(0).random(rows.shape) < gaps] = np.nan
    return rows.astype(np.float32), truth


def in_graph(
    fitted: backend.Fitted | backend.Several, rows: np.ndarray, width: int, output: str = "probabilities"
) -> np.ndarray:
    """Return what the graph says of rows."""
    graph = backend.to_onnx(fitted, rows.shape[1], width, output)
    assert [given.name for given in graph.graph.output] == [output]
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    return np.asarray(session.run(None, {"features": rows})[0])


@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_gaps_mean_the_same_in_onnx_also_where_none_were_learned(gaps: float) -> None:
    rows, truth = wine(gaps)
    fitted = backend.fit(model(), 7, Lesson(rows, truth, label, False))
    holes, _ = wine(0.3)
    for asked in (rows, holes):
        given = backend.outputs(fitted, asked)
        assert (given.shape, given.dtype) == ((178, 3), np.float32)
        assert in_graph(fitted, asked, 3) == pytest.approx(given, abs=1e-6)
    assert (backend.outputs(fitted, rows).argmax(axis=1) == truth).mean() > 0.95


@pytest.mark.parametrize("step", [0.01, 0.1, 0.4])
def test_ordinary_decimals_are_the_same_in_onnx(step: float) -> None:
    random = np.random.default_rng(0)
    rows = np.round(random.integers(0, 200, (600, 2)) * step, 3).astype(np.float32)
    fitted = backend.fit(model(), 7, Lesson(rows, (rows.sum(axis=1) > 200 * step).astype(int), label, False))
    every = np.stack(np.meshgrid(*[np.round(np.arange(200) * step, 3)] * 2), axis=-1).reshape(-1, 2).astype(np.float32)
    assert in_graph(fitted, every, 2) == pytest.approx(backend.outputs(fitted, every), abs=1e-5)


@pytest.mark.filterwarnings("ignore:The argument 'eval_set'")
def test_it_is_lightgbm_as_one_would_call_it() -> None:
    rows, truth = wine(0.1)
    known = np.arange(len(truth)) % 3 > 0
    lesson = Lesson(rows[known], truth[known], label, False, proof=(rows[~known], truth[~known]))
    settings: dict[str, Any] = {"n_estimators": 300, "learning_rate": 0.1, "min_child_samples": 5}
    fitted = backend.fit(model(**settings, early_stopping=10), 7, lesson)
    plain = lightgbm.LGBMClassifier(**settings, random_state=7, verbosity=-1, deterministic=True, force_col_wise=True)
    plain.fit(
        rows[known], truth[known], eval_set=[(rows[~known], truth[~known])], callbacks=[lightgbm.early_stopping(10)]
    )
    expected = log_loss(truth[~known], plain.predict_proba(rows[~known]))
    assert log_loss(truth[~known], backend.outputs(fitted, rows[~known])) == pytest.approx(expected, rel=1e-4)
    losses = backend.history(fitted)["validation_loss"]
    assert min(losses) == pytest.approx(expected, rel=1e-4)
    assert len(losses) == plain.best_iteration_ + 10 < 300  # what came after the best tree is dropped
    again = backend.fit(model(**settings, early_stopping=10), 7, lesson)
    one, other = (backend.to_onnx(made, 13, 3, "p").SerializeToString() for made in (fitted, again))
    assert one == other


@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_of_several_labels_each_has_trees_of_its_own_that_mean_the_same_in_onnx(gaps: float) -> None:
    rows, kinds = wine(gaps)
    truth = np.stack([kinds == 0, kinds > 0, rows[:, 0] > 13, np.zeros(len(rows), bool)], axis=1)
    lesson = Lesson(rows, truth, several, False)
    fitted = backend.fit(model(), 7, lesson)
    given, (holes, _) = backend.outputs(fitted, rows), wine(0.3)
    assert (given.shape, given.dtype) == ((178, 4), np.float32)
    for asked in (rows, holes):
        assert in_graph(fitted, asked, 4) == pytest.approx(backend.outputs(fitted, asked), abs=1e-6)
    assert ((given > 0.5) == truth).mean(axis=0) == pytest.approx(1, abs=0.05)
    assert given[:, 3].max() < 0.01, "no record has the last label"
    alone = backend.fit(model(), 7, Lesson(rows, truth[:, 2].astype(int), label, False))
    assert given[:, 2] == pytest.approx(backend.outputs(alone, rows)[:, 1]), "a label is learned as if it were alone"
    known = np.arange(len(rows)) % 3 > 0
    stopped = backend.fit(
        model(early_stopping=5, n_estimators=500),
        7,
        Lesson(rows[known], truth[known], several, False, proof=(rows[~known], truth[~known])),
    )
    assert 5 < len(backend.history(stopped)["validation_loss"]) < 500


def test_without_a_validation_split_a_tenth_is_held_back_and_where_that_is_too_few_none() -> None:
    rows, truth = wine()
    held = set_aside(Lesson(rows, truth, label, False), 7)
    assert held[1] is not None
    assert sorted(np.bincount(held[1][1]).tolist()) == [5, 6, 7]
    few = np.arange(12) % 3
    assert set_aside(Lesson(rows[:12], few, label, False), 7)[1] is None
    fitted = backend.fit(model(early_stopping=5, n_estimators=1000), 7, Lesson(rows[:12], few, label, False))
    assert isinstance(fitted, backend.Fitted)
    assert fitted.booster.num_trees() == 3 * backend.FIXED
    assert backend.history(fitted) == {}


def test_balanced_labels_weigh_alike() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(600, 3)).astype(np.float32)
    truth = (rows[:, 0] + random.normal(0, 1, 600) > 1.8).astype(int)
    lesson = Lesson(rows, truth, label, False)
    coarse = {how: model(how, n_estimators=30, num_leaves=4) for how in ("none", "balanced")}
    mean = {how: backend.outputs(backend.fit(one, 7, lesson), rows)[:, 1].mean() for how, one in coarse.items()}
    assert mean["none"] == pytest.approx(truth.mean(), abs=0.03)
    assert mean["balanced"] > 1.5 * mean["none"]


def contract(labels: list[str]) -> Any:
    """Return as much of a contract as names features and labels."""
    features = [Feature(name=name, low=-9, high=9, meaning="m") for name in ("age", "dose")]
    given = SimpleNamespace(type="table", features=features)
    return SimpleNamespace(formulation=SimpleNamespace(input=given, label_names=labels))


@pytest.mark.parametrize(("said", "sign"), [("ill", 1), ("well", -1)])
def test_a_monotone_feature_never_lowers_what_it_is_said_to_raise(said: str, sign: int) -> None:
    random = np.random.default_rng(1)
    rows = random.normal(size=(400, 2)).astype(np.float32)
    truth = (sign * rows[:, 0] + random.normal(0, 2, 400) > 0).astype(int)
    lesson = Lesson(rows, truth, label, False, contract(["well", "ill"]))
    path = np.stack([np.linspace(-3, 3, 200), np.zeros(200)], axis=1).astype(np.float32)
    steps = []
    for signs in ({}, {"age": said}):
        outputs = backend.outputs(backend.fit(model(monotone=signs), 7, lesson), path)[:, 1]
        steps.append(sign * np.diff(outputs))
    assert steps[0].min() < -1e-3  # noise goes both ways
    assert steps[1].min() >= 0
    assert steps[1].sum() > 0.1


@pytest.mark.parametrize(
    ("labels", "signs", "what", "fix"),
    [
        (["well", "ill"], {"agee": "ill"}, "no feature 'agee'", "'age'"),
        (["well", "ill"], {"age": "il"}, "age may not be 'il'", "'ill'"),
        (["well", "ill", "worse"], {"age": "ill"}, "two labels, not with 3", "take monotone out"),
    ],
)
def test_a_monotone_feature_that_cannot_be_is_three_lines(
    labels: list[str], signs: dict[str, str], what: str, fix: str, refused: Refused
) -> None:
    rows = np.zeros((30, 2), np.float32)
    with refused(what, WHERE, fix):
        backend.fit(model(monotone=signs), 7, Lesson(rows, np.arange(30) % 2, label, False, contract(labels)))


@pytest.mark.parametrize("objective", ["", "poisson", "quantile"])
def test_an_answer_that_is_a_number_gets_a_regression(objective: str) -> None:
    rows, _ = wine()
    truth = rows[:, 0] + np.maximum(rows[:, 1], 0)
    number: Any = SimpleNamespace(ESTIMATOR="regressor", strata=lambda truth: np.zeros(len(truth), int))
    fitted = backend.fit(model(objective=objective, early_stopping=20), 7, Lesson(rows, truth, number, False))
    given = backend.outputs(fitted, rows)
    assert given.shape == (178, 1)
    assert in_graph(fitted, rows, 1, "value") == pytest.approx(given, rel=1e-5)
    assert np.corrcoef(given[:, 0], truth)[0, 1] > 0.8


@pytest.mark.parametrize(
    ("settings", "what", "fix"),
    [
        ({"lerning_rate": 0.1}, "no parameter 'lerning_rate'", "'learning_rate'"),
        ({"random_state": 1}, "no parameter 'random_state'", ""),
        ({"num_leaves": -1}, "Check failed: (num_leaves) > (1)", "a value that LightGBM allows"),
        ({"num_leaves": "many"}, 'num_leaves should be of type int, got "many"', "a value that LightGBM allows"),
    ],
)
def test_a_parameter_that_does_not_fit_is_three_lines(
    settings: dict[str, Any], what: str, fix: str, refused: Refused
) -> None:
    with refused(what, WHERE, fix):
        backend.fit(model(**settings), 7, Lesson(*wine(), label, False))


def test_without_the_extra_it_says_what_to_type(monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with refused("LightGBM is not installed", "conf/model/", "uv sync --extra lightgbm"):
        backend_of(model()).fit(model(), 7, Lesson(*wine(), label, False))


def test_a_number_of_trees_is_kept_for_each_of_several_labels() -> None:
    rows, truth = wine()
    asked = model(early_stopping=5, n_estimators=200)
    one = backend.rounds(backend.fit(asked, 7, Lesson(rows, truth, label, False)))
    assert 1 <= one[0] < 200
    both = np.stack([truth == 0, truth == 1], axis=1)
    found = backend.fit(asked, 7, Lesson(rows, both, several, False, rounds=[4, 9]))
    assert backend.rounds(found) == [4, 9]
    assert backend.history(found) == {}, "no records are held back to measure by"
