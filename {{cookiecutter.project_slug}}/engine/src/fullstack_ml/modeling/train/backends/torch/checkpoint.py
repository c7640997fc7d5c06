"""What a killed training goes on from: a file of ``models/checkpoints``, named by what is fitted to what.

It is read with ``weights_only``, which runs no code, and is gone once the training has ended.
"""

import hashlib
import json
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fullstack_ml.modeling.train.backends import Lesson
from fullstack_ml.pipeline.config import Model
from fullstack_ml.workspace.files import replacing
from fullstack_ml.workspace.paths import CHECKPOINTS

EVERY = 15.0  # seconds between two
KEPT = 7 * 24 * 3600  # seconds after which nobody goes on with it


def path_of(model: Model, seed: int, lesson: Lesson) -> Path:
    """Return the file of this training: another one for other settings, other records or another PyTorch."""
    digest = hashlib.blake2b(
        json.dumps([asdict(model), seed, torch.__version__, lesson.rounds], sort_keys=True).encode()
    )
    for values in (lesson.rows, lesson.truth, *(lesson.proof or ())):
        digest.update(np.ascontiguousarray(values).data)
    return CHECKPOINTS / f"{digest.hexdigest()[:32]}.pt"


def read(path: Path) -> dict[str, Any] | None:
    """Return what was written last; None where nothing was. What nobody went on with for long is removed."""
    for old in CHECKPOINTS.glob("*.pt"):
        if time.time() - old.stat().st_mtime > KEPT:
            old.unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return found
    return None


def write(path: Path, state: dict[str, Any]) -> None:
    """Write in one step."""
    with replacing(path) as temporary:
        torch.save(state, temporary)


def remove(path: Path) -> None:
    """Remove it, and the folder if it was the last."""
    path.unlink(missing_ok=True)
    with suppress(OSError):
        CHECKPOINTS.rmdir()
