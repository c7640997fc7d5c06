"""The ONNX graph: the contract's input, its metadata, the same bytes."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from fullstack_ml.artefact import graph
from fullstack_ml.inputs import input_of


def linear(values: int) -> onnx.ModelProto:
    """Return a graph that sums the features."""
    ends = [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", values])]
    ends.append(helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 1]))
    node = helper.make_node("ReduceSum", ["features", "axis"], ["probabilities"], keepdims=1)
    axis = numpy_helper.from_array(np.array([1], np.int64), "axis")
    made = helper.make_graph([node], "linear", ends[:1], ends[1:], [axis])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def run(model: onnx.ModelProto, inputs: np.ndarray) -> np.ndarray:
    """Run a graph with one input and one output."""
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (result,) = session.run(["probabilities"], {session.get_inputs()[0].name: inputs})
    return np.asarray(result)


def test_the_input_is_what_the_contract_says(product: Any) -> None:
    wanted = product.formulation.input
    values = wanted.shape[0] * wanted.shape[1] if wanted.shape else len(wanted.features)
    made = input_of(product).front(linear(values), product)
    onnx.checker.check_model(made, full_check=True)
    (given,) = made.graph.input
    assert given.name == wanted.name
    inputs = input_of(product).random_inputs(product, 20, 0)
    rows = inputs.reshape(20, -1).astype(np.float32)
    expected = (rows / 255 if wanted.shape else rows).sum(axis=1, keepdims=True)  # grey values come as 0 to 1
    assert run(made, inputs) == pytest.approx(expected, rel=1e-5)


def test_a_backend_fits_what_the_graph_will_ask_its_model(product: Any) -> None:
    inputs = input_of(product).random_inputs(product, 20, 0)
    rows = graph.features_of(inputs, product)
    flat = inputs.reshape(20, -1).astype(np.float32)
    assert rows.dtype == np.float32
    assert np.array_equal(rows, flat / np.float32(255) if product.formulation.input.shape else flat)


def test_the_metadata_is_stored_and_replaced() -> None:
    made = linear(6)
    graph.with_metadata(made, {"old": "1"})
    graph.with_metadata(made, {"labels": '["ä"]', "a": "b"})
    assert {entry.key: entry.value for entry in made.metadata_props} == {"a": "b", "labels": '["ä"]'}


def test_the_same_graph_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        graph.save(linear(6), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
