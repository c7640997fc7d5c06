"""What every ONNX graph of the project shares: its opsets, the contract's input, its metadata, its file.

Takes and returns ``onnx.ModelProto``; ``save`` writes it.
"""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

from fullstack_ml.artefact.session import records_at_once
from fullstack_ml.inputs import FEATURES, input_of
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError, suggest
from fullstack_ml.workspace.files import replacing

# onnxruntime 1.31 and onnxruntime-web run these opsets; a fixed number keeps the file the same when skl2onnx moves on.
OPSET = {"": 21, "ai.onnx.ml": 3}
INNER, OUTPUT = FEATURES, "probabilities"
EMBEDDING = "embedding"  # what a network makes of a record before it answers


def features_of(inputs: np.ndarray, product: Product, takes: str = INNER) -> np.ndarray:
    """Return what the contract's input gives a model of ``inputs`` (records first): float32 (records, values).

    It is computed by the same nodes that stand in front of the artefact, so a backend fits what it will be asked.
    ``takes``: what a model takes of the input, by the name that the input's module has for it.

    Raises:
        UserError: for a name that the module does not know.
    """
    if takes not in (offered := input_of(product).GIVES):
        what = f"an input of type {product.formulation.input.type} gives a model no {takes!r}"
        raise UserError(what, "takes in conf/model/", f"{suggest(takes, offered)}; or choose another model")
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", None]) for name in (takes, OUTPUT)]
    graph = helper.make_graph([helper.make_node("Identity", [takes], [OUTPUT])], "features", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET[""])], ir_version=10)
    whole = input_of(product).front(model, product).SerializeToString()
    session = ort.InferenceSession(whole, providers=["CPUExecutionProvider"])
    name, step = session.get_inputs()[0].name, records_at_once(inputs)
    first = session.run(None, {name: inputs[:step]})[0]
    made = np.zeros((len(inputs), first.shape[1]), np.float32)
    made[:step] = first
    for i in range(step, len(inputs), step):  # not all parts and then the whole, which would be twice as much
        part = session.run(None, {name: inputs[i : i + step]})[0]
        if part.shape[1] > made.shape[1]:  # letters, which end where the longest text of a part does
            made = np.pad(made, [(0, 0), (0, part.shape[1] - made.shape[1])])
        made[i : i + step, : part.shape[1]] = part
    return made


def taking(model: onnx.ModelProto, takes: str) -> onnx.ModelProto:
    """Give what a backend's graph takes, ``features``, the name by which the input gives it."""
    for node in model.graph.node:
        node.input[:] = [takes if name == INNER else name for name in node.input]
    for given in model.graph.input:
        given.name = takes if given.name == INNER else given.name
    return model


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


def with_one_output(model: onnx.ModelProto, output: str, width: int) -> onnx.ModelProto:
    """Keep the last output of a converted model alone, float32 (batch, ``width``) with the name ``output``."""
    last = model.graph.output[-1].name  # a classifier's first output is the label
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [output if name == last else name for name in names]
    return with_outputs(model, {output: width})


def with_outputs(model: onnx.ModelProto, widths: dict[str, int]) -> onnx.ModelProto:
    """Keep these outputs alone, each float32 (batch, width), and what they need."""
    del model.graph.output[:]
    for name, width in widths.items():
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width]))
    domains = {opset.domain: opset.version for opset in model.opset_import} | {"": OPSET[""]}
    del model.opset_import[:]  # converters name a domain twice for tree models, which onnxruntime's tools refuse
    model.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in sorted(domains.items()))
    return drop_unused(model)


def rounded_down(thresholds: np.ndarray) -> np.ndarray:
    """Return the largest float32 that is not above each of ``thresholds``.

    A row is float32, so that it lies below the same thresholds as before. Rounded to the nearest, a threshold between
    two decimals moves past one of them.
    """
    rounded = thresholds.astype(np.float32)
    return np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded)


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
