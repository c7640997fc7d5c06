"""Smaller variants: fewer bytes, hardly another answer."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

from fullstack_ml.answers.words import Scored
from fullstack_ml.artefact import session as artefact
from fullstack_ml.modeling.export import __main__ as export
from fullstack_ml.modeling.export import lightening
from fullstack_ml.modeling.train import novelty
from fullstack_ml.modeling.train.backends import sklearn as backend
from fullstack_ml.modeling.train.novelty_nodes import with_novelty

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


def test_a_network_in_8_bits_is_smaller_and_answers_alike(known: tuple[np.ndarray, np.ndarray]) -> None:
    full = converted(MLPClassifier([256], max_iter=15, tol=1.0, random_state=0), known)
    before = scored(full, known[0])
    small = lightening.int8(full)
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
    assert scored(lightening.int8(full), inputs).novelty == pytest.approx(scored(full, inputs).novelty, rel=0.02)


def test_a_model_without_matrix_products_answers_the_same(known: tuple[np.ndarray, np.ndarray]) -> None:
    full = converted(LogisticRegression(), known)
    before = scored(full, known[0])
    assert scored(lightening.int8(full), known[0]).outputs == pytest.approx(before.outputs, abs=1e-6)


@pytest.mark.parametrize("variant", lightening.VARIANTS)
def test_the_configured_variant_is_what_is_shipped(variant: str, finished: Path, config: Any) -> None:
    config.export.variant = variant
    export.run(config)
    assert Path("models/model.onnx").read_bytes() == Path(f"models/variants/{variant}.onnx").read_bytes()
