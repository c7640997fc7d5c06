"""Put an interval around the number, inside the graph: what is served is what was calibrated.

Split conformal prediction (Papadopoulos et al. 2002; Lei et al. 2018, Distribution-Free Predictive Inference for
Regression): of new records like those of the calibration split the promised share lies inside. ``scaled`` makes the
interval as wide as the model expects its own error to be; ``split`` makes all alike. Reads and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper

from fullstack_ml.answers.calibrating import RAW, append, conformal_quantile
from fullstack_ml.answers.number.contract import options_of
from fullstack_ml.answers.number.rule import coverage_of
from fullstack_ml.product.types import Product

OUTPUT = "value"
Calibrate = Callable[[onnx.ModelProto, np.ndarray, np.ndarray, Product], onnx.ModelProto]


def split(model: onnx.ModelProto, outputs: np.ndarray, truth: np.ndarray, product: Product) -> onnx.ModelProto:
    """Give every record an interval of one width."""
    half = conformal_quantile(np.abs(outputs[:, 0] - truth), coverage_of(product, len(truth)))
    return with_interval(model, half, product, scaled=False)


METHODS: dict[str, Calibrate] = {"split": split}


def with_interval(model: onnx.ModelProto, half: float, product: Product, *, scaled: bool) -> onnx.ModelProto:
    """Let the graph give (records, 3): number, low and high, none outside of what the contract allows.

    ``half`` is half the width of an interval, or, ``scaled``, of one whose expected error is 1.
    """
    given = options_of(product)
    constants = {
        "first": np.array([0], np.int64),
        "half": np.array(half),
        "least": np.array(given.low),
        "most": np.array(given.high),
    }
    nodes = [helper.make_node("Gather", [RAW, "first"], ["number"], axis=1)]
    if scaled:
        constants["second"] = np.array([1], np.int64)
        nodes += [
            helper.make_node("Gather", [RAW, "second"], ["expected_error"], axis=1),
            helper.make_node("Mul", ["expected_error", "half"], ["reach"]),
        ]
    reach = "reach" if scaled else "half"
    nodes += [
        helper.make_node("Sub", ["number", reach], ["low"]),
        helper.make_node("Add", ["number", reach], ["high"]),
        helper.make_node("Concat", ["number", "low", "high"], ["interval"], axis=1),
        helper.make_node("Max", ["interval", "least"], ["raised"]),
        helper.make_node("Min", ["raised", "most"], [OUTPUT]),
    ]
    append(model, nodes, OUTPUT, constants)
    place = next(i for i, output in enumerate(model.graph.output) if output.name == OUTPUT)
    model.graph.output[place].CopyFrom(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", 3]))
    return model
