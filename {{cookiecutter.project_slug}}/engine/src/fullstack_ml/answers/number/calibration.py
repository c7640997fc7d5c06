"""Put an interval around the number, inside the graph: what is served is what was calibrated.

Split conformal prediction (Papadopoulos et al. 2002; Lei et al. 2018, Distribution-Free Predictive Inference for
Regression): of new records like those of the calibration split the promised share lies inside. ``split`` makes all
of one width, ``scaled`` follows how large errors are where the number lies. Reads and writes nothing.
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

OUTPUT, REACH = "value", "interval_reach"
FEW, MOST, DRAWN = 20, 8, 10  # records of a knot, knots at most, records by which a knot is drawn to the mean of all
Calibrate = Callable[[onnx.ModelProto, np.ndarray, np.ndarray, Product], onnx.ModelProto]


def split(model: onnx.ModelProto, outputs: np.ndarray, truth: np.ndarray, product: Product) -> onnx.ModelProto:
    """Give every record an interval of one width."""
    half = conformal_quantile(np.abs(outputs[:, 0] - truth), coverage_of(product, len(truth)))
    return with_interval(model, product, np.zeros(1), np.array([half]))


def scaled(model: onnx.ModelProto, outputs: np.ndarray, truth: np.ndarray, product: Product) -> onnx.ModelProto:
    """Give every record an interval as wide as errors are where its number lies.

    One half of the records says how large errors are along the range of the numbers, the other half how many times as
    far an interval has to reach: only then does the promise hold (Lei et al. 2018, section 5.2).
    """
    value, error = outputs[:, 0].astype(np.float64), np.abs(outputs[:, 0] - truth)
    knots, heights = usual_errors(value[::2], error[::2])
    reach = conformal_quantile(error[1::2] / np.interp(value[1::2], knots, heights), coverage_of(product, len(truth)))
    return with_interval(model, product, knots, reach * heights)


def usual_errors(value: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return knots along the range of ``value``, and the mean error around each, at least a tenth of that of all.

    A knot stands for at least ``FEW`` records; its mean is drawn to that of all, as if ``DRAWN`` more records had it.
    """
    usual, parts = float(error.mean()), max(1, min(MOST, len(value) // FEW))
    groups = np.array_split(np.argsort(value, kind="stable"), parts)
    knots = np.array([value[mine].mean() for mine in groups])
    heights = np.array([(error[mine].sum() + DRAWN * usual) / (len(mine) + DRAWN) for mine in groups])
    knots, first = np.unique(knots.astype(np.float32).astype(np.float64), return_index=True)
    return knots, np.maximum(heights[first], max(0.1 * usual, float(np.finfo(np.float32).tiny)))


METHODS: dict[str, Calibrate] = {"split": split, "scaled": scaled}


def with_interval(model: onnx.ModelProto, product: Product, knots: np.ndarray, reaches: np.ndarray) -> onnx.ModelProto:
    """Let the graph give (records, 3): number, low and high, none outside of what the contract allows.

    ``reaches`` says how far the interval goes to each side at every one of the rising ``knots``.
    """
    given, widths = options_of(product), np.diff(knots)
    nodes, constants = reach_of(knots, reaches) if len(widths) else ([], {REACH: reaches})
    constants |= {
        "interval_first": np.array([0], np.int64),
        "interval_least": np.array(given.low),
        "interval_most": np.array(given.high),
    }
    number = helper.make_node("Gather", [RAW, "interval_first"], ["interval_number"], axis=1)
    nodes = [
        number,
        *nodes,
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


def reach_of(knots: np.ndarray, reaches: np.ndarray) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    """Return nodes and constants of straight lines through the ``reaches`` at the ``knots``.

    It is the first reach plus, per piece, its slope times how far the number goes into it: every runtime has these.
    """
    widths = np.diff(knots)
    constants = {
        "interval_axis": np.array([1], np.int64),
        "interval_starts": knots[:-1],
        "interval_spans": widths,
        "interval_slopes": np.diff(reaches) / widths,
        "interval_base": reaches[:1],
        "interval_nought": np.array(0.0),
    }
    nodes = [
        helper.make_node("Sub", ["interval_number", "interval_starts"], ["interval_into"]),
        helper.make_node("Max", ["interval_into", "interval_nought"], ["interval_reached"]),
        helper.make_node("Min", ["interval_reached", "interval_spans"], ["interval_within"]),
        helper.make_node("Mul", ["interval_within", "interval_slopes"], ["interval_rises"]),
        helper.make_node("ReduceSum", ["interval_rises", "interval_axis"], ["interval_rise"], keepdims=1),
        helper.make_node("Add", ["interval_rise", "interval_base"], [REACH]),
    ]
    return nodes, constants
