"""Stage ``train``: fit the model that ``conf/model/`` names and leave it as ONNX, checked against scikit-learn.

Reads the train and validation splits; writes ``models/candidate.onnx``, ``reports/training.json`` and
``reports/plots/history.csv``. Run: ``python -m fullstack_ml.modeling.train model=logistic``.
"""

import warnings
from typing import Any

import numpy as np

from fullstack_ml.answers import Answer, answer_of
from fullstack_ml.artefact.graph import convert, save
from fullstack_ml.artefact.session import Artefact
from fullstack_ml.inputs import input_of
from fullstack_ml.modeling.train.novelty import distance, mahalanobis, with_novelty
from fullstack_ml.modeling.train.shortcuts import check
from fullstack_ml.pipeline.config import Config, Model
from fullstack_ml.pipeline.examples import Examples, read
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError, suggest
from fullstack_ml.workspace.files import write_json, write_text
from fullstack_ml.workspace.paths import CANDIDATE, PLOTS, TRAINING

NOVELTIES = ("mahalanobis", "confidence")


def flat(inputs: np.ndarray) -> np.ndarray:
    """Give scikit-learn what the graph gives its model: float32 of shape (records, values), grey values as 0 to 1."""
    values = inputs.reshape(len(inputs), -1).astype(np.float32)
    return values / np.float32(255) if alike(inputs) else values


def alike(inputs: np.ndarray) -> bool:
    """Tell whether all values are of one kind, as pixels are; the columns of a table each have a unit of their own."""
    return inputs.dtype == np.uint8


def fit(model: Model, seed: int, inputs: np.ndarray, truth: np.ndarray) -> Any:
    """Fit the pipeline of ``model``; a value that scikit-learn refuses is the user's mistake."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.utils._param_validation import InvalidParameterError

    from fullstack_ml.modeling.train.estimator import build

    pipeline = build(model, seed, alike(inputs))
    where = f"model.estimator in conf/model/{model.name}.yaml"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # max_iter is a choice of conf/model
            pipeline.fit(flat(inputs), truth)
    except InvalidParameterError as error:
        raise UserError(str(error), where, "give a value that scikit-learn allows") from error
    if not hasattr(pipeline, "predict_proba"):
        raise UserError(f"{type(pipeline[-1]).__name__} gives no probabilities", where, "choose an estimator that does")
    return pipeline


def history(pipeline: Any) -> dict[str, list[float]]:
    """Return what the estimator measured per iteration while it was fitted; empty where it measures nothing."""
    curves = {"loss": "loss_curve_", "train_score": "train_score_", "validation_score": "validation_score_"}
    found = {name: getattr(pipeline[-1], attribute, None) for name, attribute in curves.items()}
    return {name: [float(v) for v in values] for name, values in found.items() if values is not None and len(values)}


def check_parity(answer: Answer, expected: np.ndarray, actual: np.ndarray, tolerance: float) -> float:
    """Return the largest difference of an output; raise when it is over ``tolerance`` or an answer differs."""
    difference = float(np.abs(expected - actual).max())
    changed = int((~answer.same(expected, actual)).sum())
    if not difference <= tolerance or changed:
        what = f"ONNX differs from scikit-learn by {difference:.2g} (allowed {tolerance:g}); {changed} answers change"
        raise UserError(what, str(CANDIDATE), "choose an estimator that skl2onnx converts exactly, see docs/3-model")
    return difference


def novelty_constants(name: str, known: Examples, strata: np.ndarray) -> dict[str, np.ndarray] | None:
    """Fit the novelty score that ``conf/train.yaml`` names; ``confidence`` has nothing to fit."""
    if name not in NOVELTIES:
        raise UserError(f"there is no novelty score {name!r}", "conf/train.yaml", suggest(name, NOVELTIES))
    if name == "confidence":
        return None
    return mahalanobis(flat(known.inputs).astype(np.float64), strata, alike(known.inputs))


def check_novelty(expected: np.ndarray, actual: np.ndarray) -> None:
    """Raise when the graph's novelty is not the one that was fitted; float32 leaves a relative error of 1e-3."""
    if not np.allclose(expected, actual, rtol=1e-3, atol=1e-3):
        worst = float(np.abs(expected - actual).max())
        raise UserError(
            f"novelty in ONNX differs by {worst:.2g}", str(CANDIDATE), "use novelty: confidence in conf/train.yaml"
        )


def as_csv(curves: dict[str, list[float]]) -> str:
    """Write curves of one length as a table with a ``step`` column, for ``dvc plots``."""
    rows = [",".join(map(str, row)) for row in zip(range(10**9), *curves.values(), strict=False)] if curves else []
    return "\n".join([",".join(["step", *curves]), *rows]) + "\n"


def check_answers(summary: dict[str, Any], product: Product) -> None:
    """Raise when an answer of product.yaml has no training record: the model could never give it."""
    missing = answer_of(product).missing(summary, product)
    if missing:
        fix = "collect or label some, or take the label out of product.yaml"
        raise UserError(f"no training record has the label(s) {', '.join(missing)}", "data/splits/train.parquet", fix)


def run(config: Config) -> None:
    """Fit, convert, check the parity on every validation record, report."""
    product = load()
    answer, known, held_out = answer_of(product), read("train", product), read("validation", product)
    summary = answer.summary(known.truth, product)
    check_answers(summary, product)
    pipeline = fit(config.model, config.seed, known.inputs, known.truth)
    constants = novelty_constants(config.train.novelty, known, answer.strata(known.truth))
    model = convert(pipeline, flat(known.inputs[:1]).shape[1], answer.width(product))
    save(input_of(product).front(with_novelty(model, constants), product), CANDIDATE)
    expected = pipeline.predict_proba(flat(held_out.inputs))
    scored = Artefact(CANDIDATE).score(held_out.inputs)
    difference = check_parity(answer, expected, scored.outputs, config.train.parity)
    if constants is not None:
        check_novelty(distance(constants, flat(held_out.inputs)), scored.novelty)
    curves = history(pipeline)
    scores = answer.headline(expected, held_out.truth)
    report: dict[str, Any] = {
        "model": config.model.name,
        "seed": config.seed,
        "records": len(known.truth),
        "answers": summary,
        "parity": difference,
        "validation": scores,
        "shortcuts": check(known.frame, answer.strata(known.truth)),
        "history": curves,
    }
    write_json(TRAINING, report)
    write_text(PLOTS / "history.csv", as_csv(curves))
    reached = f"validation {answer.HEADLINE[0]} {scores[answer.HEADLINE[0]]:.3f}, parity {difference:.1g}"
    print(f"train: {config.model.name} on {len(known.truth)} records, {reached}")
    for found in report["shortcuts"].values():
        if found["warning"]:
            print(f"warning: {found['warning']}")


if __name__ == "__main__":
    stage(run)
