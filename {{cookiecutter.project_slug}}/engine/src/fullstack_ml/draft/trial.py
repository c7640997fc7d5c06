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
from fullstack_ml.modeling.measuring.measure import measured
from fullstack_ml.modeling.measuring.novelty import separation
from fullstack_ml.modeling.measuring.seats import records_table
from fullstack_ml.modeling.train.novelty import distance, mahalanobis
from fullstack_ml.pages.words import words
from fullstack_ml.product.metrics import Sums, metrics_of
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError

FOLDS, SEED, BINS = 5, 0, 10
COMPONENTS = 64  # of values of one scale, as pixels are
NEWEST = 0.2  # share of the records by which the future is tried
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
    from sklearn.decomposition import PCA
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    weight, rows = None if weights == "none" else weights, features_of(inputs, product)
    if input_of(product).ALIKE:
        kept = min(COMPONENTS, *rows.shape)
        rows = PCA(kept, whiten=True, svd_solver="randomized", random_state=SEED).fit_transform(rows)
        model = LogisticRegression(C=0.1, max_iter=200, class_weight=weight)
        return model, rows, words("logistic regression on %(kept)s principal components", kept=kept)
    size: dict[str, Any] = {"max_iter": 60, "max_leaf_nodes": 15, "early_stopping": False}
    trees = HistGradientBoostingClassifier(**size, class_weight=weight, random_state=SEED)
    return trees, rows, words("60 boosted trees")


def out_of_fold(
    inputs: np.ndarray, truth: np.ndarray, product: Product, groups: list[str] | None = None, weights: str = "none"
) -> tuple[np.ndarray, str]:
    """Return the probabilities of every record by models that have not seen it, nor its group, and the model's name."""
    from sklearn.base import clone
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    model, rows, name = quick_model(inputs, product, weights)
    counts, labels = np.bincount(truth), len(product.formulation.label_names)
    rarest = int(counts[counts > 0].min())
    folds = min(FOLDS if len(truth) * labels < 50_000 else 3, max(2, rarest), len(set(groups)) if groups else FOLDS)
    kind = StratifiedGroupKFold if groups else StratifiedKFold
    cut = kind(folds, shuffle=True, random_state=SEED).split(rows, truth, groups)
    outputs = np.zeros((len(truth), labels))
    for known, unseen in cut:
        fitted = clone(model).fit(rows[known], truth[known])
        outputs[np.ix_(unseen, fitted.classes_)] = fitted.predict_proba(rows[unseen])
    return outputs, name


def before_newest(moments: np.ndarray) -> np.ndarray | None:
    """Say which records are older than the newest, by which the future is tried; None where either are too few."""
    older = moments < np.sort(moments)[int(len(moments) * (1 - NEWEST))]
    return None if older.sum() < FEWEST or (~older).sum() < FEWEST else np.asarray(older)


def ahead(inputs: np.ndarray, truth: np.ndarray, moments: np.ndarray, product: Product) -> float | None:
    """Return how often the model is right on the newest records, fitted on all before; None where it cannot be said."""
    model, rows, _ = quick_model(inputs, product, "none")
    older = before_newest(moments)
    if older is None or len(set(truth[older])) < 2:
        return None
    return float(model.fit(rows[older], truth[older]).score(rows[~older], truth[~older]))


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
    familiar, novelty = strangeness(inputs, answer.strata(truth), product)
    drawn = np.random.default_rng(SEED).choice(familiar, len(truth))
    half = np.random.default_rng(SEED + 1).permutation(len(truth)) < len(truth) // 2
    calibration = Scored(outputs[half], drawn[half])
    try:
        rule = answer.fit_rule(calibration, truth[half], product)
    except UserError:  # the sample is smaller than what the rule needs
        rule = answer.fit_rule(calibration, truth[half], without_abstaining(product))
    decisions = answer.decide(outputs[~half], drawn[~half], rule)
    facts = answer.training_facts(answer.summary(truth, product), product)
    metrics = metrics_of(product)
    whole = records_table(answer, outputs, truth, np.full(len(truth), ACCEPT, dtype=object), rule, product, BINS)
    decided = records_table(answer, outputs[~half], truth[~half], decisions, rule, product, BINS)
    found = measured({key: row for key, row in answer.METRICS.items() if key not in RULED}, Sums.of(whole, facts))
    found |= measured({key: metrics[key] for key in RULED if key in metrics}, Sums.of(decided, facts))
    values = {key: float(value[0]) for key, value in found.items()}
    values |= {f"novelty_{key}": value for key, value in novelty.items()}
    return Trial(outputs, truth, values, model)


RULED = ("set_coverage", "abstained_coverage", "answered_share", "answered_error", "cost_per_record")


def without_abstaining(product: Product) -> Product:
    """Return the contract without a rule to abstain."""
    formulation = product.formulation.model_copy(update={"abstain": None})
    return product.model_copy(update={"formulation": formulation})
