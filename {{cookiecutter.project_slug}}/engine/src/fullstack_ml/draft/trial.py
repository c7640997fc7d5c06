"""A quick model on a sample, and what the metrics of a contract say of it: the ground of a first threshold.

Reads and writes nothing. Every value is measured out of fold, by the functions that stage ``evaluate`` uses.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fullstack_ml.answers import answer_of
from fullstack_ml.answers.label.calibration import fit_beta
from fullstack_ml.answers.words import ACCEPT, Scored
from fullstack_ml.artefact.graph import features_of
from fullstack_ml.inputs import input_of
from fullstack_ml.modeling.measuring.measure import measured, records_table
from fullstack_ml.modeling.measuring.novelty import separation
from fullstack_ml.modeling.train.novelty import distance, mahalanobis
from fullstack_ml.product.metrics import Sums, metrics_of
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError

FOLDS, SEED, BINS = 5, 0, 10
SIDE = 16  # pixels of a thumbnail's side
MOST_NOVEL, FEWEST = 4_000, 20  # records by which the novelty score is tried


@dataclass(frozen=True)
class Trial:
    """``outputs`` are out of fold and calibrated, (records, labels); ``values`` holds a metric by name."""

    outputs: np.ndarray
    truth: np.ndarray
    values: dict[str, float]
    model: str


def quick_model(inputs: np.ndarray, product: Product, weights: str) -> tuple[Any, np.ndarray, str]:
    """Return an unfitted model, the values that it sees of each record, and its name; ``weights`` as in conf/model."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    weight = None if weights == "none" else weights
    if inputs.dtype == np.uint8:  # pictures, which a table never is
        rows = thumbnails(inputs)
        model = make_pipeline(StandardScaler(with_std=False), LogisticRegression(max_iter=200, class_weight=weight))
        return model, rows, f"logistic regression on thumbnails of {SIDE} x {SIDE}"
    size: dict[str, Any] = {"max_iter": 60, "max_leaf_nodes": 15, "early_stopping": False}
    trees = HistGradientBoostingClassifier(**size, class_weight=weight, random_state=SEED)
    return trees, features_of(inputs, product), "60 boosted trees"


def thumbnails(inputs: np.ndarray) -> np.ndarray:
    """Reduce pictures (records, height, width[, channels]) to grey values from 0 to 1, at most SIDE x SIDE of each."""
    grey = inputs.reshape(*inputs.shape[:3], -1).mean(axis=3) / 255.0
    rows, columns = (np.array_split(np.arange(size), min(SIDE, size)) for size in grey.shape[1:])
    small = np.stack([grey[:, part].mean(axis=1) for part in rows], axis=1)
    small = np.stack([small[:, :, part].mean(axis=2) for part in columns], axis=2)
    flat: np.ndarray = small.reshape(len(small), -1)
    return flat


def out_of_fold(
    inputs: np.ndarray, truth: np.ndarray, product: Product, weights: str = "none"
) -> tuple[np.ndarray, str]:
    """Return the probabilities of every record by models that have not seen it, and the model's name."""
    from sklearn.base import clone
    from sklearn.model_selection import StratifiedKFold

    model, rows, name = quick_model(inputs, product, weights)
    rarest, labels = int(np.bincount(truth).min()), int(truth.max()) + 1
    folds = min(FOLDS if len(truth) * labels < 50_000 else 3, max(2, rarest))
    cut = StratifiedKFold(folds, shuffle=True, random_state=SEED).split(rows, truth)
    outputs = np.zeros((len(truth), labels))
    for known, unseen in cut:
        fitted = clone(model).fit(rows[known], truth[known])
        outputs[np.ix_(unseen, fitted.classes_)] = fitted.predict_proba(rows[unseen])
    return outputs, name


def calibrated(outputs: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Scale the probabilities as stage export will, by temperature."""
    beta = fit_beta(outputs, truth)
    scaled = np.maximum(outputs, 1e-12) ** beta
    result: np.ndarray = scaled / scaled.sum(axis=1, keepdims=True)
    return result


def strangeness(inputs: np.ndarray, truth: np.ndarray, product: Product) -> tuple[np.ndarray, dict[str, float]]:
    """Return the novelty of the records of the second half, and how well it tells made-up strangers from them."""
    chosen = np.random.default_rng(SEED).permutation(len(inputs))[:MOST_NOVEL]
    known, unseen = np.array_split(chosen, 2)
    if len(unseen) < FEWEST:
        return np.zeros(1), {}
    alike = input_of(product).ALIKE
    constants = mahalanobis(features_of(inputs[known], product).astype(np.float64), truth[known], alike)
    familiar = distance(constants, features_of(inputs[unseen], product))
    kinds = input_of(product).strangers(inputs[unseen], product, SEED)
    strange = [distance(constants, features_of(made, product)) for made in kinds.values()]
    return familiar, separation(familiar, np.concatenate(strange))


def attempt(inputs: np.ndarray, truth: np.ndarray, outputs: np.ndarray, model: str, product: Product) -> Trial:
    """Measure, and try the rule that answers or abstains, fitted on one half and measured on the other.

    ``inputs`` is what the contract's input makes of the sample, ``truth`` its answers as indices, ``outputs`` what
    ``out_of_fold`` and ``calibrated`` make of both.
    """
    answer = answer_of(product)
    familiar, novelty = strangeness(inputs, truth, product)
    drawn = np.random.default_rng(SEED).choice(familiar, len(truth))
    half = np.random.default_rng(SEED + 1).permutation(len(truth)) < len(truth) // 2
    calibration = Scored(outputs[half], drawn[half])
    try:
        rule = answer.fit_rule(calibration, truth[half], product)
    except UserError:  # the sample is smaller than what the rule needs
        rule = answer.fit_rule(calibration, truth[half], without_abstaining(product))
    words = answer.decide(outputs[~half], drawn[~half], rule)
    facts = answer.training_facts(answer.summary(truth, product), product)
    metrics = metrics_of(product)
    whole = records_table(answer, outputs, truth, np.full(len(truth), ACCEPT, dtype=object), rule, product, BINS)
    decided = records_table(answer, outputs[~half], truth[~half], words, rule, product, BINS)
    found = measured({key: row for key, row in answer.METRICS.items() if key not in RULED}, Sums.of(whole, facts))
    found |= measured({key: metrics[key] for key in RULED if key in metrics}, Sums.of(decided, facts))
    values = {key: float(value[0]) for key, value in found.items()}
    values |= {f"novelty_{key}": value for key, value in novelty.items()}
    return Trial(outputs, truth, values, model)


RULED = ("set_coverage", "answered_share", "answered_error", "cost_per_record")


def without_abstaining(product: Product) -> Product:
    """Return the contract without a rule to abstain."""
    formulation = product.formulation.model_copy(update={"abstain": None})
    return product.model_copy(update={"formulation": formulation})
