"""Building an estimator from conf/model: only classifiers of scikit-learn and of the project."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from fullstack_ml.modeling.train import estimator

Refused = Callable[..., AbstractContextManager[None]]
WHERE = "conf/model/m.yaml"


def model(target: str, scale: bool = False, **arguments: Any) -> Any:
    """Return what a file of conf/model says."""
    return estimator.Model("m", scale, {"_target_": target, **arguments})  # type: ignore[attr-defined]


def test_the_pipeline_is_the_estimator_with_its_arguments() -> None:
    built = estimator.build(model("sklearn.linear_model.LogisticRegression", C=0.5), seed=7)
    assert [type(step) for _, step in built.steps] == [LogisticRegression]
    assert built[-1].C == 0.5


def test_scaling_is_a_step_before_it() -> None:
    built = estimator.build(model("sklearn.linear_model.LogisticRegression", scale=True), seed=7)
    assert [type(step) for _, step in built.steps] == [StandardScaler, LogisticRegression]


def test_values_that_are_alike_are_centred_and_keep_their_spread() -> None:
    values = np.array([[0.0, 0.98], [1.0, 1.0], [0.5, 0.99]])
    scaler = estimator.build(model("sklearn.linear_model.LogisticRegression", scale=True), seed=7, alike=True)[0]
    assert np.ptp(scaler.fit_transform(values), axis=0) == pytest.approx([1.0, 0.02])


def test_the_seed_of_the_configuration_reaches_the_estimator() -> None:
    assert estimator.build(model("sklearn.neural_network.MLPClassifier"), seed=7)[-1].random_state == 7


def test_a_seed_of_its_own_goes_first() -> None:
    built = estimator.build(model("sklearn.neural_network.MLPClassifier", random_state=3), seed=7)
    assert built[-1].random_state == 3


def test_an_estimator_without_a_seed_gets_none() -> None:
    estimator.build(model("sklearn.neighbors.KNeighborsClassifier"), seed=7)


def test_a_list_in_the_configuration_becomes_a_list() -> None:
    built = estimator.build(model("sklearn.neural_network.MLPClassifier", hidden_layer_sizes=[8, 4]), seed=7)
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
        estimator.build(model(target), seed=7)


def test_a_misspelled_argument_is_refused_with_the_nearest(refused: Refused) -> None:
    with refused("'max_itre'", WHERE, "'max_iter'"):
        estimator.build(model("sklearn.linear_model.LogisticRegression", max_itre=5), seed=7)


def test_a_target_among_the_arguments_is_not_called(tmp_path: Path) -> None:
    made = tmp_path / "made"
    nested = {"_target_": "os.mkdir", "path": str(made)}
    estimator.build(model("sklearn.ensemble.BaggingClassifier", estimator=nested), seed=7)
    assert not made.exists()
