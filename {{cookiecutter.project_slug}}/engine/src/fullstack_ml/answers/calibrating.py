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
