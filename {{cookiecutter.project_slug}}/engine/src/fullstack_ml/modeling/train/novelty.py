"""Score how unlike the training data a record is; ``novelty_nodes`` puts the score into the model's ONNX graph.

Reads and writes nothing. ``conf/train.yaml`` chooses the score; larger is stranger. It looks at the input, not at the
model's confidence: a classifier that must answer is often surest about what it has never seen.
"""

import numpy as np

RARE = 0.22  # spread of a truth value that holds for one record in twenty
MOST = 64  # values whose whole covariance is kept, and components of more values
BANDS = (8, 24)  # between coarse, middle and fine components
HELD_OUT = 5  # one record of so many tells what the components leave of a record that they were not made from
FLOOR = 0.01  # of the usual energy: what is below it counts as nothing


def mahalanobis(features: np.ndarray, truth: np.ndarray, alike: bool = False) -> dict[str, np.ndarray]:
    """Return the constants of the squared Mahalanobis distance to the nearest label's mean.

    All labels share one covariance, shrunk (Lee et al. 2018, A Simple Unified Framework for Detecting
    Out-of-Distribution Samples; Ledoit and Wolf 2004 for the shrinkage). ``features`` is (records, values); where
    all values are ``alike``, as pixels are, they are not brought to one spread, or the rarest specks would count most.

    A covariance grows with the fourth power of a picture's side. Of more than ``MOST`` values only the first ``MOST``
    principal components are measured so; ``with_energies`` adds what they do not see.
    """
    truths, filling = are_truths(features) & (not alike), means_of_gaps(features)
    features = filled(features, filling)
    centre, spread = features.mean(axis=0), spread_of(features, truths, alike)
    scaled, found = (features - centre) / spread, {} if filling is None else {"novelty_filling": filling[None, :]}
    if features.shape[1] <= MOST:
        # A value that is rare, such as a category of one record in a thousand, is no stranger than one in twenty.
        rare = np.where(truths, 1.0 - scaled.var(axis=0), 0.0)
        whiten, points = nearest_mean(scaled, truth, np.diag(rare))
        return (
            found | points | {"novelty_whiten": whiten / spread[:, None], "novelty_shift": -(centre / spread) @ whiten}
        )
    held = np.random.default_rng(0).permutation(len(scaled)) % HELD_OUT == 0
    basis = components(scaled[~held])
    whiten, points = nearest_mean(scaled @ basis, truth, np.zeros(()))
    found |= points | {
        "novelty_whiten": whiten,
        "novelty_shift": np.zeros(len(whiten)),
        "novelty_scale": 1.0 / spread,
        "novelty_offset": -centre / spread,
        "novelty_basis": basis,
    }
    return with_energies(found, features[held])


def mahalanobis_of(embeddings: np.ndarray, truth: np.ndarray) -> dict[str, np.ndarray]:
    """Return the constants of that distance among what a network makes of records, (records, width).

    Of more than ``MOST`` values it is measured in their first principal components. What these leave does not count: a
    network keeps of a record what its answer needs, and has no other scale for it.
    """
    centre, spread = embeddings.mean(axis=0), embeddings.std(axis=0)
    spread[spread == 0] = 1.0  # of a unit that no record of training moves
    scaled = (embeddings - centre) / spread
    basis = components(scaled) if scaled.shape[1] > MOST else np.eye(scaled.shape[1])
    whiten, points = nearest_mean(scaled @ basis, truth, np.zeros(()))
    turned = basis / spread[:, None] @ whiten
    return points | {"novelty_whiten": turned, "novelty_shift": -centre @ turned}


