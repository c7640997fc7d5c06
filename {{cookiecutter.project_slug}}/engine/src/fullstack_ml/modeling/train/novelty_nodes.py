"""The novelty score as nodes of the model's ONNX graph: what ``novelty.distance`` computes in numpy.

Reads and writes nothing.
"""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fullstack_ml.artefact.graph import EMBEDDING, INNER

NOVELTY = "novelty"


def made(kind: str, inputs: str, output: str, **settings: Any) -> onnx.NodeProto:
    """Return a node that is called after its output; all names but that of the values begin with ``novelty_``."""
    names = [name if name in (INNER, EMBEDDING, NOVELTY) else f"novelty_{name}" for name in (*inputs.split(), output)]
    return helper.make_node(kind, names[:-1], names[-1:], names[-1], **settings)


def nearest_nodes(values: str, output: str) -> list[onnx.NodeProto]:
    """Return the nodes of ``nearest``."""
    return [
        made("Gemm", f"{values} whiten shift", "whitened"),
        made("ReduceSumSquare", "whitened axis", "length", keepdims=1),
        made("Gemm", "whitened points squares", "towards"),
        made("Add", "length towards", "lengths"),
        made("ReduceMin", "lengths axis", output, keepdims=int(output != NOVELTY)),
    ]


def energies_nodes() -> list[onnx.NodeProto]:
    """Return the nodes of ``energies``, from the ``scaled`` and the ``whole`` values and the components ``kept``."""
    nodes, last = list[onnx.NodeProto](), "scaled"
    for change in ("change", "bend"):
        nodes += [made("Slice", f"{last} one end axis", f"{change}_after")]
        nodes += [made("Slice", f"{last} zero minus axis", f"{change}_before")]
        nodes += [made("Sub", f"{change}_after {change}_before", change)]
        nodes += [made("ReduceSumSquare", f"{change} axis", f"{change}_square", keepdims=1)]
        last = change
    return [
        *nodes,
        made("Transpose", "basis", "across", perm=[1, 0]),  # of a Gemm's transB, quantising turns the constant itself
        made("MatMul", "kept across", "seen"),
        made("Sub", "whole seen", "unseen"),
        made("ReduceSumSquare", "unseen axis", "rest", keepdims=1),
        made("Mul", "kept kept", "kept_squares"),
        made("MatMul", "kept_squares bands", "banded"),
        made("Concat", "banded rest change_square bend_square", "energies", axis=1),
    ]


def reduced_nodes(values: str) -> list[onnx.NodeProto]:
    """Return the nodes of ``distances``, and of the one number made of them."""
    return [
        made("Mul", f"{values} scale", "scaled"),
        made("Add", "scaled offset", "whole"),
        made("MatMul", "whole basis", "kept"),
        *nearest_nodes("kept", "nearest"),
        *energies_nodes(),
        made("Mul", "energies usual", "quotients"),
        made("Relu", "quotients", "shares"),
        made("Add", "shares floor", "floored"),
        made("Log", "floored", "logs"),
        made("Gemm", "logs turn middle", "turned"),
        made("ReduceSumSquare", "turned axis", "unusual", keepdims=1),
        made("Gather", "shares third", "rest_share", axis=1),
        made("Concat", "nearest rest_share unusual", "three", axis=1),
        made("Mul", "three weights", "weighted"),
        made("Mul", "weighted weighted", "second"),
        made("ReduceL2", "second axis", "fourth", keepdims=0),
        made("Sqrt", "fourth", NOVELTY),
    ]


def filling_nodes() -> list[onnx.NodeProto]:
    """Return the nodes that put the mean of training where a value is missing."""
    return [made("IsNaN", INNER, "gaps"), made("Where", f"gaps filling {INNER}", "filled")]


def with_novelty(
    model: onnx.ModelProto, constants: dict[str, np.ndarray] | None, values: str = INNER
) -> onnx.ModelProto:
    """Add the output ``novelty`` (float32, one per record).

    With ``constants`` it is what ``distance`` computes of ``values``, about 1 for familiar records; without, one minus
    the highest probability (Hendrycks and Gimpel 2017), which needs no training data. An output ``embedding`` stays
    inside: the artefact says what the contract asks for.
    """
    del model.graph.output[1:]
    if constants is None:
        stored = [numpy_helper.from_array(np.array(1.0, np.float32), "one")]
        nodes = [
            helper.make_node("ReduceMax", [model.graph.output[0].name, "novelty_axis"], ["highest"], keepdims=0),
            helper.make_node("Sub", ["one", "highest"], [NOVELTY]),
        ]
    else:
        stored = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()]
        nodes = []
        if "novelty_filling" in constants:
            nodes, values = filling_nodes(), "filled"
        reduced = "novelty_basis" in constants
        nodes += reduced_nodes(values) if reduced else nearest_nodes(values, NOVELTY)
        places = {"zero": 0, "one": 1, "end": np.iinfo(np.int64).max, "minus": -1, "third": -3} if reduced else {}
        stored += [numpy_helper.from_array(np.array([at], np.int64), f"novelty_{name}") for name, at in places.items()]
    stored.append(numpy_helper.from_array(np.array([1], np.int64), "novelty_axis"))
    model.graph.initializer.extend(stored)
    model.graph.node.extend(nodes)
    model.graph.output.append(helper.make_tensor_value_info(NOVELTY, TensorProto.FLOAT, ["batch"]))
    return model
