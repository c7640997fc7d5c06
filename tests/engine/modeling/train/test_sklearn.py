"""Backend sklearn: only estimators of scikit-learn and of the project, and the same numbers in ONNX."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelPropagation

from fullstack_ml.answers import label
from fullstack_ml.modeling.train.backends import Lesson
from fullstack_ml.modeling.train.backends import sklearn as backend
from fullstack_ml.pipeline.config import Model
from fullstack_ml.workspace.errors import UserError

Refused = Callable[..., AbstractContextManager[None]]
WHERE = "conf/model/m.yaml"


def model(target: str, scale: bool = False, weights: Any = "none", **arguments: Any) -> Any:
    """Return what a file of conf/model says."""
    return Model("m", scale, {"_target_": target, **arguments}, weights=weights)


def examples(values: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Return random inputs of three labels."""
    random = np.random.default_rng(0)
    truth = np.arange(90) % 3
    return (truth[:, None] + random.normal(0, 1, (90, values))).astype(np.float32), truth


def run(model: onnx.ModelProto, inputs: np.ndarray) -> np.ndarray:
    """Run a graph with one input and one output."""
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (result,) = session.run(["probabilities"], {session.get_inputs()[0].name: inputs})
    return np.asarray(result)


def convert(pipeline: Any, values: int = 6, answers: int = 3, output: str = "probabilities") -> onnx.ModelProto:
    """Convert a fitted classifier."""
    return backend.to_onnx(backend.Fitted(pipeline, "predict_proba"), values, answers, output)


def test_the_pipeline_is_the_estimator_with_its_arguments() -> None:
    built = backend.build(model("sklearn.linear_model.LogisticRegression", C=0.5), 7, "classifier")
    assert [type(step) for _, step in built.steps] == [LogisticRegression]
    assert built[-1].C == 0.5


def test_scaling_is_a_step_before_it() -> None:
    built = backend.build(model("sklearn.linear_model.LogisticRegression", scale=True), 7, "classifier")
    assert [type(step) for _, step in built.steps] == [StandardScaler, LogisticRegression]


def test_values_that_are_alike_are_centred_and_keep_their_spread() -> None:
    values = np.array([[0.0, 0.98], [1.0, 1.0], [0.5, 0.99]])
    scaler = backend.build(model("sklearn.linear_model.LogisticRegression", scale=True), 7, "classifier", alike=True)[0]
    assert np.ptp(scaler.fit_transform(values), axis=0) == pytest.approx([1.0, 0.02])


def test_the_seed_of_the_configuration_reaches_the_estimator() -> None:
    assert backend.build(model("sklearn.neural_network.MLPClassifier"), 7, "classifier")[-1].random_state == 7


def test_a_seed_of_its_own_goes_first() -> None:
    built = backend.build(model("sklearn.neural_network.MLPClassifier", random_state=3), 7, "classifier")
    assert built[-1].random_state == 3


def test_an_estimator_without_a_seed_gets_none() -> None:
    backend.build(model("sklearn.neighbors.KNeighborsClassifier"), 7, "classifier")


def test_a_list_in_the_configuration_becomes_a_list() -> None:
    built = backend.build(model("sklearn.neural_network.MLPClassifier", hidden_layer_sizes=[8, 4]), 7, "classifier")
    assert list(built[-1].hidden_layer_sizes) == [8, 4]


@pytest.mark.parametrize(
    ("target", "what"),
    [
        ("os.system", "'os.system' is not allowed"),
        ("sklearnx.Evil", "'sklearnx.Evil' is not allowed"),
        ("", "'' is not allowed"),
        ("sklearn.linear_model.LogisticRegresion", "no estimator"),
        ("sklearn.nothing.Here", "no estimator"),
        ("sklearn.datasets.load_digits", "no estimator"),
        ("sklearn.linear_model.LinearRegression", "no classifier"),
        ("sklearn.preprocessing.StandardScaler", "no classifier"),
    ],
)
def test_what_is_no_classifier_of_scikit_learn_is_refused(target: str, what: str, refused: Refused) -> None:
    with refused(what, WHERE):
        backend.build(model(target), 7, "classifier")


def test_a_misspelled_argument_is_refused_with_the_nearest(refused: Refused) -> None:
    with refused("'max_itre'", WHERE, "'max_iter'"):
        backend.build(model("sklearn.linear_model.LogisticRegression", max_itre=5), 7, "classifier")


def test_a_target_among_the_arguments_is_not_called(tmp_path: Path) -> None:
    made = tmp_path / "made"
    nested = {"_target_": "os.mkdir", "path": str(made)}
    backend.build(model("sklearn.ensemble.BaggingClassifier", estimator=nested), 7, "classifier")
    assert not made.exists()


