"""Seam *backend*: the library that fits the model, from rows of numbers to an ONNX graph.

``backend`` of ``conf/model/<name>.yaml`` chooses the module: one of this folder, or
``src/<package>/backends/<backend>.py``. A module fills the protocol ``Backend`` with functions of these names. What
stands under ``estimator`` in that file is the backend's own: each reads the keys that it needs.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from fullstack_ml.answers import Answer, answer_of
from fullstack_ml.artefact.graph import features_of
from fullstack_ml.inputs import input_of
from fullstack_ml.pipeline.config import Model
from fullstack_ml.pipeline.examples import Examples
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.seams import find_choice

if TYPE_CHECKING:
    import onnx

HELD_BACK = 0.1  # of the records, to stop by, where there is no validation split


@dataclass(frozen=True)
class Lesson:
    """What a model is fitted to.

    Attributes:
        rows: float32 (records, values), the numbers that the graph gets under the name ``features``, or what else the
            model ``takes`` of a record.
        truth: as ``answer.truth`` gives it: for a label (records,), its index; for several bool (records, labels).
        answer: ``answer.ESTIMATOR`` says what is wanted: ``classifier``, ``regressor`` or ``multilabel``.
        alike: whether all values are of one kind, as pixels are; then none should get a spread of its own.
        product: the contract, for names of features and labels.
        proof: rows and truth of the validation split, to stop by; None where no records are set aside, as with folds.
        rounds: how many iterations each model inside takes, where those of the folds have said it: then no records are
            held back to stop by. None: the model finds it out.
    """

    rows: np.ndarray
    truth: np.ndarray
    answer: Answer
    alike: bool
    product: Product | None = None
    proof: tuple[np.ndarray, np.ndarray] | None = None
    rounds: list[int] | None = None


def lesson_of(
    model: Model,
    known: Examples,
    product: Product,
    held_out: Examples | None = None,
    rounds: list[int] | None = None,
) -> Lesson:
    """Return what ``model`` of ``product`` is fitted to, with ``held_out`` to stop by, or after ``rounds``."""
    proof = None if held_out is None else (features_of(held_out.inputs, product, model.takes), held_out.truth)
    rows, alike = features_of(known.inputs, product, model.takes), input_of(product).ALIKE
    return Lesson(rows, known.truth, answer_of(product), alike, product, proof, rounds)


def installed(module: str, name: str, where: str, extra: str) -> Any:
    """Import a library that only an extra of the project brings; ``where``: what in conf/model/ asks for it.

    Raises:
        UserError: where the extra is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UserError(f"{name} is not installed", f"{where} in conf/model/", f"uv sync --extra {extra}") from error


def place(model: Model) -> str:
    """Name where the parameters of a model stand."""
    return f"model.estimator in conf/model/{model.name}.yaml"


def set_aside(lesson: Lesson, seed: int) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray] | None]:
    """Return records to learn and to stop by: the validation split, or a tenth; None where that leaves a label out, or
    where it is known when to stop."""
    from sklearn.model_selection import train_test_split  # slow to import

    rows, truth = lesson.rows, lesson.truth
    if lesson.proof is not None or lesson.rounds:
        return (rows, truth), lesson.proof
    strata = lesson.answer.strata(truth)
    counts = np.unique(strata, return_counts=True)[1]
    if counts.min() < 2 or len(truth) * HELD_BACK < len(counts):
        return (rows, truth), None
    parts = train_test_split(rows, truth, test_size=HELD_BACK, random_state=seed, stratify=strata)
    return (parts[0], parts[2]), (parts[1], parts[3])


def weights_of(model: Model, lesson: Lesson, truth: np.ndarray) -> np.ndarray | None:
    """Return a weight per record, so that all labels weigh alike, or None.

    Raises:
        UserError: for numbers, which have no labels.
    """
    from sklearn.utils.class_weight import compute_sample_weight

    if model.weights == "none":
        return None
    if lesson.answer.ESTIMATOR != "classifier":
        what, where = "a model of numbers cannot weigh labels", f"weights in conf/model/{model.name}.yaml"
        raise UserError(what, where, "set weights: none")
    weights: np.ndarray = compute_sample_weight("balanced", truth)
    return weights


class Backend(Protocol):
    """What a module of this seam defines.

    ``rows`` are float32 (records, values), the same numbers that the graph gets under the name ``features``.
    ``fitted`` is whatever ``fit`` returns; nobody but the backend looks into it. The first four may be left out.
    """

    @property
    def embeddings(self) -> Callable[[Any, np.ndarray], np.ndarray] | None:
        """What a network makes of rows before it answers, ``(fitted, rows)``: float32 (records, width).

        The graph then has that as a second output, ``embedding``, of which ``novelty: embedding`` tells what is
        strange.
        """

    @property
    def rounds(self) -> Callable[[Any], list[int]] | None:
        """How many iterations each model inside ``fitted`` took, where it stops by records held back.

        With folds all models take the median, so that the one that ships is as sure of its answers as those that test
        it.
        """

    def device(self, fitted: Any) -> str:
        """Return the name of what it was fitted on; the CPU where the module leaves this out."""

    def misfit(self, model: Model, product: Product) -> str | None:
        """Return why a model cannot learn the contract's input or answer; None where it can, or this is left out."""

    def fit(self, model: Model, seed: int, lesson: Lesson) -> Any:
        """Fit what ``model`` describes and return it.

        The same arguments give the same model: ``seed`` is the only source of chance.

        Args:
            model: the file of ``conf/model/``; ``model.estimator`` holds the backend's own keys. With ``model.weights``
                ``balanced`` every label weighs alike, however few records have it.
            seed: of ``conf/config.yaml``.
            lesson: records with their answers.

        Raises:
            UserError: for a key or a value that the library does not take.
        """

    def outputs(self, fitted: Any, rows: np.ndarray) -> np.ndarray:
        """Return what the fitted model says of ``rows``: float32 (records, ``answer.width``).

        For a label these are probabilities in the order of its labels. ``train`` compares them with the graph's.
        """

    def to_onnx(self, fitted: Any, width: int, answer_width: int, output: str) -> onnx.ModelProto:
        """Return the model as a graph.

        Args:
            fitted: what ``fit`` returned.
            width: values per row. The graph's input is ``features``, float32 (batch, width).
            answer_width: values per answer. The graph's first output is float32 (batch, answer_width).
            output: the name of that output. Names that begin with ``novelty`` are taken.

        Raises:
            UserError: if the model has no ONNX form.
        """

    def history(self, fitted: Any) -> dict[str, list[float]]:
        """Return what was measured while fitting, a list per curve such as ``loss``; empty where nothing was."""


# What stands in for what a module leaves out.
OPTIONAL: dict[str, Any] = {
    "embeddings": None,
    "rounds": None,
    "device": lambda fitted: "cpu",
    "misfit": lambda model, product: None,
}
# What a module has to define; find_choice() names what is missing.
NEEDED = tuple(name for name in vars(Backend) if not name.startswith("_") and name not in OPTIONAL)


def backend_of(model: Model) -> Backend:
    """Return the module that fits ``model``.

    Raises:
        UserError: if there is none, it cannot be imported, or it does not fill the seam.
    """
    where = f"backend in conf/model/{model.name}.yaml"
    chosen: Backend = find_choice("modeling.train.backends", model.backend, where)
    return chosen
