"""Put an interval around the number, inside the graph: what is served is what was calibrated.

Split conformal prediction (Papadopoulos et al. 2002; Lei et al. 2018, Distribution-Free Predictive Inference for
Regression): of new records like those of the calibration split the promised share lies inside. ``split`` makes all
of one width, ``scaled`` follows how large errors are of records like this one. Reads and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper

from fullstack_ml.answers.calibrating import RAW, append, conformal_quantile
from fullstack_ml.answers.number.contract import options_of
from fullstack_ml.answers.number.rule import coverage_of
from fullstack_ml.answers.number.scale import FEATURES, FEW, fit_scale, scale_nodes
from fullstack_ml.answers.words import Rows
from fullstack_ml.product.formulation import least_records
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError

OUTPUT, REACH = "value", "interval_reach"
Calibrate = Callable[[onnx.ModelProto, np.ndarray, np.ndarray, Product, Rows], onnx.ModelProto]


def split(
    model: onnx.ModelProto, outputs: np.ndarray, truth: np.ndarray, product: Product, rows: Rows
) -> onnx.ModelProto:
    """Give every record an interval of one width."""
    half = conformal_quantile(np.abs(outputs[:, 0] - truth), coverage_of(product, len(truth)))
    return with_interval(model, product, [], {REACH: np.array([half])})


def scaled(
    model: onnx.ModelProto, outputs: np.ndarray, truth: np.ndarray, product: Product, rows: Rows
) -> onnx.ModelProto:
    """Give every record an interval as wide as errors are of records of such features and such a number.

    One half of the records says how large errors are, the other half how many times as far an interval has to reach:
    only then does the promise hold (Lei et al. 2018, section 5.2). Where the halves are too small for that, all have
    one width.
    """
    known = {one.name for one in model.graph.input} | {name for node in model.graph.node for name in node.input}
    if FEATURES not in known:
        what = "the graph has no features by which an interval could be scaled: the model takes something else"
        raise UserError(what, "calibration in conf/export.yaml", "set calibration: split, or novelty: mahalanobis")
    coverage, given = coverage_of(product, len(truth)), rows()
    if len(truth) // 2 < max(2 * FEW, least_records(coverage)):
        return split(model, outputs, truth, product, rows)
    value, error = outputs[:, 0].astype(np.float64), np.abs(outputs[:, 0] - truth)
    scale = fit_scale(given[::2], value[::2], error[::2])
    reach = conformal_quantile(error[1::2] / scale.of(given[1::2], value[1::2]), coverage)
    nodes, constants = scale_nodes(scale, "interval_number", "interval_scale")
    nodes.append(helper.make_node("Mul", ["interval_scale", "interval_times"], [REACH]))
    return with_interval(model, product, nodes, constants | {"interval_times": np.array(reach)})


METHODS: dict[str, Calibrate] = {"split": split, "scaled": scaled}


def with_interval(
    model: onnx.ModelProto, product: Product, reaching: list[onnx.NodeProto], constants: dict[str, np.ndarray]
) -> onnx.ModelProto:
    """Let the graph give (records, 3): number, low and high, none outside of what the contract allows.

    ``reaching`` and ``constants`` make ``REACH``, how far the interval goes to each side.
    """
    given = options_of(product)
    constants = constants | {
        "interval_first": np.array([0], np.int64),
        "interval_least": np.array(given.low),
        "interval_most": np.array(given.high),
    }
    nodes = [
        helper.make_node("Gather", [RAW, "interval_first"], ["interval_number"], axis=1),
        *reaching,
        helper.make_node("Sub", ["interval_number", REACH], ["interval_low"]),
        helper.make_node("Add", ["interval_number", REACH], ["interval_high"]),
        helper.make_node("Concat", ["interval_number", "interval_low", "interval_high"], ["interval_ends"], axis=1),
        helper.make_node("Max", ["interval_ends", "interval_least"], ["interval_raised"]),
        helper.make_node("Min", ["interval_raised", "interval_most"], [OUTPUT]),
    ]
    append(model, nodes, OUTPUT, constants)
    place = next(i for i, output in enumerate(model.graph.output) if output.name == OUTPUT)
    model.graph.output[place].CopyFrom(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", 3]))
    return model
