"""Make the candidate smaller for small devices: the classifier in 8-bit integers, the novelty score in 16-bit floats.

Reads and writes nothing; takes and returns ``onnx.ModelProto``. Both variants are calibrated and judged alike.
"""

import logging
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MOST = 256  # records from which static quantisation learns how large values become
WEIGHTED = ("Conv", "Gemm", "MatMul")  # what has weights to quantise


def full(model: onnx.ModelProto, inputs: np.ndarray) -> onnx.ModelProto:
    """Return the model in 32-bit floats, as it was trained."""
    return model


def dynamic(model: onnx.ModelProto, inputs: np.ndarray) -> onnx.ModelProto:
    """Quantise the matrix products dynamically (weights and inputs unsigned 8 bit); a tree model has none.

    The novelty score stays in floats: rounding its input to 8 bits adds more distance than a familiar record has.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic  # slow to import

    excluded = [name + ending for name in scoring(model) for ending in ("", "_MatMul")]
    return quantised(partial(quantize_dynamic, model, weight_type=QuantType.QUInt8, nodes_to_exclude=excluded))


def static(model: onnx.ModelProto, inputs: np.ndarray) -> onnx.ModelProto:
    """Quantise weights and what flows between them, whose range ``inputs`` of the calibration split tell.

    A model without weights, such as trees, stays as it is.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static  # slow to import

    wanted = [node.name for node in model.graph.node if node.op_type in WEIGHTED]
    if not {*wanted} - {*scoring(model)}:
        return half_novelty(model)
    name, places = model.graph.input[0].name, np.linspace(0, len(inputs) - 1, min(MOST, len(inputs))).astype(int)

    class Records(CalibrationDataReader):  # type: ignore[misc]
        left = iter([{name: inputs[place : place + 1]} for place in places])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.left, None)

    copied = onnx.ModelProto()
    copied.CopyFrom(model)  # quantising takes the weights out of what it is given
    work = partial(
        quantize_static,
        copied,
        calibration_data_reader=Records(),
        op_types_to_quantize=WEIGHTED,
        nodes_to_exclude=scoring(model),
        per_channel=True,  # as of a convolution, of which one may weigh a hundred times another
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    return quantised(work)


def scoring(model: onnx.ModelProto) -> list[str]:
    """Name the nodes of the novelty score."""
    return [node.name for node in model.graph.node if node.name.startswith("novelty")]


def quantised(work: Callable[..., None]) -> onnx.ModelProto:
    """Return what ``work`` writes to ``model_output``, with a small novelty score."""
    logging.getLogger().setLevel(logging.ERROR)  # it recommends a preprocessing that changes nothing here
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        work(model_output=path)
        small = onnx.load(path)
    return half_novelty(small)


def half_novelty(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store the matrices of the novelty score as float16; the graph casts them back before it computes."""
    for constant in model.graph.initializer:
        value = numpy_helper.to_array(constant)
        if constant.name.startswith("novelty_") and value.dtype == np.float32 and value.ndim == 2:
            stored = f"{constant.name}_half"
            cast = helper.make_node("Cast", [stored], [constant.name], to=TensorProto.FLOAT)
            constant.CopyFrom(numpy_helper.from_array(value.astype(np.float16), stored))
            model.graph.node.insert(0, cast)
    return model


Lighten = Callable[[onnx.ModelProto, np.ndarray], onnx.ModelProto]
VARIANTS = ("full", "int8")


def variants(quantisation: str) -> dict[str, Lighten]:
    """Return how each variant is made of a model and held-out inputs; ``quantisation`` is that of conf/export.yaml."""
    return {"full": full, "int8": {"dynamic": dynamic, "static": static}[quantisation]}
