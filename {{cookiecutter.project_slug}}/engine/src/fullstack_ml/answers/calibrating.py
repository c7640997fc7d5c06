"""What the calibrations of all answers share: the conformal quantile, and nodes behind the model's output.

Reads and writes nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from fullstack_ml.product.formulation import least_records
from fullstack_ml.workspace.errors import UserError

if TYPE_CHECKING:
    import onnx

WHERE = "formulation.abstain in product.yaml and conf/split.yaml"
RAW = "uncalibrated"


def conformal_quantile(scores: np.ndarray, level: float) -> float:
    """Return the split-conformal quantile: a new score is at most this with probability ``level``.

    It is the ceil((n + 1) level)-th smallest of n scores (Vovk, Gammerman and Shafer 2005; Papadopoulos et al. 2002).

    Raises:
        UserError: if there are too few scores for the level.
    """
    rank = math.ceil((len(scores) + 1) * level - 1e-9)
    if rank > len(scores):
        least = least_records(level)
        what = f"a level of {level:g} needs at least {least} calibration records, and there are {len(scores)}"
        raise UserError(what, WHERE, "collect more, raise the share of the calibration split, or lower the level")
    return float(np.sort(scores)[rank - 1])


def novelty_limit(novelty: np.ndarray, false_alarms: float) -> float:
    """Return the novelty up to which a record is familiar, so that ``false_alarms`` of familiar ones are beyond it.

    A novelty that is not a number is beyond every limit: of a gap in a feature that had none in training. Such records
    count, and where they alone are more than ``false_alarms`` the limit is the largest that is a number.

    Raises:
        UserError: if there are too few scores for the level, or none that is a number.
    """
    limit = conformal_quantile(novelty, 1.0 - false_alarms)
    if np.isfinite(limit):
        return limit
    known = novelty[np.isfinite(novelty)]
    if not known.size:
        what = f"none of {len(novelty)} calibration records has a novelty that is a number"
        raise UserError(what, WHERE, "look for a feature that is missing in all of them and in none of training")
    return float(known.max())


def append(
    model: onnx.ModelProto, nodes: list[onnx.NodeProto], output: str, constants: dict[str, np.ndarray]
) -> onnx.ModelProto:
    """Put ``nodes`` between what the model gives as ``output``, from now on ``uncalibrated``, and that output."""
    from onnx import numpy_helper

    for node in model.graph.node:
        for i, written in enumerate(node.output):
            if written == output:
                node.output[i] = RAW
        for i, taken in enumerate(node.input):
            if taken == output:  # a novelty by confidence looks at the model's own probabilities
                node.input[i] = RAW
    for name, value in constants.items():
        kind = value.dtype if value.dtype == np.int64 else np.float32
        model.graph.initializer.append(numpy_helper.from_array(value.astype(kind), name))
    model.graph.node.extend(nodes)
    return model


def rising_fits(probabilities: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit every label by isotonic regression, one against the rest (Zadrozny and Elkan 2002).

    ``truth`` is bool (records, labels). Returns knots and heights, (labels, points) each.
    """
    from sklearn.isotonic import IsotonicRegression  # slow to import, and no other calibration needs it

    pairs = zip(probabilities.T, truth.T, strict=True)
    fits = [IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(share, mine) for share, mine in pairs]
    points = max(len(fit.X_thresholds_) for fit in fits)
    knots, heights = (
        np.stack([np.pad(getattr(fit, name), (0, points - len(getattr(fit, name))), mode="edge") for fit in fits])
        for name in ("X_thresholds_", "y_thresholds_")
    )
    return knots, heights


def rising(knots: np.ndarray, heights: np.ndarray, output: str) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    """Return nodes and constants that put straight lines through ``heights`` at ``knots``, (labels, points) each.

    The function is the first height plus, per piece, the slope times how far the probability reaches into the piece:
    only elementwise nodes, so every runtime has it.
    """
    from onnx import helper

    widths = np.diff(knots, axis=1)
    slopes = np.divide(np.diff(heights, axis=1), widths, out=np.zeros_like(widths), where=widths > 0)
    constants = {"starts": knots[:, :-1], "widths": widths, "slopes": slopes, "base": heights[:, 0]}
    constants |= {"nought": np.array(0.0), "last": np.array([2], np.int64)}
    nodes = [
        helper.make_node("Unsqueeze", [RAW, "last"], ["column"]),
        helper.make_node("Sub", ["column", "starts"], ["into"]),
        helper.make_node("Max", ["into", "nought"], ["reached"]),
        helper.make_node("Min", ["reached", "widths"], ["within"]),
        helper.make_node("Mul", ["within", "slopes"], ["rises"]),
        helper.make_node("ReduceSum", ["rises", "last"], ["rise"], keepdims=0),
        helper.make_node("Add", ["rise", "base"], [output]),
    ]
    return nodes, constants
