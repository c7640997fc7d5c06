"""Stage ``train``: fit the model that ``conf/model/`` names and leave it as ONNX, checked against what was fitted.

Reads the train and validation splits, or the folds; writes ``models/candidate.onnx``, a model for each fold in
``models/folds``, ``reports/training.json`` and ``reports/plots/history.csv``.
Run: ``python -m fullstack_ml.modeling.train model=logistic``.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fullstack_ml.answers import Answer, answer_of
from fullstack_ml.artefact.graph import EMBEDDING, INNER, features_of, save, taking
from fullstack_ml.artefact.session import Artefact
from fullstack_ml.inputs import input_of
from fullstack_ml.modeling.train.backends import Backend, backend_of, lesson_of
from fullstack_ml.modeling.train.compatible import check_compatible
from fullstack_ml.modeling.train.folds import Curves, rest_of, usual_rounds
from fullstack_ml.modeling.train.novelty import distance, mahalanobis, mahalanobis_of
from fullstack_ml.modeling.train.novelty_nodes import with_novelty
from fullstack_ml.modeling.train.over_time import cost_of_time, is_later
from fullstack_ml.modeling.train.shortcuts import check
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.examples import Examples, joined, moments_of, read, read_folds
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError, suggest
from fullstack_ml.workspace.files import write_json, write_text
from fullstack_ml.workspace.paths import CANDIDATE, FOLDS, PLOTS, TRAINING
from fullstack_ml.workspace.sentences import in_english

VALUES = 2**25  # of the records that the novelty score is fitted on; a quarter of them is held against the graph
NOVELTIES = ("mahalanobis", "embedding", "confidence")
Look = Callable[[np.ndarray], np.ndarray]  # what a novelty score looks at of rows


def check_parity(answer: Answer, expected: np.ndarray, actual: np.ndarray, tolerance: float) -> float:
    """Return the largest difference of an output; raise when it is over ``tolerance`` or an answer differs.

    Of outputs above 1, which no probability is, it is the share of the largest: a float32 has seven digits.
    """
    difference = float(np.abs(expected - actual).max() / max(1.0, np.abs(expected).max(initial=0.0)))
    changed = int((~answer.same(expected, actual)).sum())
    if not difference <= tolerance or changed:
        what = f"ONNX differs from the fitted model by {difference:.2g} (allowed {tolerance:g})"
        what += f"; {changed} answers change"
        raise UserError(what, str(CANDIDATE), "choose a model that converts exactly, see docs/3-model")
    return difference


def looks_at(name: str, backend: Any, fitted: Any) -> Look:
    """Return what the novelty score ``name`` looks at of rows: themselves, or what the network makes of them."""
    return partial(backend.embeddings, fitted) if name == EMBEDDING else lambda rows: rows


def seen_by_novelty(config: Config, product: Product) -> Callable[[np.ndarray, Examples], np.ndarray]:
    """Return what gives a novelty score its rows: those of the model, or ``features`` where it is told by these and the
    model takes something else."""
    own = config.model.takes == INNER or config.train.novelty != "mahalanobis"
    return lambda rows, part: rows if own else features_of(part.inputs, product)


def novelty_constants(
    name: str, rows: np.ndarray, strata: np.ndarray, alike: bool, look: Look | None = None
) -> dict[str, np.ndarray] | None:
    """Fit the novelty score that ``conf/train.yaml`` names; ``confidence`` has nothing to fit.

    ``look``: what ``looks_at`` returns, which ``embedding`` needs.
    """
    if name not in NOVELTIES:
        raise UserError(f"there is no novelty score {name!r}", "conf/train.yaml", suggest(name, NOVELTIES))
    if name == "confidence":
        return None
    # Some, with one of every label: of many records with many values all would not fit into memory.
    if rows.size > VALUES:
        drawn = np.random.default_rng(0).permutation(len(rows))[: max(1, VALUES // rows.shape[1])]
        drawn = np.union1d(drawn, np.unique(strata, return_index=True)[1])
        rows, strata = rows[drawn], strata[drawn]
    if name == EMBEDDING and look is not None:
        return mahalanobis_of(look(rows).astype(np.float64), strata)
    return mahalanobis(rows.astype(np.float64), strata, alike)


def check_score(name: str, answer: Answer, backend: Backend) -> None:
    """Raise where the novelty score asks a model what it cannot say: how sure it is of a label, or an embedding."""
    if name == EMBEDDING and backend.embeddings is None:
        what = "the model of conf/config.yaml has no embedding, by which a novelty score could go"
        fix = "set novelty: mahalanobis, or choose a network, such as cnn"
        raise UserError(what, "novelty in conf/train.yaml", fix)
    if name == "confidence" and answer.ESTIMATOR != "classifier":
        kind = {"regressor": "numbers", "multilabel": "several labels"}.get(answer.ESTIMATOR, answer.ESTIMATOR)
        what = f"a model of {kind} gives no probability of an answer, by which confidence could tell what is strange"
        raise UserError(what, "novelty in conf/train.yaml", "set novelty: mahalanobis")


def check_novelty(expected: np.ndarray, actual: np.ndarray) -> None:
    """Raise when the graph's novelty is not the one that was fitted; float32 leaves a relative error of 1e-3."""
    if not np.allclose(expected, actual, rtol=1e-3, atol=1e-3, equal_nan=True):
        worst = float(np.nanmax(np.abs(expected - actual)))
        fix = "use novelty: confidence in conf/train.yaml; for a number, take out features that follow from others"
        raise UserError(f"novelty in ONNX differs by {worst:.2g}", str(CANDIDATE), fix)


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


