"""A backbone of timm with weights that others have learned, as the body of a network.

Reads a file of weights, of a folder or of the hub of Hugging Face; writes nothing. Only safetensors and state dicts
that ``torch.load`` reads with ``weights_only`` are taken: any other pickle could run code.
"""

import pickle
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn
from torch.nn import functional

from fullstack_ml.modeling.train.backends import installed
from fullstack_ml.modeling.train.backends.torch.answering import Parts, Shape
from fullstack_ml.modeling.train.backends.torch.torchvision_operators import declare_operators
from fullstack_ml.workspace.errors import UserError, first_line, suggest

FORMATS = (".safetensors", ".pt", ".pth", ".bin")
WHERE = "weights_from under model.estimator"


class Backbone(nn.Module):  # type: ignore[misc]
    """A backbone behind what it was trained on: pictures of its size, less their mean, over their spread."""

    def __init__(self, inner: nn.Module, size: int, channels: int) -> None:
        """``size``: side to which pictures are brought, 0 to leave them."""
        super().__init__()
        self.inner, self.size = inner, size
        for name in ("mean", "std"):
            given = torch.tensor(inner.default_cfg[name])
            self.register_buffer(name, (given if channels == 3 else given.mean()[None])[:, None, None])

    def forward(self, planes: Tensor) -> Tensor:
        """Return the embedding, (records, values)."""
        if self.size:
            planes = functional.interpolate(planes, (self.size, self.size), mode="bilinear", align_corners=False)
        return self.inner((planes - self.mean) / self.std).flatten(1)


def pretrained(
    shape: Shape | None,
    values: int,
    backbone: str,
    weights_from: str = "hub",
    frozen: bool = True,
    size: int = 0,
    dropout: float = 0.0,
) -> Parts:
    """Backbone ``backbone`` of timm.

    ``weights_from`` is a file, a folder that holds one, ``hub`` for what timm fetches by the backbone's name, or
    ``none``. ``frozen`` leaves them as they are, so that the head alone learns.

    Raises:
        UserError: for a backbone or weights that are not there, of another architecture, or of another format.
    """
    assert shape is not None
    timm = library()
    if backbone not in timm.list_models():
        raise UserError(f"timm has no backbone {backbone!r}", "backbone under model.estimator", named(backbone, timm))
    if weights_from == "hub":
        inner = fetched(timm, backbone, shape[0])
    else:
        inner = timm.create_model(backbone, num_classes=0, in_chans=shape[0])
        if weights_from != "none":
            load(inner, file_of(Path(weights_from)), backbone, shape[0], timm)
    body = Backbone(inner, size, shape[0])
    try:
        with torch.inference_mode():
            width = body.eval()(torch.zeros(1, *shape)).shape[1]
    except (AssertionError, RuntimeError) as error:
        given = f"{size} x {size}" if size else f"{shape[1]} x {shape[2]}"
        what = f"{backbone} takes no pictures of {given}: {first_line(error)}"
        fix = f"set size to {inner.default_cfg['input_size'][1]}, to which pictures are then scaled"
        raise UserError(what, "size under model.estimator", fix) from error
    return Parts(body, width, dropout, frozen)


def named(word: str, timm: ModuleType) -> str:
    """Suggest a backbone; timm has more than a thousand."""
    near = suggest(word, timm.list_models())
    return near if near.startswith("did you mean") else "python -c 'import timm; print(timm.list_models())' lists them"


def library() -> ModuleType:
    """Import timm; a ``UserError`` where the extra is not installed."""
    declare_operators()
    found: ModuleType = installed("timm", "timm", "network: pretrained", "torch")
    return found


def fetched(timm: ModuleType, backbone: str, channels: int) -> nn.Module:
    """Return the backbone with the weights that timm fetches, or has fetched."""
    try:
        return timm.create_model(backbone, pretrained=True, num_classes=0, in_chans=channels)
    except Exception as error:  # what the libraries of the hub raise differs from one to the other
        what = f"the weights of {backbone} cannot be fetched: {first_line(error)}"
        fix = "look at the network, or name a file that somebody has fetched: weights_from: path/to/model.safetensors"
        raise UserError(what, WHERE, fix) from error


def file_of(path: Path) -> Path:
    """Return the file of weights: the path, or the only one in this folder."""
    if path.is_dir():
        inside = sorted(file for file in path.iterdir() if file.suffix in FORMATS)
        if len(inside) != 1:
            raise UserError(f"{path} holds {len(inside)} files of weights", WHERE, f"name one of {', '.join(FORMATS)}")
        return inside[0]
    if not path.exists():
        raise UserError(f"the weights {path} are not there", WHERE, "correct the path, or set hub or none")
    if path.suffix not in FORMATS:
        fix = f"save a state dict as safetensors; allowed: {', '.join(FORMATS)}"
        raise UserError(f"{path.name} has no format that is allowed", WHERE, fix)
    return path


def stored(file: Path) -> dict[str, Tensor]:
    """Read a state dict, or the one under the usual names of a training's file."""
    fix = "save the state dict alone, best as safetensors"
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(file))
        found = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(f"{file.name} holds more than weights, which could run code", WHERE, fix) from error
    except Exception as error:  # of safetensors, of zip, of a short file
        raise UserError(f"{file.name} cannot be read: {first_line(error)}", WHERE, fix) from error
    for name in ("state_dict_ema", "model_ema", "state_dict", "model"):
        found = found.get(name, found) if isinstance(found, dict) else found
    if not (isinstance(found, dict) and all(isinstance(value, Tensor) for value in found.values())):
        raise UserError(f"{file.name} is no state dict", WHERE, fix)
    return found


def load(inner: nn.Module, file: Path, backbone: str, channels: int, timm: ModuleType) -> None:
    """Put weights into the backbone, all of them; those of a head are left out, and a first layer becomes grey."""
    state = {name.removeprefix("module."): value for name, value in stored(file).items()}
    first = f"{inner.default_cfg.get('first_conv')}.weight"
    if first in state and state[first].shape[1] != channels:
        state[first] = timm.models.adapt_input_conv(channels, state[first])
    own = inner.state_dict()
    wrong = [name for name, value in own.items() if name not in state or state[name].shape != value.shape]
    if wrong:
        what = f"{file.name} has not the weights of {backbone}: {len(wrong)} of {len(own)} differ, such as {wrong[0]}"
        raise UserError(what, WHERE, "name the backbone that they are of")
    inner.load_state_dict({name: state[name] for name in own})
