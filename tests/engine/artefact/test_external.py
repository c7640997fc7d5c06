"""What a model would read from other files is found at every place of a tensor, in every order of its fields."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fullstack_ml.artefact.external import external

PLACES = ["graph", "attribute", "tensors", "subgraph", "sparse", "sparse attribute", "function", "training"]


def varied(number: int, payload: bytes) -> bytes:
    """Write a field of bytes by hand."""
    return bytes([number << 3 | 2, len(payload)]) + payload


def entry(order: str) -> bytes:
    """An entry of external_data with its fields in an order; protobuf reads both alike."""
    parts = {"key": varied(1, b"location"), "value": varied(2, b"../../etc/hostname")}
    return b"".join(parts[name] for name in order.split())


def tensor(order: str) -> TensorProto:
    """A tensor whose bytes lie elsewhere."""
    made = numpy_helper.from_array(np.zeros(1, np.float32), "w")
    made.ClearField("raw_data")
    made.MergeFromString(varied(13, entry(order)))
    return made


def model(place: str, held: TensorProto) -> onnx.ModelProto:
    """A model with ``held`` at a place."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    node, graph = helper.make_node("Identity", ["x"], ["y"]), helper.make_graph([], "g", ends[:1], ends[1:])
    sparse = onnx.SparseTensorProto(values=held, indices=numpy_helper.from_array(np.zeros(1, np.int64)), dims=[1])
    inner = helper.make_graph([], "inner", [], [], initializer=[held])
    match place:
        case "graph":
            graph.initializer.append(held)
        case "attribute":
            node.attribute.append(helper.make_attribute("value", held))
        case "tensors":
            node.attribute.add(name="a", tensors=[held])
        case "subgraph":
            deep = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)
            middle = helper.make_graph([deep], "middle", [], [])
            node.attribute.append(helper.make_attribute("body", middle))
        case "sparse":
            graph.sparse_initializer.append(sparse)
        case "sparse attribute":
            node.attribute.append(helper.make_attribute("sparse_value", sparse))
    graph.node.append(node)
    made = helper.make_model(graph)
    if place == "function":
        constant = helper.make_node("Constant", [], ["c"], value=held)
        made.functions.append(helper.make_function("d", "f", [], ["c"], [constant], []))
    if place == "training":
        made.training_info.add(initialization=inner)
    return made


@pytest.mark.parametrize("order", ["key value", "value key"])
@pytest.mark.parametrize("place", PLACES)
def test_external_data_is_found_wherever_it_stands(place: str, order: str) -> None:
    assert list(external(model(place, tensor(order)).SerializeToString()))


@pytest.mark.parametrize("place", PLACES)
def test_a_model_that_only_speaks_of_a_location_is_whole(place: str) -> None:
    made = model(place, numpy_helper.from_array(np.zeros(3, np.float32), "location"))
    helper.set_model_props(made, {"labels": "location"})
    assert not list(external(made.SerializeToString()))


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_what_is_no_model_is_said(cut: int) -> None:
    with pytest.raises(ValueError, match=r"ends in the middle|unknown form"):
        list(external(model("graph", tensor("key value")).SerializeToString()[:-cut] + b"location\x0b"))
