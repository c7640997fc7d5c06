"""How large errors are of records like one: a small model of them, which goes into the graph.

The usual error of records of such a number (straight lines between knots), times what the features make of it (linear,
shrunk as far as leaving out one record after the other says is best). Where nothing tells large errors from small ones
all are alike. A locally weighted split: Papadopoulos, Gammerman and Vovk 2008, Normalized Nonconformity Measures for
Regression Conformal Prediction. Reads and writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

FEATURES = "features"  # of the room inputs, which would make every stage that reads answers depend on it
FEW, MOST, DRAWN = 20, 8, 10  # records of a knot, knots at most, records by which a knot is drawn to the mean of all
FITTED = 2000  # records at most that the part of the features is fitted to: more make it slow, and hardly better
LEAST = 0.2  # of the error of its number that a record keeps, whatever its features say


@dataclass(frozen=True)
class Scale:
    """The model.

    Attributes:
        knots, heights: (knots,), rising numbers, and the usual error of records around each.
        centre, spread: (values,), by which the features are brought to one scale; a missing one counts as the centre.
        weights, bias, low, high: (values, 1) and numbers: ``min(max(features @ weights + bias, low), high)`` is how
            many times as large the error is.
    """

    knots: np.ndarray
    heights: np.ndarray
    centre: np.ndarray
    spread: np.ndarray
    weights: np.ndarray
    bias: float
    low: float
    high: float

    def of(self, rows: np.ndarray, value: np.ndarray) -> np.ndarray:
        """Return the usual error of records with these features, (records, values), and numbers, (records,)."""
        times = alike(rows, self.centre, self.spread) @ self.weights[:, 0] + self.bias
        return np.asarray(np.interp(value, self.knots, self.heights) * np.clip(times, self.low, self.high))


def alike(rows: np.ndarray, centre: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Bring features to one scale; nothing is what a missing one says."""
    return np.asarray(np.nan_to_num((rows - centre) / spread))


def fit_scale(rows: np.ndarray, value: np.ndarray, error: np.ndarray) -> Scale:
    """Fit the model to the absolute ``error`` of records that the model of the number has not seen."""
    from sklearn.linear_model import RidgeCV

    knots, heights = usual_errors(value, error)
    kept = np.linspace(0, len(value) - 1, min(FITTED, len(value))).astype(int)
    known = np.ma.masked_invalid(rows[kept].astype(np.float64))
    centre, spread = (np.ma.filled(found, 0.0) for found in (known.mean(axis=0), known.std(axis=0)))
    spread = np.where(spread > 0, spread, np.inf)
    features = alike(rows[kept], centre, spread)
    fitted = RidgeCV(np.logspace(0, 5, 11)).fit(features, (error / np.interp(value, knots, heights))[kept])
    said, weights, bias = fitted.predict(features), fitted.coef_[:, np.newaxis], float(fitted.intercept_)
    low, high = max(LEAST, float(said.min())), max(LEAST, float(said.max()))
    return Scale(knots, heights, centre, spread, weights, bias, low, high)


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


def scale_nodes(scale: Scale, number: str, output: str) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    """Return the nodes that give ``output``, (batch, 1), from the features and ``number``, and their constants.

    The lines between the knots are the first height plus, per piece, its slope times how far the number goes into it:
    every runtime has these.
    """
    # A single knot has a piece without a slope.
    knots, heights = (np.append(ends, ends[-1:] + one) for ends, one in ((scale.knots, 1.0), (scale.heights, 0.0)))
    constants = {
        "interval_starts": knots[:-1],
        "interval_spans": np.diff(knots),
        "interval_slopes": (np.diff(heights) / np.diff(knots))[:, np.newaxis],
        "interval_base": heights[:1],
        "interval_nought": np.array(0.0),
        "interval_centre": scale.centre,
        "interval_share": 1 / scale.spread,
        "interval_weights": scale.weights,
        "interval_bias": np.array(scale.bias),
        "interval_fewest": np.array(scale.low),
        "interval_most_times": np.array(scale.high),
    }
    steps = [
        ("Sub", [number, "interval_starts"], "interval_into"),
        ("Max", ["interval_into", "interval_nought"], "interval_reached"),
        ("Min", ["interval_reached", "interval_spans"], "interval_within"),
        ("MatMul", ["interval_within", "interval_slopes"], "interval_rise"),
        ("Add", ["interval_rise", "interval_base"], "interval_usual"),
        ("Sub", [FEATURES, "interval_centre"], "interval_apart"),
        ("Mul", ["interval_apart", "interval_share"], "interval_alike"),
        ("IsNaN", ["interval_alike"], "interval_gaps"),
        ("Where", ["interval_gaps", "interval_nought", "interval_alike"], "interval_features"),
        ("MatMul", ["interval_features", "interval_weights"], "interval_said"),
        ("Add", ["interval_said", "interval_bias"], "interval_told"),
        ("Max", ["interval_told", "interval_fewest"], "interval_raised_times"),
        ("Min", ["interval_raised_times", "interval_most_times"], "interval_kept_times"),
        ("Mul", ["interval_usual", "interval_kept_times"], output),
    ]
    return [helper.make_node(kind, given, [made]) for kind, given, made in steps], constants
