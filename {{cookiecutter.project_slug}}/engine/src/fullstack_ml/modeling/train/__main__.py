"""Stage ``train``: fit the model that ``conf/model/`` names and leave it as ONNX, checked against what was fitted.

Reads the train and validation splits; writes ``models/candidate.onnx``, ``reports/training.json`` and
``reports/plots/history.csv``. Run: ``python -m fullstack_ml.modeling.train model=logistic``.
"""

from typing import Any

import numpy as np

from fullstack_ml.answers import Answer, answer_of
from fullstack_ml.artefact.graph import features_of, save
from fullstack_ml.artefact.session import Artefact
from fullstack_ml.inputs import input_of
from fullstack_ml.modeling.train.backends import backend_of
from fullstack_ml.modeling.train.novelty import distance, mahalanobis
from fullstack_ml.modeling.train.novelty_nodes import with_novelty
from fullstack_ml.modeling.train.shortcuts import check
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.examples import read
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError, suggest
from fullstack_ml.workspace.files import write_json, write_text
from fullstack_ml.workspace.paths import CANDIDATE, PLOTS, TRAINING

NOVELTIES = ("mahalanobis", "confidence")


def check_parity(answer: Answer, expected: np.ndarray, actual: np.ndarray, tolerance: float) -> float:
    """Return the largest difference of an output; raise when it is over ``tolerance`` or an answer differs."""
    difference = float(np.abs(expected - actual).max())
    changed = int((~answer.same(expected, actual)).sum())
    if not difference <= tolerance or changed:
        what = f"ONNX differs from the fitted model by {difference:.2g} (allowed {tolerance:g})"
        what += f"; {changed} answers change"
        raise UserError(what, str(CANDIDATE), "choose a model that converts exactly, see docs/3-model")
    return difference


def novelty_constants(name: str, rows: np.ndarray, strata: np.ndarray, alike: bool) -> dict[str, np.ndarray] | None:
    """Fit the novelty score that ``conf/train.yaml`` names; ``confidence`` has nothing to fit."""
    if name not in NOVELTIES:
        raise UserError(f"there is no novelty score {name!r}", "conf/train.yaml", suggest(name, NOVELTIES))
    if name == "confidence":
        return None
    return mahalanobis(rows.astype(np.float64), strata, alike)


def check_novelty(expected: np.ndarray, actual: np.ndarray) -> None:
    """Raise when the graph's novelty is not the one that was fitted; float32 leaves a relative error of 1e-3."""
    if not np.allclose(expected, actual, rtol=1e-3, atol=1e-3, equal_nan=True):
        worst = float(np.nanmax(np.abs(expected - actual)))
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


def check_features(inputs: np.ndarray, product: Product) -> None:
    """Raise when a feature is missing in every training record: there is nothing to learn from it."""
    features = product.formulation.input.features
    empty = (
        [f.name for f, column in zip(features, inputs.T, strict=False) if np.isnan(column).all()] if features else []
    )
    if empty:
        fix = "collect it, or take the feature out of product.yaml"
        raise UserError(f"no training record has the feature(s) {', '.join(empty)}", "data/splits/train.parquet", fix)


def run(config: Config) -> None:
    """Fit, convert, check the parity on every validation record, report."""
    product = load()
    answer, known, held_out = answer_of(product), read("train", product), read("validation", product)
    summary = answer.summary(known.truth, product)
    check_answers(summary, product)
    check_features(known.inputs, product)
    rows, unseen = features_of(known.inputs, product), features_of(held_out.inputs, product)
    backend, record = backend_of(config.model), input_of(product)
    fitted = backend.fit(config.model, config.seed, rows, known.truth, answer, record.ALIKE)
    constants = novelty_constants(config.train.novelty, rows, answer.strata(known.truth), record.ALIKE)
    model = backend.to_onnx(fitted, rows.shape[1], answer.width(product), answer.OUTPUT)
    save(record.front(with_novelty(model, constants), product), CANDIDATE)
    expected = backend.outputs(fitted, unseen)
    scored = Artefact(CANDIDATE).score(held_out.inputs)
    difference = check_parity(answer, expected, scored.outputs, config.train.parity)
    if constants is not None:
        check_novelty(distance(constants, unseen), scored.novelty)
    curves = backend.history(fitted)
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
