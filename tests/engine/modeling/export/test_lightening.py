"""Smaller variants: fewer bytes, hardly another answer."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

import networks
from fullstack_ml.answers import label
from fullstack_ml.answers.words import Scored
from fullstack_ml.artefact import session as artefact
from fullstack_ml.artefact.graph import EMBEDDING
from fullstack_ml.modeling.export import __main__ as export
from fullstack_ml.modeling.export import lightening
from fullstack_ml.modeling.train import novelty
from fullstack_ml.modeling.train.backends import Lesson
from fullstack_ml.modeling.train.backends import sklearn as backend
from fullstack_ml.modeling.train.backends import torch as network
from fullstack_ml.modeling.train.novelty_nodes import with_novelty
from networks import bars, contract

LABELS, VALUES = 4, 30


@pytest.fixture(scope="module")
def known() -> tuple[np.ndarray, np.ndarray]:
    """Records of four labels."""
    random = np.random.default_rng(0)
    truth = np.arange(400) % LABELS
    inputs = random.normal(size=(LABELS, VALUES))[truth] + random.normal(0, 0.8, (400, VALUES))
    return inputs.astype(np.float32), truth


def converted(estimator: Any, known: tuple[np.ndarray, np.ndarray]) -> onnx.ModelProto:
    """Fit an estimator and convert it, with a novelty score."""
    fitted = backend.Fitted(make_pipeline(estimator).fit(*known), "predict_proba")
    graph = backend.to_onnx(fitted, known[0].shape[1], LABELS, "probabilities")
    return with_novelty(graph, novelty.mahalanobis(*known))


def scored(model: onnx.ModelProto, inputs: np.ndarray) -> Scored:
    """Run a graph."""
    return artefact.Artefact(model.SerializeToString()).score(inputs)


@pytest.mark.parametrize("how", ["dynamic", "static"])
def test_a_network_in_8_bits_is_smaller_and_answers_alike(how: str, known: tuple[np.ndarray, np.ndarray]) -> None:
    full = converted(MLPClassifier([256], max_iter=15, tol=1.0, random_state=0), known)
    before = scored(full, known[0])
    small = lightening.variants(how)["int8"](full, known[0][:100])
    after = scored(small, known[0])
    assert small.ByteSize() < 0.5 * full.ByteSize()
    assert (after.outputs.argmax(axis=1) == before.outputs.argmax(axis=1)).mean() > 0.98
    assert after.outputs == pytest.approx(before.outputs, abs=0.1)
    assert after.novelty == pytest.approx(before.novelty, rel=0.02, abs=0.02)


def test_the_novelty_of_many_values_keeps_its_size(known: tuple[np.ndarray, np.ndarray]) -> None:
    noise = np.random.default_rng(1).normal(0, 0.2, (len(known[0]), 8 * VALUES))
    wide = (np.tile(known[0], 8) + noise).astype(np.float32)
    full = converted(LogisticRegression(), (wide, known[1]))
    inputs = np.concatenate([wide, 3 * wide, 0 * wide[:1]])
    small = lightening.dynamic(full, inputs)
    assert scored(small, inputs).novelty == pytest.approx(scored(full, inputs).novelty, rel=0.02)


@pytest.mark.parametrize("how", ["dynamic", "static"])
def test_a_model_without_matrix_products_answers_the_same(how: str, known: tuple[np.ndarray, np.ndarray]) -> None:
    full = converted(LogisticRegression(), known)
    before = scored(full, known[0])
    small = lightening.variants(how)["int8"](full, known[0])
    assert scored(small, known[0]).outputs == pytest.approx(before.outputs, abs=1e-6)


@pytest.mark.filterwarnings("ignore:Field onnx:DeprecationWarning")
def test_static_quantisation_takes_the_range_of_values_from_the_calibration_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows, truth = bars(300, side=12)
    lesson = Lesson(rows[:200], truth[:200], label, True, contract(12, 12))
    fitted = network.fit(networks.model(epochs=6), 7, lesson)
    embeddings = network.embeddings(fitted, rows[:200]).astype(np.float64)
    graph = network.to_onnx(fitted, rows.shape[1], 2, "probabilities")
    full = with_novelty(graph, novelty.mahalanobis_of(embeddings, truth[:200]), EMBEDDING)
    before, small = scored(full, rows[200:]), lightening.static(full, rows[:200])
    after = scored(small, rows[200:])
    assert small.ByteSize() < 0.4 * full.ByteSize()
    assert after.outputs == pytest.approx(before.outputs, abs=0.05)
    assert (after.outputs.argmax(axis=1) == truth[200:]).mean() == (before.outputs.argmax(axis=1) == truth[200:]).mean()
    assert np.corrcoef(after.novelty, before.novelty)[0, 1] > 0.95
    dim = scored(lightening.static(full, 0.01 * rows[:200]), rows[200:])
    assert np.abs(dim.outputs - before.outputs).mean() > 10 * np.abs(after.outputs - before.outputs).mean()


@pytest.mark.parametrize(("variant", "how"), [("full", "dynamic"), ("int8", "dynamic"), ("int8", "static")])
def test_the_configured_variant_is_what_is_shipped(variant: str, how: str, finished: Path, config: Any) -> None:
    config.export.variant, config.export.quantisation = variant, how
    export.run(config)
    assert Path("models/model.onnx").read_bytes() == Path(f"models/variants/{variant}.onnx").read_bytes()
