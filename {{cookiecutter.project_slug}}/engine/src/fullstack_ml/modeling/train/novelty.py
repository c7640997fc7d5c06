"""Score how unlike the training data a record is, as nodes of the same ONNX graph.

Reads and writes nothing. ``conf/train.yaml`` chooses the score; larger is stranger. It looks at the input, not at the
model's confidence: a classifier that must answer is often surest about what it has never seen.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fullstack_ml.artefact.graph import INNER

NOVELTY = "novelty"
RARE = 0.22  # spread of a truth value that holds for one record in twenty
MOST = 64  # values whose whole covariance is kept, and components of more values


def mahalanobis(features: np.ndarray, truth: np.ndarray, alike: bool = False) -> dict[str, np.ndarray]:
    """Return the constants of the squared Mahalanobis distance to the nearest label's mean.

    All labels share one covariance, shrunk (Lee et al. 2018, A Simple Unified Framework for Detecting
    Out-of-Distribution Samples; Ledoit and Wolf 2004 for the shrinkage). ``features`` is (records, values); where
    all values are ``alike``, as pixels are, they are not brought to one spread, or the rarest specks would count most.

    A covariance grows with the fourth power of a picture's side. Of more than ``MOST`` values only the first ``MOST``
    principal components are measured so; what they leave over counts by its mean square, with as much weight.
    """
    from sklearn.covariance import LedoitWolf  # slow to import, and only training needs it

    truths, filling = are_truths(features) & (not alike), means_of_gaps(features)
    features = filled(features, filling)
    centre, spread = features.mean(axis=0), spread_of(features, truths, alike)
    scaled = (features - centre) / spread
    reduced = features.shape[1] > MOST
    basis = components(scaled) if reduced else np.eye(features.shape[1])
    parts = scaled @ basis
    means = np.stack([parts[truth == label].mean(axis=0) for label in np.unique(truth)])
    covariance = LedoitWolf(assume_centered=True).fit(parts - means[np.unique(truth, return_inverse=True)[1]])
    # A value that is rare, such as a category of one record in a thousand, is no stranger than one in twenty.
    rare = 0.0 if reduced else np.diag(np.where(truths, 1.0 - parts.var(axis=0), 0.0))
    values, vectors = np.linalg.eigh(covariance.covariance_ + rare)
    # Divided by the number of values, the distance of a familiar record is about 1 for every product.
    whiten = vectors / np.sqrt(np.maximum(values, 1e-9) * len(values) * (1 + reduced))
    points, found = means @ whiten, {} if filling is None else {"novelty_filling": filling[None, :]}
    found |= {"novelty_points": -2.0 * points.T, "novelty_squares": (points**2).sum(axis=1)}
    if not reduced:
        return found | {"novelty_whiten": whiten / spread[:, None], "novelty_shift": -(centre / spread) @ whiten}
    rest = ((scaled**2).sum(axis=1) - (parts**2).sum(axis=1)).mean()
    weight = np.sqrt(0.5 / max(rest, 1e-9)) / spread
    return found | {
        "novelty_whiten": whiten * np.sqrt(max(rest, 1e-9) / 0.5),
        "novelty_shift": np.zeros(len(values)),
        "novelty_scale": weight,
        "novelty_offset": -weight * centre,
        "novelty_basis": weight[:, None] * basis,
        "novelty_start": -(weight * centre) @ basis,
    }


def components(scaled: np.ndarray) -> np.ndarray:
    """Return (values, components): the directions in which the records differ most, the same at every call."""
    from sklearn.decomposition import PCA

    count = min(MOST, max(1, len(scaled) // 2))  # as many as records would leave nothing over to measure
    fitted = PCA(count, svd_solver="randomized", random_state=0).fit(scaled)
    return np.asarray(fitted.components_.T)


def spread_of(features: np.ndarray, truths: np.ndarray, alike: bool) -> np.ndarray:
    """Return the deviation by which a value is divided; at least ``RARE`` for truth values, 1 where nothing varies."""
    spread: np.ndarray = features.std(axis=0)
    spread[truths] = np.maximum(spread[truths], RARE)
    spread[(spread == 0) | alike] = 1.0
    return spread


def are_truths(features: np.ndarray) -> np.ndarray:
    """Tell which values are 0 or 1 wherever they are there, such as a category has, (values,)."""
    return np.array([bool(((column == 0) | (column == 1) | np.isnan(column)).all()) for column in features.T])


def means_of_gaps(features: np.ndarray) -> np.ndarray | None:
    """Return what a missing value counts as: the mean, or NaN where none was missing, so that it is unfamiliar."""
    gaps = np.isnan(features)
    if not gaps.any():
        return None
    sums, counts = np.nansum(features, axis=0), (~gaps).sum(axis=0)
    return np.where(gaps.any(axis=0), sums / np.maximum(counts, 1), np.nan)


def filled(features: np.ndarray, filling: np.ndarray | None) -> np.ndarray:
    """Put ``filling`` where ``features`` is NaN."""
    return features if filling is None else np.where(np.isnan(features), filling, features)


def distance(constants: dict[str, np.ndarray], features: np.ndarray) -> np.ndarray:
    """Compute in numpy what the nodes of ``with_novelty`` compute, to check them."""
    features = filled(features, constants.get("novelty_filling"))
    rest, kept = np.zeros(len(features)), features
    if "novelty_basis" in constants:
        whole = features * constants["novelty_scale"] + constants["novelty_offset"]
        kept = features @ constants["novelty_basis"] + constants["novelty_start"]
        rest = (whole**2).sum(axis=1) - (kept**2).sum(axis=1)
    z = kept @ constants["novelty_whiten"] + constants["novelty_shift"]
    squares = (z**2).sum(axis=1, keepdims=True) + z @ constants["novelty_points"] + constants["novelty_squares"]
    result: np.ndarray = squares.min(axis=1) + rest
    return result


def distance_nodes(values: str, nearest: str) -> list[onnx.NodeProto]:
    """Return the nodes from ``values`` to the distance to the nearest mean, named ``nearest``."""
    return [
        helper.make_node("Gemm", [values, "novelty_whiten", "novelty_shift"], ["whitened"], "novelty_whitening"),
        helper.make_node("ReduceSumSquare", ["whitened", "novelty_axis"], ["length"], keepdims=1),
        helper.make_node("Gemm", ["whitened", "novelty_points", "novelty_squares"], ["towards"], "novelty_towards"),
        helper.make_node("Add", ["length", "towards"], ["distances"]),
        helper.make_node("ReduceMin", ["distances", "novelty_axis"], [nearest], keepdims=0),
    ]


def reduced_nodes(values: str) -> list[onnx.NodeProto]:
    """Return the nodes of the distance among the components, and of what they leave over."""
    return [
        helper.make_node("Gemm", [values, "novelty_basis", "novelty_start"], ["novelty_kept"], "novelty_keeping"),
        *distance_nodes("novelty_kept", "novelty_nearest"),
        helper.make_node("Mul", [values, "novelty_scale"], ["novelty_scaled"]),
        helper.make_node("Add", ["novelty_scaled", "novelty_offset"], ["novelty_whole"]),
        helper.make_node("ReduceSumSquare", ["novelty_whole", "novelty_axis"], ["whole_square"], keepdims=0),
        helper.make_node("ReduceSumSquare", ["novelty_kept", "novelty_axis"], ["kept_square"], keepdims=0),
        helper.make_node("Sub", ["whole_square", "kept_square"], ["novelty_rest"]),
        helper.make_node("Add", ["novelty_nearest", "novelty_rest"], [NOVELTY]),
    ]


def filling_nodes() -> list[onnx.NodeProto]:
    """Return the nodes that put the mean of training where a value is missing."""
    return [
        helper.make_node("IsNaN", [INNER], ["novelty_gaps"]),
        helper.make_node("Where", ["novelty_gaps", "novelty_filling", INNER], ["novelty_filled"]),
    ]


def with_novelty(model: onnx.ModelProto, constants: dict[str, np.ndarray] | None) -> onnx.ModelProto:
    """Add the output ``novelty`` (float32, one per record).

    With ``constants`` it is the mean squared Mahalanobis distance, about 1 for familiar records; without, one minus the
    highest probability (Hendrycks and Gimpel 2017), which needs no training data.
    """
    if constants is None:
        stored = [numpy_helper.from_array(np.array(1.0, np.float32), "one")]
        nodes = [
            helper.make_node("ReduceMax", [model.graph.output[0].name, "novelty_axis"], ["highest"], keepdims=0),
            helper.make_node("Sub", ["one", "highest"], [NOVELTY]),
        ]
    else:
        stored = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()]
        nodes, values = [], INNER
        if "novelty_filling" in constants:
            nodes, values = filling_nodes(), "novelty_filled"
        nodes += reduced_nodes(values) if "novelty_basis" in constants else distance_nodes(values, NOVELTY)
    stored.append(numpy_helper.from_array(np.array([1], np.int64), "novelty_axis"))
    model.graph.initializer.extend(stored)
    model.graph.node.extend(nodes)
    model.graph.output.append(helper.make_tensor_value_info(NOVELTY, TensorProto.FLOAT, ["batch"]))
    return model
