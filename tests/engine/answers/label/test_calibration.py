"""Calibration: the temperature that was hidden is found, and the graph computes the formula."""

import numpy as np
import onnx
import pytest

from fullstack_ml.answers.label import calibration, report
from fullstack_ml.answers.words import Scored
from fullstack_ml.artefact import graph
from fullstack_ml.artefact import session as artefact
from fullstack_ml.modeling.train.novelty_nodes import with_novelty


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities of logits, by the formula."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return result


def drawn(sharpening: float, count: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Draw labels from honest probabilities, and return these sharpened, with the labels."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (count, 4))
    truth = (softmax(logits).cumsum(axis=1) > random.random((count, 1))).argmax(axis=1)
    return softmax(sharpening * logits), truth


def passing(labels: int, softmax: bool = False) -> onnx.ModelProto:
    """Return a graph whose probabilities are its input, with or without a softmax at its end."""
    nodes = [onnx.helper.make_node("Mul", [graph.INNER, "unit"], [graph.OUTPUT])]
    if softmax:
        nodes = [onnx.helper.make_node("Log", [graph.INNER], ["logits"])]
        nodes += [onnx.helper.make_node("Softmax", ["logits"], [graph.OUTPUT], axis=1)]
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", labels])
        for name in (graph.INNER, graph.OUTPUT)
    ]
    unit = onnx.numpy_helper.from_array(np.ones(1, np.float32), "unit")
    made = onnx.helper.make_graph(nodes, "passing", ends[:1], ends[1:], [unit])
    model = onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)
    return with_novelty(model, None)


def calibrated(model: onnx.ModelProto, probabilities: np.ndarray) -> Scored:
    """Run a graph on ``probabilities``."""
    onnx.checker.check_model(model, full_check=True)
    return artefact.Artefact(model.SerializeToString()).score(probabilities.astype(np.float32))


@pytest.mark.parametrize("sharpening", [0.5, 1.0, 2.0, 4.0])
def test_the_temperature_that_was_hidden_is_found(sharpening: float) -> None:
    assert calibration.fit_beta(*drawn(sharpening)) == pytest.approx(1 / sharpening, rel=0.05)


def test_no_other_temperature_has_a_lower_loss() -> None:
    probabilities, truth = drawn(3.0, 500)
    beta = calibration.fit_beta(probabilities, truth)
    around = (softmax(b * np.log(probabilities)) for b in (beta * 0.9, beta, beta * 1.1))
    losses = [report.headline(found, truth)["log_loss"] for found in around]
    assert min(losses) == losses[1]


def test_probabilities_of_zero_and_one_leave_the_temperature_finite() -> None:
    probabilities = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert 0 < calibration.fit_beta(probabilities, np.array([0, 1, 1])) < 1


@pytest.mark.parametrize("ends_in_softmax", [True, False])
@pytest.mark.parametrize("beta", [0.1, 0.5, 1.0, 3.0])
def test_the_graph_with_a_temperature_computes_the_formula(beta: float, ends_in_softmax: bool) -> None:
    probabilities, _ = drawn(1.0, 200)
    model = calibration.with_temperature(passing(4, ends_in_softmax), beta)
    found = calibrated(model, probabilities).outputs
    assert found == pytest.approx(softmax(beta * np.log(probabilities)), abs=1e-6)
    assert (found.argmax(axis=1) == probabilities.argmax(axis=1)).all()


def test_a_probability_of_zero_stays_a_number() -> None:
    found = calibrated(calibration.with_temperature(passing(2), 0.5), np.array([[1.0, 0.0], [0.5, 0.5]]))
    assert np.isfinite(found.outputs).all()
    assert found.outputs.sum(axis=1) == pytest.approx([1, 1])


def test_temperature_makes_an_overconfident_model_honest() -> None:
    probabilities, truth = drawn(4.0)
    model = calibration.temperature(passing(4), probabilities[::2], truth[::2])
    found = calibrated(model, probabilities[1::2]).outputs
    assert report.headline(probabilities[1::2], truth[1::2])["ece"] > 0.1
    assert report.headline(found, truth[1::2])["ece"] < 0.02


def test_isotonic_regression_makes_a_crooked_model_honest() -> None:
    # Each label is bent in its own way, which one temperature for all cannot straighten.
    honest, truth = drawn(1.0)
    crooked = honest ** np.array([0.5, 1.0, 2.0, 3.0])
    crooked /= crooked.sum(axis=1, keepdims=True)
    model = calibration.isotonic(passing(4), crooked[::2], truth[::2])
    found = calibrated(model, crooked[1::2]).outputs
    assert report.headline(crooked[1::2], truth[1::2])["ece"] > 0.04
    assert report.headline(found, truth[1::2])["ece"] < 0.02
    assert found.sum(axis=1) == pytest.approx(np.ones(len(found)), abs=1e-5)


def test_the_piecewise_linear_graph_goes_through_its_knots() -> None:
    knots = np.array([[0.0, 0.4, 1.0], [0.0, 0.4, 1.0]])
    heights = np.array([[0.1, 0.2, 0.8], [0.1, 0.2, 0.8]])
    given = np.array([[0.4, 0.6], [0.0, 1.0], [0.2, 0.8]])
    expected = np.array([np.interp(row, knots[0], heights[0]) for row in given])
    found = calibrated(calibration.with_isotonic(passing(2), knots, heights), given).outputs
    assert found == pytest.approx(expected / expected.sum(axis=1, keepdims=True), abs=1e-6)


def test_without_calibration_nothing_changes() -> None:
    probabilities, truth = drawn(1.0, 50)
    found = calibrated(calibration.unchanged(passing(4), probabilities, truth), probabilities).outputs
    assert found == pytest.approx(probabilities, abs=1e-7)
