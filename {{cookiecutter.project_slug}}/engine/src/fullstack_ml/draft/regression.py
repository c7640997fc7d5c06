"""The contract of an answer that is a number: tried with a quick model, and asked for what it reached, less some room.

Reads and writes nothing. Every value is measured out of fold, by the functions that stage ``evaluate`` uses.
"""

from typing import Any

import numpy as np
import polars as pl

from fullstack_ml.answers import answer_of
from fullstack_ml.answers.calibrating import conformal_quantile
from fullstack_ml.answers.number.contract import options_of
from fullstack_ml.answers.number.rule import coverage_of
from fullstack_ml.artefact.graph import features_of
from fullstack_ml.draft.asked import Asked
from fullstack_ml.draft.numbers import least_of, rounded
from fullstack_ml.draft.requirements import Size, answered, novelty, of_size
from fullstack_ml.draft.trial import FOLDS, NEWEST, SEED, Trial, attempt, before_newest
from fullstack_ml.pages.words import words
from fullstack_ml.product.types import Product

RIGHT = 0.8  # share of the quick model's answers that a first tolerance calls right
WRONG = 3  # looks that a wrong answer costs at first: as most are right, answering is cheaper than asking
ENOUGH = 100  # calibration records, from which on intervals follow the errors along the range
DEVIATIONS = 2.5  # of a mean error that a test split may be worse by chance


def quick_trees() -> Any:
    """Return the quick model, unfitted."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(max_iter=60, max_leaf_nodes=15, early_stopping=False, random_state=SEED)


def out_of_fold(inputs: np.ndarray, truth: np.ndarray, product: Product, groups: list[str] | None) -> np.ndarray:
    """Return the number that a model gives for every record which it has not seen, nor its group, (records,)."""
    from sklearn.model_selection import GroupKFold, KFold, cross_val_predict

    cut = GroupKFold(min(FOLDS, len(set(groups)))) if groups else KFold(FOLDS, shuffle=True, random_state=SEED)
    return np.asarray(cross_val_predict(quick_trees(), features_of(inputs, product), truth, cv=cut, groups=groups))


def with_interval(value: np.ndarray, truth: np.ndarray, product: Product, coverage: float) -> np.ndarray:
    """Return outputs as the artefact will give them, float32 (records, 3), all intervals of one width."""
    half, given = conformal_quantile(np.abs(value - truth), coverage), options_of(product)
    outputs = np.stack([value, value - half, value + half], axis=1)
    return np.asarray(np.clip(outputs, given.low, given.high), np.float32)


def tried(records: pl.DataFrame, inputs: np.ndarray, product: Product, groups: list[str] | None) -> tuple[Trial, float]:
    """Return the trial of a quick model, and the tolerance that most of its answers keep."""
    truth = answer_of(product).truth(records["label"].to_list(), product)
    value = out_of_fold(inputs, truth, product, groups)
    tolerance = rounded(float(np.quantile(np.abs(value - truth), RIGHT)), up=True) or 1.0
    outputs = with_interval(value, truth, product, coverage_of(product, len(truth)))
    return attempt(inputs, truth, outputs, words("60 boosted trees"), with_tolerance(product, tolerance)), tolerance


def in_the_future(records: pl.DataFrame, inputs: np.ndarray, product: Product, trial: Trial) -> list[str]:
    """Say how far off the quick model is on the newest records, beside how far it is off across all times."""
    older = before_newest(records["happened_at"].to_numpy())
    if older is None:
        return []
    rows, truth = features_of(inputs, product), trial.truth
    value = quick_trees().fit(rows[older], truth[older]).predict(rows[~older])
    newest = float(np.abs(value - truth[~older]).mean())
    text = (
        "fitted on the older records, the quick model is off by %(newest)s on the newest %(share)s; "
        "across all times by %(across)s"
    )
    return [words(text, newest=f"{newest:.4g}", share=f"{NEWEST:.0%}", across=f"{trial.values['mae']:.4g}")]


def with_tolerance(product: Product, tolerance: float) -> Product:
    """Return the contract with another tolerance."""
    given = product.formulation.answer
    options = given.options | {"tolerance": tolerance}
    formulation = product.formulation.model_copy(update={"answer": given.model_copy(update={"options": options})})
    return product.model_copy(update={"formulation": formulation})


def unmeasured(reason: str) -> Asked:
    """Return what may be asked before a model can be tried."""
    asked = Asked()
    asked.ask("r2", ">=", 0.1, "share", words("a guess, since %(reason)s", reason=reason))
    return asked


def thresholds(
    size: Size, trial: Trial, slices: dict[str, np.ndarray], abstains: float | None, kib: int, milliseconds: int
) -> Asked:
    """Return the requirements; ``abstains`` is the coverage that the contract promises, or None."""
    asked, values, tested = Asked(), trial.values, size.records * size.test
    error = np.abs(trial.outputs[:, 0] - trial.truth)
    baseline = float(np.abs(trial.truth - trial.truth.mean()).mean())
    text = "the quick model is off by %(error)s, the mean alone by %(baseline)s"
    reached = words(text, error=f"{values['mae']:.4g}", baseline=f"{baseline:.4g}")
    # Between the mean and the model, also where there is hardly a difference: then the model is rejected, rightly.
    highest = baseline - max(0.02 * baseline, (baseline - values["mae"]) / 2)
    limit = rounded(min(highest, above(values["mae"], error, tested)), up=False, digits=3)
    asked.ask("mae", "<=", limit, "units", reached)
    learned = words("the quick model explains %(share)s of the variance", share=f"{values['r2']:.2f}")
    asked.ask("r2", ">=", round(max(0.02, values["r2"] / 2), 2), "share", learned)
    asked.at_least("within_tolerance", values["within_tolerance"], tested)
    by_part(asked, error, slices, tested)
    held = least_of(size.records, size.calibration)
    if abstains:
        asked.at_least("interval_coverage", abstains, min(tested, held))
    wide = rounded(1.4 * values["interval_width"], up=True)
    why = words("the quick model's are %(width)s wide", width=f"{values['interval_width']:.4g}")
    asked.ask("interval_width", "<=", wide, "units", why)
    of_size(asked, size, (kib, milliseconds))
    if abstains:
        answered(asked, values, min(tested, held), 1 - values["within_tolerance"])
    else:
        asked.leave("interval_coverage, answered_share, answered_error", words("there is no rule to abstain yet"))
    novelty(asked, values, tested)
    return asked


def above(mean: float, error: np.ndarray, records: float) -> float:
    """Return how large a mean error of so many records may be by chance, and 5 % for a model that differs a little."""
    return float(1.05 * mean + DEVIATIONS * error.std() / np.sqrt(max(records, 1)))


def by_part(asked: Asked, error: np.ndarray, slices: dict[str, np.ndarray], tested: float) -> None:
    """Ask that no slice is served much worse."""
    if not slices:
        asked.leave("worst_slice_mae, group_gap", words("there are no slices"))
        return
    parts = [
        (float(error[mask].mean()), above(0.0, error[mask], tested * float(mask.mean()))) for mask in slices.values()
    ]
    worst, chance = max(parts)
    gap = worst - min(parts)[0]
    limits = {"worst_slice_mae": 1.1 * worst + chance, "group_gap": gap + 0.1 * worst + 2 * chance}
    for (name, limit), seen in zip(limits.items(), (worst, gap), strict=True):
        why = words("the quick model had %(value)s", value=f"{seen:.4g}")
        asked.ask(name, "<=", rounded(limit, up=True), "units", why)
