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

from fullstack_ml.inputs import FEATURES, LETTERS, input_of
from fullstack_ml.modeling.train.backends import Lesson, installed, place
from fullstack_ml.modeling.train.backends.torch.settings import Settings, settings_of
from fullstack_ml.pipeline.config import Model
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError

PICTURES = ("residual", "pretrained")  # networks that need a picture
TEXTS = ("characters", "pretrained_text")  # those that need the letters of a text


@dataclass(frozen=True)
class Fitted:
    """The fitted network on the CPU, which answers as the contract asks, its curves, and where it learned."""

    answering: Any
    curves: dict[str, list[float]]
    device: str


def module(name: str) -> Any:
    """Import a module of this folder that needs PyTorch.

    Raises:
        UserError: where the extra is not installed.
    """
    installed("torch", "PyTorch", "backend: torch", "torch")
    return importlib.import_module(f"{__name__}.{name}")


def misfit(model: Model, product: Product) -> str | None:
    """Say that a network of pictures has none to look at."""
    return without_pictures(model.estimator.get("network"), input_of(product).planes(product))


def without_pictures(network: str | None, shape: tuple[int, int, int] | None) -> str | None:
    """Say that a network of pictures gets rows without the ``shape`` of one."""
    shapeless = network in PICTURES and shape is None
    return f"the network {network} takes pictures, and this input is none" if shapeless else None


def fit(model: Model, seed: int, lesson: Lesson) -> Fitted:
    """Fit the network until the loss of the validation split falls no more, or for ``epochs``."""
    networks, fitting = module("networks"), module("fitting")
    settings, options = settings_of(model, networks.NETWORKS, networks.GIVEN)
    shape = None if lesson.product is None else input_of(lesson.product).planes(lesson.product)
    if told := without_pictures(settings.network, shape):
        raise UserError(told, place(model), "choose another model, such as mlp_torch")
    check_letters(model, settings, settings.network in TEXTS)
    return Fitted(*fitting.fitted(model, settings, options, seed, lesson, shape))


def check_letters(model: Model, settings: Settings, wanted: bool) -> None:
    """Raise where a network of letters gets none, or another gets them; or where letters would be scaled or mixed."""
    file = f"conf/model/{model.name}.yaml"
    if wanted != (model.takes == LETTERS):
        what = f"the network {settings.network} takes {LETTERS if wanted else FEATURES} and gets {model.takes}"
        raise UserError(what, f"takes in {file}", f"set takes: {LETTERS if wanted else FEATURES}")
    if wanted and (model.scale or settings.mixup):
        what = f"letters are no amounts that could be {'scaled' if model.scale else 'mixed'}"
        raise UserError(what, f"{'scale' if model.scale else 'mixup'} in {file}", "set scale: false and mixup: 0")


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


def device(fitted: Fitted) -> str:
    """Name the device on which the network learned."""
    return fitted.device


def to_onnx(fitted: Fitted, width: int, answer_width: int, output: str) -> onnx.ModelProto:
    """Export by torch.export."""
    made: onnx.ModelProto = module("graph").exported(fitted.answering, width, output)
    return made
