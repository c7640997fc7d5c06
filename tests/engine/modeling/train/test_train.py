"""Stage train: it learns, it repeats itself to the byte, and it leaves no wrong graph."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fullstack_ml.answers import label
from fullstack_ml.artefact.graph import features_of
from fullstack_ml.inputs import input_of
from fullstack_ml.modeling.train import __main__ as train
from fullstack_ml.modeling.train.backends import Lesson
from fullstack_ml.modeling.train.backends import sklearn as backend
from fullstack_ml.pipeline import examples

Refused = Callable[..., AbstractContextManager[None]]
CANDIDATE = Path("models/candidate.onnx")


def network(config: Any, **arguments: Any) -> Any:
    """Return the settings of a small neural network."""
    target = "sklearn.neural_network.MLPClassifier"
    settings = {"_target_": target, "hidden_layer_sizes": [32], "learning_rate_init": 0.01, "tol": 0.0, **arguments}
    return type(config.model)("network", True, settings)


def fit(model: Any, seed: int, inputs: np.ndarray, truth: np.ndarray, product: Any) -> Any:
    """Fit as the stage does."""
    return backend.fit(model, seed, Lesson(features_of(inputs, product), truth, label, input_of(product).ALIKE))


def say(fitted: Any, inputs: np.ndarray, product: Any) -> np.ndarray:
    """Return what the fitted model gives."""
    return backend.outputs(fitted, features_of(inputs, product))


def report() -> Any:
    """Read what the stage reports."""
    return json.loads(Path("reports/training.json").read_text(encoding="utf-8"))


def test_training_again_gives_the_same_bytes(finished: Path, config: Any) -> None:
    first = CANDIDATE.read_bytes()
    CANDIDATE.unlink()
    train.run(config)
    assert CANDIDATE.read_bytes() == first


def test_another_seed_gives_another_model(finished: Path, config: Any, product: Any) -> None:
    known = examples.read("train", product)
    fits = [fit(network(config, max_iter=3), seed, known.inputs, known.truth, product) for seed in (1, 1, 2)]
    first, again, other = (say(fitted, known.inputs[:20], product) for fitted in fits)
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


def test_every_iteration_lowers_the_loss(finished: Path, config: Any, product: Any) -> None:
    known = examples.read("train", product)
    losses = []
    # A small step down the gradient over all records goes down, which a large step or one over a few need not.
    step = {"batch_size": len(known.truth), "learning_rate_init": 0.001}
    for iterations in (1, 2, 3, 20):
        fitted = fit(network(config, max_iter=iterations, **step), 7, known.inputs, known.truth, product)
        losses.append(label.headline(say(fitted, known.inputs, product), known.truth)["log_loss"])
    assert losses == sorted(losses, reverse=True)
    assert len(set(losses)) == 4


def test_a_few_records_can_be_learned_by_heart(finished: Path, config: Any, product: Any) -> None:
    known = examples.read("train", product)
    labels = len(product.formulation.answer.labels)
    # Labels that have nothing to do with the records: only memory gets them right.
    truth = np.arange(2 * labels) % labels
    inputs = known.inputs[: len(truth)]
    fitted = fit(network(config, max_iter=400), 7, inputs, truth, product)
    assert (say(fitted, inputs, product).argmax(axis=1) == truth).all()


def test_the_report_counts_the_records_and_scores_the_validation_split(
    finished: Path, config: Any, product: Any
) -> None:
    found = report()
    known, held_out = examples.read("train", product), examples.read("validation", product)
    assert found["records"] == len(known.truth) == sum(found["answers"].values())
    assert list(found["answers"]) == product.formulation.label_names
    fitted = fit(config.model, config.seed, known.inputs, known.truth, product)
    expected = label.headline(say(fitted, held_out.inputs, product), held_out.truth)
    assert found["validation"] == pytest.approx(expected)
    assert found["parity"] <= config.train.parity


def test_neither_calibration_nor_test_split_is_read(finished: Path, config: Any) -> None:
    for name in ("calibration", "test"):
        Path(f"data/splits/{name}.parquet").unlink()
    train.run(config)


def test_examples_are_in_the_order_of_the_labels(finished: Path, product: Any) -> None:
    found = examples.read("test", product)
    names = product.formulation.label_names
    assert [names[i] for i in found.truth] == found.frame["label"].to_list()
    assert len(found.inputs) == len(found.truth)


def test_a_graph_that_differs_is_refused(refused: Refused) -> None:
    right = np.array([[0.7, 0.3], [0.2, 0.8]])
    assert train.check_parity(label, right, right + 1e-6, 1e-4) == pytest.approx(1e-6)
    with refused("differs from the fitted model by 0.001 (allowed 0.0001); 0 answers change", str(CANDIDATE)):
        train.check_parity(label, right, right + 1e-3, 1e-4)
    with refused("1 answers change"):
        train.check_parity(label, right, np.array([[0.7, 0.3], [0.8, 0.2]]), 1.0)
    with refused("differs from the fitted model by nan (allowed 0.0001); 0 answers change"):
        train.check_parity(label, right[:1], right[:1] * np.nan, 1e-4)


def test_a_wrong_graph_is_not_left_behind_as_a_report(
    finished: Path, config: Any, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    before = report()
    config.train.parity = -1.0
    with refused("differs from the fitted model"):
        train.run(config)
    assert report() == before


@pytest.mark.parametrize(
    ("arguments", "what"), [({"alpha": "much"}, "'alpha'"), ({"max_iter": -3}, "'max_iter'")], ids=["type", "range"]
)
def test_a_value_that_scikit_learn_refuses_is_a_mistake_in_the_file_of_the_model(
    arguments: dict[str, Any], what: str, finished: Path, config: Any, product: Any, refused: Refused
) -> None:
    known = examples.read("train", product)
    with refused(what, "conf/model/network.yaml"):
        fit(network(config, **arguments), 7, known.inputs, known.truth, product)


def test_an_estimator_without_probabilities_is_refused(
    finished: Path, config: Any, product: Any, refused: Refused
) -> None:
    known = examples.read("train", product)
    model = type(config.model)("svm", True, {"_target_": "sklearn.svm.LinearSVC"})
    with refused("LinearSVC gives no probabilities", "conf/model/svm.yaml"):
        fit(model, 7, known.inputs, known.truth, product)


def test_an_unknown_novelty_is_refused_with_the_nearest(finished: Path, config: Any, refused: Refused) -> None:
    config.train.novelty = "mahalanobi"
    with refused("'mahalanobi'", "conf/train.yaml", "'mahalanobis'"):
        train.run(config)


def test_a_novelty_that_differs_is_refused(refused: Refused) -> None:
    train.check_novelty(np.array([1.0, 200.0]), np.array([1.0, 200.1]))
    with refused("novelty in ONNX differs by 1"):
        train.check_novelty(np.array([1.0, 200.0]), np.array([2.0, 200.0]))


def test_the_history_is_a_table_with_a_step_per_line() -> None:
    curves = {"loss": [0.5, 0.25], "validation_score": [0.8, 0.9]}
    assert train.as_csv(curves) == "step,loss,validation_score\n0,0.5,0.8\n1,0.25,0.9\n"
    assert train.as_csv({}) == "step\n"


def test_the_history_is_what_the_estimator_measured(finished: Path, config: Any, product: Any) -> None:
    known = examples.read("train", product)
    fitted = fit(network(config, max_iter=4), 7, known.inputs, known.truth, product)
    assert backend.history(fitted) == {"loss": pytest.approx(fitted.pipeline[-1].loss_curve_)}
    assert len(fitted.pipeline[-1].loss_curve_) == 4
