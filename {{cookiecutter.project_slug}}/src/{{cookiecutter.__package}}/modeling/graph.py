"""Build the ONNX graph: a fitted pipeline, the contract's input in front of it, the calibration behind it.

Takes and returns ``onnx.ModelProto``; ``save`` writes it.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..errors import UserError
from ..files import replacing
from ..product import Product

# onnxruntime 1.31 and onnxruntime-web run these opsets; a fixed number keeps the file the same when skl2onnx moves on.
OPSET = {"": 21, "ai.onnx.ml": 3}
INNER, OUTPUT = "features", "probabilities"
WHITE = np.float32(255)  # of 8 bits


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


def with_input(model: onnx.ModelProto, product: Product) -> onnx.ModelProto:
    """Put the contract's input in front: for images uint8 (records, height, width), for tables float32 features.

    The model gets grey values as 0 to 1.
    """
    wanted = product.formulation.input
    if wanted.shape is None:
        rename_input(model, wanted.name)
        return model
    nodes = [
        helper.make_node("Cast", [wanted.name], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["grey", "white"], ["share"]),
        helper.make_node("Flatten", ["share"], [INNER], axis=1),
    ]
    model.graph.initializer.append(numpy_helper.from_array(WHITE, "white"))
    for node in reversed(nodes):
        model.graph.node.insert(0, node)
    del model.graph.input[:]
    shape = ["batch", *wanted.shape]
    model.graph.input.append(helper.make_tensor_value_info(wanted.name, TensorProto.UINT8, shape))
    return model


def rename_input(model: onnx.ModelProto, name: str) -> None:
    """Give the graph's single input another name."""
    old = model.graph.input[0].name
    model.graph.input[0].name = name
    for node in model.graph.node:
        for i, read in enumerate(node.input):
            if read == old:
                node.input[i] = name


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
