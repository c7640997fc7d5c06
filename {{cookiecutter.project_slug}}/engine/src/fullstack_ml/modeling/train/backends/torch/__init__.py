"""Backend ``torch``: a network of PyTorch, an extra of the project (``uv sync --extra torch``).

``estimator`` of ``conf/model/cnn.yaml`` and its like holds the keys of ``settings.Settings`` and those of the network
that ``network`` names (``networks``). Pictures are scaled and put into their shape inside the graph. Fitting ends by
the validation split; what it wrote on its way lets a killed one go on (``fitting``).
"""

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from fullstack_ml.inputs import input_of
from fullstack_ml.modeling.train.backends import Lesson, place
from fullstack_ml.modeling.train.backends.torch.settings import settings_of
from fullstack_ml.pipeline.config import Model
from fullstack_ml.workspace.errors import UserError


@dataclass(frozen=True)
class Fitted:
    """The fitted network on the CPU, which answers as the contract asks, and its curves."""

    answering: Any
    curves: dict[str, list[float]]


def module(name: str) -> Any:
    """Import a module of this folder that needs PyTorch.

    Raises:
        UserError: where the extra is not installed.
    """
    try:
        importlib.import_module("torch")
    except ModuleNotFoundError as error:
        where = "backend: torch in conf/model/"
        raise UserError("PyTorch is not installed", where, "uv sync --extra torch") from error
    return importlib.import_module(f"{__name__}.{name}")


def fit(model: Model, seed: int, lesson: Lesson) -> Fitted:
    """Fit the network until the loss of the validation split falls no more, or for ``epochs``."""
    networks, fitting = module("networks"), module("fitting")
    settings, options = settings_of(model, networks.NETWORKS, networks.GIVEN)
    shape = None if lesson.product is None else input_of(lesson.product).planes(lesson.product)
    if settings.network in networks.PICTURES and shape is None:
        what = f"the network {settings.network} takes pictures, and this input is none"
        raise UserError(what, place(model), "choose another model, such as mlp_torch")
    return Fitted(*fitting.fitted(model, settings, options, seed, lesson, shape))


def outputs(fitted: Fitted, rows: np.ndarray) -> np.ndarray:
    """Return probabilities, or the predicted number as (records, 1)."""
    return np.concatenate([*module("graph").scored(fitted.answering, rows)])


def embeddings(fitted: Fitted, rows: np.ndarray) -> np.ndarray:
    """Return what the body of the network makes of ``rows``, (records, width)."""
    return np.concatenate([*module("graph").scored(fitted.answering, rows, 1)])


def rounds(fitted: Fitted) -> list[int]:
    """Return the epoch that was the best; nothing where no records told."""
    losses = fitted.curves.get("validation_loss")
    return [int(np.argmin(losses)) + 1] if losses else []


def history(fitted: Fitted) -> dict[str, list[float]]:
    """Return the loss of the records learned from and of those to stop by, after every epoch."""
    return fitted.curves


def to_onnx(fitted: Fitted, width: int, answer_width: int, output: str) -> onnx.ModelProto:
    """Export by torch.export."""
    made: onnx.ModelProto = module("graph").exported(fitted.answering, width, output)
    return made