@dataclass(frozen=True)
class Made:
    """What was saved: its outputs of the held-out records, their largest difference in ONNX, the curves of fitting, and
    the device on which it was fitted."""

    outputs: np.ndarray
    difference: float
    curves: Curves
    device: str


def make(
    config: Config,
    product: Product,
    known: Examples,
    held_out: Examples,
    path: Path,
    proof: Examples | None = None,
    rounds: list[int] | None = None,
) -> Made:
    """Fit on ``known``, stop by ``proof`` or after ``rounds``, convert, save, and check the parity on every record of
    ``held_out``."""
    check_compatible(config.model, product)
    answer, backend, record = answer_of(product), backend_of(config.model), input_of(product)
    check_answers(answer.summary(known.truth, product), product)
    check_features(known.inputs, product)
    check_score(config.train.novelty, answer, backend)
    lesson = lesson_of(config.model, known, product, proof, rounds)
    unseen = features_of(held_out.inputs, product, config.model.takes)
    rows, fitted = lesson.rows, backend.fit(config.model, config.seed, lesson)
    look, seen = looks_at(config.train.novelty, backend, fitted), seen_by_novelty(config, product)
    strata = answer.strata(known.truth)
    constants = novelty_constants(config.train.novelty, seen(rows, known), strata, record.ALIKE, look)
    expected = backend.outputs(fitted, unseen)
    model = backend.to_onnx(fitted, rows.shape[1], expected.shape[1], answer.OUTPUT)
    values = EMBEDDING if config.train.novelty == EMBEDDING else INNER
    save(record.front(with_novelty(taking(model, config.model.takes), constants, values), product), path)
    scored = Artefact(path).score(held_out.inputs)
    difference = check_parity(answer, expected, scored.outputs, config.train.parity)
    if constants is not None:
        unseen = seen(unseen, held_out)
        few = slice(max(1, VALUES // 4 // unseen.shape[1]))
        check_novelty(distance(constants, look(unseen[few])), scored.novelty[few])
    device = backend.device(fitted)
    return Made(expected, difference, backend.history(fitted), device)


def show(report: dict[str, Any], headline: str) -> None:
    """Print what the model reached, and what warns of a shortcut."""
    held = f"out of {report['folds']} folds" if report["folds"] else "validation"
    reached = f"{held} {headline} {report['validation'][headline]:.3f}, parity {report['parity']:.1g}"
    print(f"train: {report['model']} on {report['records']} records, {reached}")
    if over := report["over_time"]:
        same, later = f"{over['same_time']:.3f} on records of its own time", f"{over['later']:.3f} on later ones"
        print(f"train: {over['metric']} {same}, {later}")
    for found in report["shortcuts"].values():
        if found["warning"]:
            print(f"warning: {in_english(found['warning'])}")


def run(config: Config) -> None:
    """Make the model, and of small data one for each fold, which tests it; report."""
    product = load()
    answer, parts = answer_of(product), read_folds(product)
    known, held_out = (joined(parts),) * 2 if parts else (read("train", product), read("validation", product))
    rounds, curves = usual_rounds(config, product, parts)
    made = make(config, product, known, held_out, CANDIDATE, None if parts else held_out, rounds)
    shutil.rmtree(FOLDS, ignore_errors=True)
    write_json(FOLDS / "folds.json", len(parts))  # DVC warns at every stage of an empty folder
    by_fold = [
        make(config, product, rest_of(parts, i), part, FOLDS / f"{i}.onnx", rounds=rounds)
        for i, part in enumerate(parts)
    ]
    unseen = np.concatenate([one.outputs for one in by_fold]) if parts else made.outputs
    curves = curves or made.curves
    moments = moments_of(known.frame) if not parts and is_later(known.frame, held_out.frame) else None
    summary, scores = answer.summary(known.truth, product, moments), answer.headline(unseen, held_out.truth)
    report: dict[str, Any] = {
        "model": config.model.name,
        "seed": config.seed,
        "device": made.device,
        "records": len(known.truth),
        "folds": len(parts),
        "answers": summary,
        "parity": max(one.difference for one in (made, *by_fold)),
        "validation": scores,
        "over_time": None if parts else cost_of_time(config, product, known, held_out),
        "shortcuts": check(known.frame, answer.strata(known.truth)),
        "history": curves,
    }
    write_json(TRAINING, report)
    write_text(PLOTS / "history.csv", as_csv(curves))
    show(report, answer.HEADLINE[0])


if __name__ == "__main__":
    stage(run)
