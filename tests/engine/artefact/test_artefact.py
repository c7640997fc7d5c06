"""The artefact as file: what it says of itself, and the same scores in any batch."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fullstack_ml.artefact import session as artefact
from fullstack_ml.pipeline import examples

Refused = Callable[..., AbstractContextManager[None]]
MODEL = Path("models/model.onnx")


def test_the_file_says_what_it_is(finished: Path, product: Any) -> None:
    loaded = artefact.Artefact(MODEL)
    assert loaded.labels == product.formulation.label_names
    assert loaded.input_name == product.formulation.input.name
    assert json.loads(loaded.metadata["answer"])["type"] == product.formulation.answer.type


def test_probabilities_are_probabilities_in_the_order_of_the_labels(finished: Path, product: Any) -> None:
    known = examples.read("train", product)
    scored = artefact.Artefact(MODEL).score(known.inputs)
    assert scored.outputs.shape == (len(known.truth), len(product.formulation.answer.labels))
    assert scored.outputs.dtype == np.float32
    assert scored.outputs.sum(axis=1) == pytest.approx(np.ones(len(known.truth)), abs=1e-5)
    # One label in ten is drawn wrong; in another order of the labels hardly one would be right.
    assert (scored.outputs.argmax(axis=1) == known.truth).mean() > 0.8


@pytest.mark.parametrize("batch", [1, 7, 10_000])
def test_the_size_of_a_batch_changes_no_score(batch: int, finished: Path, product: Any) -> None:
    inputs = examples.read("test", product).inputs[:50]
    loaded = artefact.Artefact(MODEL)
    whole, parts = loaded.score(inputs), loaded.score(inputs, batch)
    assert parts.outputs == pytest.approx(whole.outputs, abs=1e-6)
    assert parts.novelty == pytest.approx(whole.novelty, rel=1e-4)


def test_the_bytes_are_as_good_as_the_file(finished: Path, product: Any) -> None:
    inputs = examples.read("test", product).inputs[:5]
    from_bytes = artefact.Artefact(MODEL.read_bytes()).score(inputs)
    assert np.array_equal(from_bytes.outputs, artefact.Artefact(MODEL).score(inputs).outputs)


@pytest.mark.parametrize("content", [b"", b"no model"], ids=["empty", "text"])
def test_a_file_that_is_no_model_is_refused(content: bytes, tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with refused("is no ONNX model", str(path), "dvc repro export"):
        artefact.Artefact(path)


def test_a_missing_file_is_refused(tmp_path: Path, refused: Refused) -> None:
    with refused("nowhere.onnx is not there", "", "dvc repro"):
        artefact.Artefact(tmp_path / "nowhere.onnx")