@pytest.mark.parametrize(
    "estimator",
    [LogisticRegression(), MLPClassifier([8], max_iter=30, tol=1.0, random_state=0)],
    ids=["logistic", "mlp"],
)
def test_the_graph_gives_the_probabilities_of_scikit_learn(estimator: Any) -> None:
    inputs, truth = examples()
    pipeline = make_pipeline(StandardScaler(), estimator).fit(inputs, truth)
    assert run(convert(pipeline), inputs) == pytest.approx(pipeline.predict_proba(inputs), abs=1e-5)


def test_the_graph_of_the_majority_gives_every_record_the_prior() -> None:
    inputs, _ = examples()
    truth = np.array([0] * 60 + [1] * 20 + [2] * 10)
    pipeline = make_pipeline(DummyClassifier(strategy="prior")).fit(inputs, truth)
    expected = np.tile([60 / 90, 20 / 90, 10 / 90], (5, 1))
    assert run(convert(pipeline), inputs[:5]) == pytest.approx(expected, abs=1e-6)


def test_the_graph_computes_nothing_but_the_probabilities() -> None:
    inputs, truth = examples()
    pipeline = make_pipeline(MLPClassifier([8], max_iter=30, tol=1.0, random_state=0)).fit(inputs, truth)
    made = convert(pipeline)
    assert [output.name for output in made.graph.output] == ["probabilities"]
    read = {name for node in made.graph.node for name in node.input} | {"probabilities"}
    assert all(set(node.output) & read for node in made.graph.node)
    assert {constant.name for constant in made.graph.initializer} <= read


def test_an_estimator_that_has_no_onnx_form_is_refused(refused: Refused) -> None:
    inputs, truth = examples()
    pipeline = make_pipeline(LabelPropagation()).fit(inputs, truth)
    with refused("cannot be converted to ONNX", "conf/model"):
        convert(pipeline)


def test_the_same_fit_gives_the_same_bytes() -> None:
    inputs, truth = examples()
    fits = [make_pipeline(StandardScaler(), LogisticRegression()).fit(inputs, truth) for _ in range(2)]
    first, again = (convert(pipeline).SerializeToString(deterministic=True) for pipeline in fits)
    assert first == again


class Number:
    """An answer that is a number."""

    ESTIMATOR = "regressor"


@pytest.mark.parametrize(
    "target",
    [
        "linear_model.LinearRegression",
        "ensemble.HistGradientBoostingRegressor",
        "neural_network.MLPRegressor",
        "dummy.DummyRegressor",
    ],
)
@pytest.mark.filterwarnings("ignore:Field onnx:DeprecationWarning")
def test_an_answer_that_is_a_number_gets_a_regressor(target: str) -> None:
    rows, _ = examples()
    truth = rows @ np.arange(6) + 3
    answer: Any = Number()
    fitted = backend.fit(model(f"sklearn.{target}", scale=True), 7, Lesson(rows, truth, answer, False))
    expected = backend.outputs(fitted, rows)
    assert (expected.shape, expected.dtype) == ((90, 1), np.float32)
    graph = backend.to_onnx(fitted, 6, 1, "value")
    assert [output.name for output in graph.graph.output] == ["value"]
    (actual,) = onnxruntime.InferenceSession(graph.SerializeToString()).run(None, {"features": rows})
    assert actual == pytest.approx(expected, abs=1e-3)
    if "Linear" in target:
        assert actual[:, 0] == pytest.approx(truth, abs=1e-3)


def test_a_classifier_is_no_regressor(refused: Refused) -> None:
    with refused("no regressor", WHERE, "name a scikit-learn regressor"):
        backend.build(model("sklearn.linear_model.LogisticRegression"), 7, "regressor")


def test_outputs_of_a_label_are_probabilities_in_the_order_of_its_labels() -> None:
    rows, truth = examples()
    fitted = backend.fit(model("sklearn.linear_model.LogisticRegression"), 7, Lesson(rows, truth, label, False))
    given = backend.outputs(fitted, rows)
    assert (given.shape, given.dtype) == ((90, 3), np.float32)
    assert given.sum(axis=1) == pytest.approx(1)
    assert (given.argmax(axis=1) == truth).mean() > 0.5


def decimals(step: float) -> tuple[np.ndarray, np.ndarray]:
    """Return two columns of decimals of few digits, as tables hold them, and a label that changes between two."""
    random = np.random.default_rng(0)
    rows = np.round(random.integers(0, 200, (600, 2)) * step, 3)
    return rows.astype(np.float32), (rows[:, 0] + rows[:, 1] > 200 * step).astype(int)


TREES = {
    "boosted": "ensemble.HistGradientBoostingClassifier",
    "forest": "ensemble.RandomForestClassifier",
    "gradient": "ensemble.GradientBoostingClassifier",
    "tree": "tree.DecisionTreeClassifier",
}


