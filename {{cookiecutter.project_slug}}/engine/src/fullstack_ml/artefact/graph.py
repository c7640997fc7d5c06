"""Build the ONNX graph: a fitted pipeline, the contract's input in front of it, the calibration behind it.

Takes and returns ``onnx.ModelProto``; ``save`` writes it.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fullstack_ml.inputs import FEATURES
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import replacing

# onnxruntime 1.31 and onnxruntime-web run these opsets; a fixed number keeps the file the same when skl2onnx moves on.
OPSET = {"": 21, "ai.onnx.ml": 3}
INNER, OUTPUT = FEATURES, "probabilities"


def convert(pipeline: Any, width: int, labels: int) -> onnx.ModelProto:
    """Convert a fitted pipeline to a graph from ``features`` (float32, records x width) to ``probabilities``."""
    from skl2onnx import to_onnx  # slow to import, like scikit-learn, and export needs neither
    from skl2onnx.common.data_types import FloatTensorType
    from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator
    from sklearn.dummy import DummyClassifier

    if isinstance(pipeline[-1], DummyClassifier):  # skl2onnx has no converter for it
        return constant(pipeline[-1].class_prior_, width)
    inputs = [(INNER, FloatTensorType([None, width]))]
    try:
        model = to_onnx(pipeline, initial_types=inputs, options={"zipmap": False}, target_opset=OPSET)
    except (MissingConverter, MissingShapeCalculator) as error:
        what = f"{type(pipeline[-1]).__name__} cannot be converted to ONNX"
        fix = "choose an estimator that skl2onnx supports"
        raise UserError(what, "model.estimator in conf/model/", fix) from error
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", labels]))
    domains = {opset.domain: opset.version for opset in model.opset_import} | {"": OPSET[""]}
    del model.opset_import[:]  # skl2onnx names a domain twice for tree models, which onnxruntime's tools refuse
    model.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in sorted(domains.items()))
    return drop_unused(model)


def constant(prior: np.ndarray, width: int) -> onnx.ModelProto:
    """Build a graph that gives every record the same probabilities ``prior``."""
    weights = numpy_helper.from_array(np.zeros((width, len(prior)), np.float32), "weights")
    bias = numpy_helper.from_array(prior.astype(np.float32), "prior")
    nodes = [
        helper.make_node("MatMul", [INNER, "weights"], ["zero"]),
        helper.make_node("Add", ["zero", "prior"], [OUTPUT]),
    ]
    inputs = [helper.make_tensor_value_info(INNER, TensorProto.FLOAT, ["batch", width])]
    outputs = [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", len(prior)])]
    graph = helper.make_graph(nodes, "majority", inputs, outputs, [weights, bias])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET[""])], ir_version=10)


def drop_unused(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove the nodes and constants that no output needs, such as the class label."""
    needed = {output.name for output in model.graph.output}
    nodes: list[onnx.NodeProto] = []
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            needed |= set(node.input)
            nodes.insert(0, node)
    constants = [constant for constant in model.graph.initializer if constant.name in needed]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(constants)
    return model


def with_metadata(model: onnx.ModelProto, metadata: dict[str, str]) -> onnx.ModelProto:
    """Store ``metadata`` in the file, sorted, and check the graph."""
    del model.metadata_props[:]
    helper.set_model_props(model, dict(sorted(metadata.items())))
    onnx.checker.check_model(model, full_check=True)
    return model


def save(model: onnx.ModelProto, path: Path) -> None:
    """Write the model in one step, its bytes the same for the same graph."""
    with replacing(path) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))
