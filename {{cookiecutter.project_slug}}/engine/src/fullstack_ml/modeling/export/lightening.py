"""Make the candidate smaller for small devices: the classifier in 8-bit integers, the novelty score in 16-bit floats.

Reads and writes nothing; takes and returns ``onnx.ModelProto``. Both variants are calibrated and judged alike.
"""

import logging
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def full(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model in 32-bit floats, as it was trained."""
    return model


def int8(model: onnx.ModelProto) -> onnx.ModelProto:
    """Quantise the matrix products dynamically (weights and inputs unsigned 8 bit); a tree model has none.

    The novelty score stays in floats: rounding its input to 8 bits adds more distance than a familiar record has.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic  # slow to import

    logging.getLogger().setLevel(logging.ERROR)  # it recommends a preprocessing that changes nothing here
    scoring = [node.name for node in model.graph.node if node.name.startswith("novelty")]
    excluded = [name + ending for name in scoring for ending in ("", "_MatMul")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        quantize_dynamic(model, path, weight_type=QuantType.QUInt8, nodes_to_exclude=excluded)
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


VARIANTS = {"full": full, "int8": int8}
