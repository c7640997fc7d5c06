"""Make the probability of every label honest, each for itself, inside the graph: what is served is what was calibrated.

Reads and writes nothing; takes and returns ``onnx.ModelProto``. ``conf/export.yaml`` chooses the method.
"""

import numpy as np
import onnx
from onnx import helper

from fullstack_ml.answers.calibrating import RAW, append, rising, rising_fits
from fullstack_ml.workspace.errors import UserError

OUTPUT, LEAST = "probabilities", 1e-6


def logits(probabilities: np.ndarray) -> np.ndarray:
    """Return log(p / (1 - p)), of probabilities that are kept ``LEAST`` away from 0 and 1."""
    kept = np.clip(probabilities.astype(np.float64), LEAST, 1 - LEAST)
    return np.asarray(np.log(kept) - np.log1p(-kept))


def fit_line(score: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Return slope and bias of the log odds of one label over its ``score``, (records,) each (Platt 1999).

    A right label counts as (n + 1) / (n + 2), a wrong one as 1 / (n + 2), of the n records of its side: where the score
    parts both sides, the slope would become infinite otherwise.
    """
    from scipy.optimize import minimize  # slow to import

    having, others = truth.sum(), (~truth).sum()
    wanted = np.where(truth, (having + 1) / (having + 2), 1 / (others + 2))

    def loss(line: np.ndarray) -> tuple[float, np.ndarray]:
        odds = line[0] * score + line[1]
        off = 1 / (1 + np.exp(-odds)) - wanted
        return float(np.sum(np.logaddexp(0, odds) - wanted * odds)), np.array([off @ score, off.sum()])

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS")
    return float(found.x[0]), float(found.x[1])


def platt(model: onnx.ModelProto, probabilities: np.ndarray, truth: np.ndarray) -> onnx.ModelProto:
    """Calibrate every label by a line through its log odds."""
    lines = [fit_line(score, mine) for score, mine in zip(logits(probabilities).T, truth.T, strict=True)]
    slopes, biases = np.array(lines).T
    nodes = [
        helper.make_node("Clip", [RAW, "least", "most"], ["kept"]),
        helper.make_node("Log", ["kept"], ["for"]),
        helper.make_node("Sub", ["whole", "kept"], ["rest"]),
        helper.make_node("Log", ["rest"], ["against"]),
        helper.make_node("Sub", ["for", "against"], ["odds"]),
        helper.make_node("Mul", ["odds", "slopes"], ["turned"]),
        helper.make_node("Add", ["turned", "biases"], ["moved"]),
        helper.make_node("Sigmoid", ["moved"], [OUTPUT]),
    ]
    ends = {"least": np.array(LEAST), "most": np.array(1 - LEAST), "whole": np.array(1.0)}
    return append(model, nodes, OUTPUT, {**ends, "slopes": slopes, "biases": biases})


def isotonic(model: onnx.ModelProto, probabilities: np.ndarray, truth: np.ndarray) -> onnx.ModelProto:
    """Calibrate every label by isotonic regression.

    Raises:
        UserError: if no record here has a label: its probability would become 0 for ever.
    """
    if not truth.any(axis=0).all():
        place = int(truth.any(axis=0).argmin()) + 1
        what = f"label {place} of {truth.shape[1]} has no record in the calibration split"
        fix = "collect more, or set calibration: platt in conf/export.yaml"
        raise UserError(what, "data/splits/calibration.parquet", fix)
    nodes, constants = rising(*rising_fits(probabilities, truth), "height")
    nodes.append(helper.make_node("Clip", ["height", "nought", "whole"], [OUTPUT]))
    return append(model, nodes, OUTPUT, {**constants, "whole": np.array(1.0)})


def unchanged(model: onnx.ModelProto, probabilities: np.ndarray, truth: np.ndarray) -> onnx.ModelProto:
    """Leave the probabilities as the model gives them."""
    return model


METHODS = {"platt": platt, "isotonic": isotonic, "none": unchanged}
