"""Records as a network takes them, and the scale that their values are brought to.

Reads and writes nothing.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fullstack_ml.modeling.train.backends import Lesson, set_aside, weights_of
from fullstack_ml.modeling.train.backends.torch.answering import Shape
from fullstack_ml.modeling.train.backends.torch.devices import Device
from fullstack_ml.modeling.train.backends.torch.settings import Settings
from fullstack_ml.pipeline.config import Model

Batch = tuple[Tensor, Tensor, Tensor]  # rows, truth, weights


@dataclass(frozen=True)
class Part:
    """Records with what is wanted of them: the index of a label, or a standardised number; and their weights."""

    rows: Tensor
    truth: Tensor
    weights: Tensor

    def take(self, places: Tensor, device: str) -> Batch:
        """Return some records on the device."""
        places = places.to(self.rows.device)
        rows, truth, weights = (values[places] for values in (self.rows, self.truth, self.weights))
        return rows.to(device, non_blocking=True), truth.to(device), weights.to(device)

    def on(self, device: Device) -> "Part":
        """Return them on the device, if they fit."""
        return Part(device.lay(self.rows), device.lay(self.truth), device.lay(self.weights))


def parts_of(
    model: Model, settings: Settings, seed: int, lesson: Lesson
) -> tuple[Part, Part | None, tuple[float, float] | None]:
    """Return the records to learn from and to stop by; and mean and spread of their numbers, None for labels."""
    wanted = lesson.proof is not None or settings.patience
    known, proof = set_aside(lesson, seed) if wanted else ((lesson.rows, lesson.truth), None)
    scale = None
    if lesson.answer.ESTIMATOR == "regressor":
        scale = float(np.mean(known[1])), float(np.std(known[1])) or 1.0

    def part(rows: np.ndarray, truth: np.ndarray) -> Part:
        weights = weights_of(model, lesson, truth)
        if truth.ndim == 2:
            wants = tensor(truth)
        elif scale is None:
            wants = torch.from_numpy(np.asarray(truth, np.int64))
        else:
            wants = tensor((truth - scale[0]) / scale[1])
        return Part(tensor(rows), wants, torch.ones(len(rows)) if weights is None else tensor(weights))

    return part(*known), None if proof is None else part(*proof), scale


def tensor(values: np.ndarray) -> Tensor:
    """Return values as float32, without a copy where they are."""
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))


def scale_of(rows: np.ndarray, shape: Shape | None, wanted: bool, alike: bool) -> tuple[Tensor, Tensor]:
    """Return centre and spread: of a picture's channels, else of the values; of values that are alike one spread."""
    size: tuple[int, ...] = (rows.shape[1],) if shape is None else (shape[0], 1, 1)
    if not wanted:
        return torch.zeros(size), torch.ones(size)
    values = rows if shape is None else rows.reshape(len(rows), shape[0], -1).transpose(0, 2, 1).reshape(-1, shape[0])
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=0), 1)
    centre = np.where(known, values, 0).sum(axis=0, dtype=np.float64) / count
    spread = np.sqrt((np.where(known, values - centre, 0) ** 2).sum(axis=0) / count)
    spread = np.full_like(spread, spread.mean()) if alike and shape is None else spread
    spread[spread < 1e-6] = 1.0
    return tensor(centre).reshape(size), tensor(spread).reshape(size)