@pytest.mark.parametrize("step", [0.01, 0.1, 0.4])
@pytest.mark.parametrize("name", TREES)
@pytest.mark.filterwarnings("ignore:Field onnx:DeprecationWarning")
def test_trees_on_ordinary_decimals_are_the_same_in_onnx(name: str, step: float) -> None:
    rows, truth = decimals(step)
    fitted = backend.fit(model(f"sklearn.{TREES[name]}"), 7, Lesson(rows, truth, label, False))
    every = np.stack(np.meshgrid(*[np.round(np.arange(200) * step, 3)] * 2), axis=-1).reshape(-1, 2).astype(np.float32)
    assert run(backend.to_onnx(fitted, 2, 2, "probabilities"), every) == pytest.approx(
        backend.outputs(fitted, every), abs=1e-5
    )


GAPS = (*TREES.values(), "linear_model.LogisticRegression", "neural_network.MLPClassifier", "dummy.DummyClassifier")


@pytest.mark.parametrize("target", GAPS)
@pytest.mark.filterwarnings("ignore:Field onnx:DeprecationWarning")
def test_a_value_that_is_missing_is_answered_the_same_in_onnx(target: str) -> None:
    rows, truth = examples()
    rows[np.random.default_rng(1).random(rows.shape) < 0.2] = np.nan
    fitted = backend.fit(model(f"sklearn.{target}", scale=True), 7, Lesson(rows, truth, label, False))
    expected = backend.outputs(fitted, rows)
    assert np.isfinite(expected).all()
    assert run(backend.to_onnx(fitted, 6, 3, "probabilities"), rows) == pytest.approx(expected, abs=1e-5)


def rare() -> tuple[np.ndarray, np.ndarray]:
    """Return 1000 records, 20 of which have the label 1."""
    random = np.random.default_rng(0)
    truth = (np.arange(1000) % 50 == 0).astype(int)
    return (truth[:, None] * 1.5 + random.normal(0, 1, (1000, 3))).astype(np.float32), truth


@pytest.mark.parametrize(
    "target",
    ["ensemble.HistGradientBoostingClassifier", "linear_model.LogisticRegression"],
    ids=["boosted", "logistic"],
)
def test_balanced_weights_are_those_of_scikit_learn(target: str) -> None:
    rows, truth = rare()
    asked: tuple[dict[str, Any], ...] = {"weights": "balanced"}, {"class_weight": "balanced"}, {}
    ours, theirs, none = (
        backend.outputs(backend.fit(model(f"sklearn.{target}", **how), 7, Lesson(rows, truth, label, False)), rows)
        for how in asked
    )
    assert ours == pytest.approx(theirs, abs=1e-6)
    assert (ours[:, 1] > none[:, 1]).mean() > 0.9


def test_a_network_weighs_a_rare_label_as_much_as_a_frequent_one() -> None:
    rows, truth = rare()
    mean = {}
    for weights in ("none", "balanced"):
        chosen = model("sklearn.neural_network.MLPClassifier", hidden_layer_sizes=[4], weights=weights)
        mean[weights] = backend.outputs(backend.fit(chosen, 7, Lesson(rows, truth, label, False)), rows)[:, 1].mean()
    assert mean["none"] < 0.05
    assert mean["balanced"] > 0.15


@pytest.mark.parametrize(
    ("target", "answer"),
    [("neighbors.KNeighborsClassifier", label), ("linear_model.Ridge", SimpleNamespace(ESTIMATOR="regressor"))],
    ids=["no weights", "no labels"],
)
def test_a_model_that_cannot_weigh_labels_says_so(target: str, answer: Any) -> None:
    with pytest.raises(UserError, match="cannot weigh labels") as error:
        backend.fit(model(f"sklearn.{target}", weights="balanced"), 7, Lesson(*rare(), answer, False))
    assert error.value.where == "weights in conf/model/m.yaml"


def test_a_label_of_one_record_does_not_keep_boosted_trees_from_stopping() -> None:
    rows, truth = examples()
    truth[0] = 3
    early: dict[str, Any] = {"early_stopping": True, "max_iter": 1000}
    fitted = backend.fit(model(f"sklearn.{TREES['boosted']}", **early), 7, Lesson(rows, truth, label, False))
    assert fitted.pipeline[-1].n_iter_ == 100


@pytest.mark.parametrize("kind", ["ensemble.HistGradientBoostingClassifier", "neural_network.MLPClassifier"])
def test_a_number_of_iterations_is_kept_and_no_record_held_back(kind: str) -> None:
    rows, truth = examples()
    asked = model(f"sklearn.{kind}", early_stopping=True, max_iter=200, n_iter_no_change=5)
    stopped = backend.fit(asked, 7, Lesson(rows, truth, label, False))
    (took,) = backend.rounds(stopped)
    assert 1 <= took <= stopped.pipeline[-1].n_iter_ < 200
    again = backend.fit(asked, 7, Lesson(rows, truth, label, False, rounds=[took + 3]))
    assert again.pipeline[-1].n_iter_ == took + 3
    assert backend.rounds(again) == []


def test_an_estimator_that_does_not_stop_by_itself_has_no_number() -> None:
    rows, truth = examples()
    assert (
        backend.rounds(
            backend.fit(model("sklearn.linear_model.LogisticRegression"), 7, Lesson(rows, truth, label, False))
        )
        == []
    )
