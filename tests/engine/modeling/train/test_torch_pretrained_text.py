"""Encoders of texts that others have trained: from a folder alone, the same in ONNX, and what is none is refused."""

import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from fullstack_ml.answers import label
from fullstack_ml.artefact.graph import features_of, taking
from fullstack_ml.artefact.session import Artefact
from fullstack_ml.inputs import letters, text
from fullstack_ml.modeling.train.backends import Lesson
from fullstack_ml.modeling.train.backends import torch as backend
from fullstack_ml.modeling.train.backends.torch import pretrained_text
from fullstack_ml.modeling.train.novelty_nodes import with_novelty
from networks import model

pytestmark = [
    pytest.mark.filterwarnings("ignore:Field onnx:DeprecationWarning"),
    pytest.mark.task("text-classification"),
]
Refused = Callable[..., AbstractContextManager[None]]
WHERE = "weights_from under model.estimator"
SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small encoder of random weights; nothing else can be reached."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pretrained_text.library()  # as a project imports it, beside any build of PyTorch
    torch.manual_seed(3)
    config = transformers.CanineConfig(**SMALL, max_position_embeddings=256, num_hash_buckets=256)
    transformers.CanineModel(config).save_pretrained("encoder")
    return Path("encoder")


def asked(**estimator: Any) -> Any:
    """Return conf/model/pretrained_text.yaml with the small encoder."""
    return model(
        "pretrained_text", **{"weights_from": "encoder", "length": 48, "epochs": 2, "patience": 0, **estimator}
    )


def lesson(product: Any) -> tuple[Lesson, np.ndarray]:
    """Return texts of two labels, some longer than the encoder looks at, and their letters."""
    truth = np.arange(40) % 2
    texts = [f"{('left', '오른쪽')[side]} {i} " + "and on " * (10 * (i % 9 == 0)) for i, side in enumerate(truth)]
    given = letters.as_letters(texts, product.formulation.input.length)
    return Lesson(features_of(given, product, "letters"), truth, label, True, product), given


@pytest.mark.parametrize("frozen", [True, False])
def test_an_encoder_of_a_folder_answers_in_the_artefact_as_it_was_fitted(
    frozen: bool, folder: Path, product: Any
) -> None:
    known, given = lesson(product)
    before = load_file(folder / "model.safetensors")
    fitted = backend.fit(asked(frozen=frozen), 7, known)
    inner = fitted.answering.network.body.inner.state_dict()
    same = [name for name, value in before.items() if torch.equal(inner[name], value)]
    assert len(same) == len(before) if frozen else len(same) < len(before) / 2
    expected = backend.outputs(fitted, known.rows)
    graph = with_novelty(taking(backend.to_onnx(fitted, known.rows.shape[1], 2, "probabilities"), "letters"), None)
    artefact = Artefact(text.front(graph, product).SerializeToString())
    assert artefact.score(given).outputs == pytest.approx(expected, abs=1e-5)
    alone = [artefact.score(one[None]).outputs[0] for one in given[:5]]
    assert np.stack(alone) == pytest.approx(expected[:5], abs=1e-5), "whatever texts stand beside it"
    assert np.ptp(expected[:, 0]) > 1e-4


def test_a_text_begins_and_ends_as_the_encoder_has_learned() -> None:
    seen: list[torch.Tensor] = []

    class Inner(torch.nn.Module):  # type: ignore[misc]
        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
            seen.extend([input_ids, attention_mask])
            return transformers.modeling_outputs.BaseModelOutput(input_ids[..., None].float())

    body = pretrained_text.Encoder(Inner(), 8)
    assert body(torch.tensor([[32.0, 97, 32, 0], [0, 0, 0, 0]])).tolist() == [[0xE000], [0]]
    assert seen[0].tolist() == [[0xE000, 97, 0xE001, 0, 0, 0, 0, 0], [0] * 8]
    assert seen[1].tolist() == [[1, 1, 1, 0, 0, 0, 0, 0], [0] * 8]
    body(torch.full((1, 12), 97.0))
    assert seen[2].tolist() == [[0xE000, 97, 97, 97, 97, 97, 97, 0xE001]]


def change(folder: Path, how: str) -> None:
    """Make something else of the folder."""
    weights = load_file(folder / "model.safetensors")
    if how == "gone":
        shutil.rmtree(folder)
    elif how == "pickle":
        torch.save(weights, folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    elif how == "short":
        (folder / "model.safetensors").write_bytes(b"x" * 40)
    elif how == "fewer":
        save_file(dict([*weights.items()][3:]), folder / "model.safetensors", {"format": "pt"})
    elif how == "words":
        config = transformers.BertConfig(**SMALL, vocab_size=50)
        transformers.BertModel(config).save_pretrained(folder)


@pytest.mark.parametrize(
    ("how", "estimator", "told"),
    [
        ("gone", {}, ("encoder holds no config.json", WHERE, "save_pretrained")),
        ("pickle", {}, ("encoder holds no model.safetensors", WHERE, "safetensors alone")),
        ("short", {}, ("encoder cannot be read", WHERE, "another folder")),
        ("fewer", {}, ("encoder lacks 3 of the encoder's weights", WHERE, "another folder")),
        ("words", {}, ("an encoder 'bert', which takes pieces of words", WHERE, "takes letters: canine")),
        ("", {"length": 300}, ("takes no 300 letters", "length under model.estimator", "multiple of 4 up to 256")),
        ("", {"length": 50}, ("takes no 50 letters", "length under model.estimator", "multiple of 4 up to 256")),
    ],
)
def test_what_is_no_such_encoder_is_three_lines(
    how: str, estimator: dict[str, Any], told: tuple[str, ...], folder: Path, product: Any, refused: Refused
) -> None:
    change(folder, how)
    with refused(*told):
        backend.fit(asked(**estimator), 7, lesson(product)[0])


def test_without_the_extra_it_says_what_to_install(
    folder: Path, product: Any, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with refused("transformers is not installed", "network: pretrained_text", "uv sync --extra encoders"):
        pretrained_text.library()


def test_a_large_graph_is_asked_few_records_at_once(
    monkeypatch: pytest.MonkeyPatch, product: Any, folder: Path
) -> None:
    known, given = lesson(product)
    fitted = backend.fit(asked(epochs=1), 7, known)
    graph = with_novelty(taking(backend.to_onnx(fitted, known.rows.shape[1], 2, "probabilities"), "letters"), None)
    whole = text.front(graph, product).SerializeToString()
    monkeypatch.setattr("fullstack_ml.artefact.session.LARGE", 3 * len(whole))
    artefact, sizes = Artefact(whole), list[int]()

    class Session:
        def run(self, names: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            sizes.extend(len(one) for one in inputs.values())
            return [np.zeros((len(one), 1), np.float32) for one in inputs.values()] * 2

        def get_outputs(self) -> list[Any]:
            return list(graph.graph.output)

    monkeypatch.setattr(artefact, "session", Session())
    artefact.score(given[:8])
    assert sizes == [3, 3, 2]