def nearest_mean(parts: np.ndarray, truth: np.ndarray, rare: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return (values, values) that bring the labels' shared covariance to one, and the labels' means brought there.

    ``parts`` are centred in their place, so that a large table is held once less.
    """
    means = np.stack([parts[truth == label].mean(axis=0) for label in np.unique(truth)])
    parts -= means[np.unique(truth, return_inverse=True)[1]]
    whiten = whitening(parts, rare)
    points = means @ whiten
    return whiten, {"novelty_points": -2.0 * points.T, "novelty_squares": (points**2).sum(axis=1)}


def whitening(centred: np.ndarray, more: np.ndarray) -> np.ndarray:
    """Return what brings the covariance of ``centred`` plus ``more`` to one, over the number of values.

    So divided, the distance of a familiar record is about 1 for every product.
    """
    from sklearn.covariance import LedoitWolf  # slow to import, and only training needs it

    values, vectors = np.linalg.eigh(LedoitWolf(assume_centered=True).fit(centred).covariance_ + more)
    result: np.ndarray = vectors / np.sqrt(np.maximum(values, 1e-9) * len(values))
    return result


def with_energies(found: dict[str, np.ndarray], features: np.ndarray) -> dict[str, np.ndarray]:
    """Add the constants of ``distances``, from ``features`` of records that the components were not made from.

    A blank or blurred picture lies near the mean, and the components leave less of it than of any record. So the
    logarithms of a record's energies have a distance of their own, to which too little is as strange as too much.
    """
    count = found["novelty_basis"].shape[1]
    bands = np.searchsorted(BANDS, np.arange(count), "right")
    found |= {"novelty_bands": (bands[:, None] == np.unique(bands)).astype(np.float64)}
    usual = energies(found, features)
    middle = np.maximum(np.median(usual, axis=0), 1e-9)
    middle[-3] = max(middle[-3], FLOOR * middle[:-2].sum())  # of next to nothing that is left, twice as much is nothing
    found |= {"novelty_usual": 1.0 / middle, "novelty_floor": np.array(FLOOR)}
    logs = np.log(usual * found["novelty_usual"] + FLOOR)
    whiten = whitening(logs - logs.mean(axis=0), (FLOOR + 1 / len(logs)) * np.eye(logs.shape[1]))
    found |= {"novelty_turn": whiten, "novelty_middle": -logs.mean(axis=0) @ whiten}
    large = np.quantile(distances(found, features), 0.9, axis=0)
    large = np.maximum(large, (1e-9, 1e-9, 1.0))  # few records lie near their own mean, which says nothing of others
    found |= {"novelty_weights": 1.0 / large}
    found["novelty_weights"] /= distance(found, features).mean()
    return found


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


def components_of(constants: dict[str, np.ndarray], features: np.ndarray) -> np.ndarray:
    """Return what a record has of each component, (records, components)."""
    whole = features * constants["novelty_scale"] + constants["novelty_offset"]
    return np.asarray(whole @ constants["novelty_basis"])


def energies(constants: dict[str, np.ndarray], features: np.ndarray) -> np.ndarray:
    """Return (records, 4 to 6): the squares of each band of components, of what they leave, and of how values change.

    The values of a picture lie row by row, so the differences from one to the next, and the differences of those, say
    how sharp it is.
    """
    scaled = features * constants["novelty_scale"]
    kept = components_of(constants, features)
    # Of what is left, and not the whole's squares less theirs: of that difference a float32 keeps nothing.
    rest = ((scaled + constants["novelty_offset"] - kept @ constants["novelty_basis"].T) ** 2).sum(axis=1)
    changes = [(np.diff(scaled, order) ** 2).sum(axis=1) for order in (1, 2)]
    return np.column_stack([kept**2 @ constants["novelty_bands"], rest, *changes])


def nearest(constants: dict[str, np.ndarray], values: np.ndarray) -> np.ndarray:
    """Return the squared distance to the nearest label's mean, (records,)."""
    z = values @ constants["novelty_whiten"] + constants["novelty_shift"]
    squares = (z**2).sum(axis=1, keepdims=True) + z @ constants["novelty_points"] + constants["novelty_squares"]
    result: np.ndarray = squares.min(axis=1)
    return result


def distances(constants: dict[str, np.ndarray], features: np.ndarray) -> np.ndarray:
    """Return (records, 3): the distance among the components, what they leave, the distance of the energies."""
    shares = np.maximum(energies(constants, features) * constants["novelty_usual"], 0.0)
    logs = np.log(shares + FLOOR)
    unusual = ((logs @ constants["novelty_turn"] + constants["novelty_middle"]) ** 2).sum(axis=1)
    kept = components_of(constants, features)
    return np.column_stack([nearest(constants, kept), shares[:, -3], unusual])


def distance(constants: dict[str, np.ndarray], features: np.ndarray) -> np.ndarray:
    """Compute in numpy the score, (records,); the graph is checked against it."""
    features = filled(features, constants.get("novelty_filling"))
    if "novelty_basis" not in constants:
        return nearest(constants, features)
    # The norm of the fourth power is about the largest of the three, and NaN where one is.
    result: np.ndarray = ((distances(constants, features) * constants["novelty_weights"]) ** 4).sum(axis=1) ** 0.25
    return result
