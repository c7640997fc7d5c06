"""What tests of networks share: a file of conf/model, a contract for pictures, pictures, and what the graph says."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest
import yaml

from fullstack_ml.modeling.train.backends import torch as backend
from fullstack_ml.pipeline.config import Model

CONF = Path(__file__).parent.parent / "{{cookiecutter.project_slug}}" / "conf/model"


def model(name: str = "cnn", weights: Any = "none", **estimator: Any) -> Model:
    """Return a file of conf/model with some keys of ``estimator`` changed."""
    made = Model(**yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8")))
    return replace(made, name="m", weights=weights, estimator={**made.estimator, **estimator})


def contract(*shape: int, harmless: tuple[str, ...] = ()) -> Any:
    """Return as much of a contract as says what a picture is."""
    given = SimpleNamespace(
        type="image", name="picture", shape=shape, fit="stretch", ground=255, max_pixels=10**6, max_values=4096
    )
    given.invariances = list(harmless)
    return SimpleNamespace(formulation=SimpleNamespace(input=given))


def bars(count: int = 60, channels: int = 1, side: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures with a bar that stands or lies, channel by channel."""
    random, truth = np.random.default_rng(1), np.arange(count) % 2
    pictures = random.uniform(0.7, 1, (count, channels, side, side)).astype(np.float32)
    for picture, lies in zip(pictures, truth, strict=True):
        place = random.integers(2, side - 2)
        picture[(slice(None), place) if lies else (slice(None), slice(None), place)] = 0
    return pictures.reshape(count, -1), truth


def in_graph(fitted: backend.Fitted, rows: np.ndarray, output: str = "probabilities") -> np.ndarray:
    """Return what the graph says of rows, with its embedding; the graph holds no place on this machine."""
    graph = backend.to_onnx(fitted, rows.shape[1], 0, output)
    assert [given.name for given in graph.graph.output] == [output, "embedding"]
    written = graph.SerializeToString()
    assert str(Path(backend.__file__).parents[5]).encode() not in written
    session = onnxruntime.InferenceSession(written)
    alone = np.asarray(session.run(None, {"features": rows[:1]})[0])
    together, embedding = (np.asarray(found) for found in session.run(None, {"features": rows}))
    assert alone == pytest.approx(together[:1], abs=1e-5)
    assert embedding == pytest.approx(backend.embeddings(fitted, rows), rel=1e-3, abs=1e-4)
    return together
