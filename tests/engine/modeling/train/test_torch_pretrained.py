"""Networks that others have trained: their weights stay or go on learning, and what is not theirs is refused."""

import pickle
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from fullstack_ml.answers import label
from fullstack_ml.modeling.train.backends import Lesson
from fullstack_ml.modeling.train.backends import torch as backend
from fullstack_ml.modeling.train.backends.torch import pretrained
from networks import bars, contract, in_graph, model

pytestmark = pytest.mark.filterwarnings("ignore:Field onnx:DeprecationWarning")
Refused = Callable[..., AbstractContextManager[None]]
WEIGHTS = "weights_from under model.estimator"


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """Lie in a folder with the weights of a small backbone for pictures in colour; return them."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(3)
    state: dict[str, torch.Tensor] = pretrained.library().create_model("test_resnet").state_dict()
    Path("weights").mkdir()
    save_file(state, "weights/model.safetensors")
    torch.save({"state_dict": state}, "other.pth")
    return state


def asked(**estimator: Any) -> Any:
    """Return conf/model/pretrained.yaml with the small backbone."""
    wanted = {"backbone": "test_resnet", "weights_from": "weights", "epochs": 3, "patience": 0, **estimator}
    return model("pretrained", **wanted)


def lesson(channels: int = 3) -> Lesson:
    rows, truth = bars(40, channels, side=16)
    return Lesson(rows, truth, label, True, contract(16, 16, *([3] if channels == 3 else [])))


@pytest.mark.parametrize("frozen", [True, False])
def test_what_others_learned_stays_or_goes_on_learning(frozen: bool, weights: dict[str, torch.Tensor]) -> None:
    taught = lesson()
    fitted = backend.fit(asked(frozen=frozen), 7, taught)
    inner = fitted.answering.network.body.inner.state_dict()
    same = [torch.equal(value, weights[name]) for name, value in inner.items()]
    assert all(same) if frozen else not any(torch.equal(inner[f"{n}.weight"], weights[f"{n}.weight"]) for n in ("bn1",))
    if not frozen:
        assert in_graph(fitted, taught.rows) == pytest.approx(backend.outputs(fitted, taught.rows), abs=1e-5)


def test_weights_of_colour_look_at_grey_pictures_scaled_up(weights: dict[str, torch.Tensor]) -> None:
    taught = lesson(channels=1)
    fitted = backend.fit(asked(weights_from="other.pth", size=32), 7, taught)
    first = fitted.answering.network.body.inner.conv1[0].weight
    whole = weights["conv1.0.weight"].sum(dim=1, keepdim=True)  # grey is the three colours at once
    assert torch.allclose(first, whole, atol=1e-6)
    given = backend.outputs(fitted, taught.rows)
    assert np.isfinite(given).all() and given.shape == (40, 2)


@pytest.mark.parametrize(
    ("settings", "what", "where", "fix"),
    [
        ({"backbone": "test_resnett"}, "no backbone 'test_resnett'", "backbone under", "did you mean 'test_resnet'?"),
        ({"weights_from": "gone.pt"}, "weights gone.pt are not there", WEIGHTS, "correct the path"),
        ({"weights_from": "evil.pth"}, "evil.pth holds more than weights", WEIGHTS, "the state dict alone"),
        ({"weights_from": "a.pkl"}, "a.pkl has no format that is allowed", WEIGHTS, ".safetensors"),
        ({"weights_from": "list.pt"}, "list.pt is no state dict", WEIGHTS, "the state dict alone"),
        ({"weights_from": "short.safetensors"}, "short.safetensors cannot be read", WEIGHTS, "the state dict alone"),
        ({"weights_from": "empty"}, "empty holds 0 files of weights", WEIGHTS, "name one of"),
        ({"backbone": "test_vit"}, "model.safetensors has not the weights of test_vit", WEIGHTS, "name the backbone"),
        (
            {"backbone": "vit_tiny_patch16_224", "weights_from": "none"},
            "takes no pictures of 16 x 16",
            "size under",
            "size to 224",
        ),
    ],
)
@pytest.mark.usefixtures("weights")
def test_weights_that_do_not_fit_are_three_lines(
    settings: dict[str, Any], what: str, where: str, fix: str, refused: Refused
) -> None:
    Path("empty").mkdir()
    Path("a.pkl").write_bytes(pickle.dumps({}))
    Path("short.safetensors").write_bytes(b"abc")
    torch.save([1, 2], "list.pt")
    torch.save({"a": Path("code")}, "evil.pth")
    with refused(what, where, fix):
        backend.fit(asked(**settings), 7, lesson())
