"""Make probabilities honest, inside the graph: what is served is what was calibrated.

Reads and writes nothing; takes and returns ``onnx.ModelProto``. ``conf/export.yaml`` chooses the method.
"""

import math

import numpy as np
import onnx
from onnx import helper, numpy_helper

from fullstack_ml.answers.calibrating import RAW, append, rising, rising_fits
from fullstack_ml.workspace.errors import UserError

OUTPUT = "probabilities"


def fit_beta(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Find the beta with the lowest log loss of ``truth`` (indices) under softmax(beta * log p).

    The loss is convex in beta, so a bounded search on its logarithm finds the one minimum.
    """
    from scipy.optimize import minimize_scalar  # slow to import

    logits = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)).astype(np.float64)

    def loss(log_beta: float) -> float:
        scaled = math.exp(log_beta) * logits
        scaled -= scaled.max(axis=1, keepdims=True)
        right = scaled[np.arange(len(truth)), truth]
        return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - right))

    found = minimize_scalar(loss, bounds=(math.log(0.05), math.log(20.0)), method="bounded")
    return float(math.exp(found.x))


def with_temperature(model: onnx.ModelProto, beta: float) -> onnx.ModelProto:
    """Sharpen (beta > 1) or soften (beta < 1) the probabilities: softmax(beta * log p).

    This is temperature scaling with T = 1 / beta (Guo et al. 2017, On Calibration of Modern Neural Networks), on the
    logarithms of the probabilities, which are the logits up to a constant. Where the graph itself ends in a softmax,
    its input is scaled instead: the same numbers from one node.
    """
    softmax = final_softmax(model)
    if softmax is not None:
        scaled = helper.make_node("Mul", [softmax.input[0], "beta"], ["scaled"])
        softmax.input[0] = "scaled"
        model.graph.node.insert(list(model.graph.node).index(softmax), scaled)
        model.graph.initializer.append(numpy_helper.from_array(np.array(beta, np.float32), "beta"))
        return model
    nodes = [
        helper.make_node("Max", [RAW, "floor"], ["positive"]),
        helper.make_node("Log", ["positive"], ["logarithm"]),
        helper.make_node("Mul", ["logarithm", "beta"], ["scaled"]),
        helper.make_node("Softmax", ["scaled"], [OUTPUT], axis=1),
    ]
    return append(model, nodes, OUTPUT, {"floor": np.array(np.finfo(np.float32).tiny), "beta": np.array(beta)})


def final_softmax(model: onnx.ModelProto) -> onnx.NodeProto | None:
    """Return the softmax over labels that gives the model's probabilities, if it ends in one."""
    made_by = {name: node for node in model.graph.node for name in node.output}
    node = made_by[OUTPUT]
    while node.op_type == "Identity":
        node = made_by[node.input[0]]
    axes = [attribute.i for attribute in node.attribute if attribute.name == "axis"]
    return node if node.op_type == "Softmax" and (axes or [-1])[0] in (1, -1) else None


def with_isotonic(model: onnx.ModelProto, knots: np.ndarray, heights: np.ndarray) -> onnx.ModelProto:
    """Replace each label's probability by a rising, piecewise linear function of it, then make them sum to 1.

    ``knots`` and ``heights`` are (labels, points).
    """
    nodes, constants = rising(knots, heights, "height")
    nodes += [
        helper.make_node("Max", ["height", "least"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "labels_axis"], ["total"], keepdims=1),
        helper.make_node("Div", ["kept", "total"], [OUTPUT]),
    ]
    more = {"least": np.array(1e-6), "labels_axis": np.array([1], np.int64)}
    return append(model, nodes, OUTPUT, constants | more)


def temperature(model: onnx.ModelProto, probabilities: np.ndarray, truth: np.ndarray) -> onnx.ModelProto:
    """Calibrate by one temperature for all labels, which never changes the most probable label."""
    return with_temperature(model, fit_beta(probabilities, truth))


def isotonic(model: onnx.ModelProto, probabilities: np.ndarray, truth: np.ndarray) -> onnx.ModelProto:
    """Calibrate every label by isotonic regression, one against the rest (Zadrozny and Elkan 2002).

    Raises:
        UserError: if a label has no record here: its probability would become 0 for ever.
    """
    counts = np.bincount(truth, minlength=probabilities.shape[1])
    if not counts.all():
        what = f"label {counts.argmin() + 1} of {len(counts)} has no record in the calibration split"
        fix = "collect more, or set calibration: temperature in conf/export.yaml"
        raise UserError(what, "data/splits/calibration.parquet", fix)
    knots, heights = rising_fits(probabilities, np.eye(len(counts), dtype=bool)[truth])
    return with_isotonic(model, knots, heights)


def unchanged(model: onnx.ModelProto, probabilities: np.ndarray, truth: np.ndarray) -> onnx.ModelProto:
    """Leave the probabilities as the model gives them."""
    return model


METHODS = {"temperature": temperature, "isotonic": isotonic, "none": unchanged}
