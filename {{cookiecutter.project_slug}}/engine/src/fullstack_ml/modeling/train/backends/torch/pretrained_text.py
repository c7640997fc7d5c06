"""An encoder of texts with weights that others have learned, as the body of a network.

Reads a folder with ``config.json`` and ``model.safetensors``, as ``save_pretrained`` of transformers writes it; writes
nothing, and fetches nothing. Encoders that take the letters of a text are allowed alone: the pieces of words that
others take are made by a program beside the graph, which neither the server nor the page of the browser has.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fullstack_ml.modeling.train.backends import installed
from fullstack_ml.modeling.train.backends.torch.answering import Parts, Shape
from fullstack_ml.modeling.train.backends.torch.torchvision_operators import declare_operators
from fullstack_ml.workspace.errors import UserError, first_line

ENCODERS = {"canine": "CanineModel"}  # by ``model_type`` of config.json: Clark et al. 2022, CANINE
WHERE = "weights_from under model.estimator"
BEGIN, END = 0xE000, 0xE001  # code points that CANINE has learned as the begin and the end of a text
STEP = 4  # letters that it looks at together


class Encoder(nn.Module):  # type: ignore[misc]
    """The first vector of what an encoder makes of a text, cut or filled up with zeros to one length."""

    def __init__(self, inner: nn.Module, length: int) -> None:
        """``length``: letters that are looked at of every text, since few zeros behind one are not the same as many."""
        super().__init__()
        self.inner, self.length = inner, length

    def forward(self, values: Tensor) -> Tensor:
        """Return (records, values of a vector) of code points as float32."""
        filling = torch.zeros((values.shape[0], self.length), dtype=values.dtype, device=values.device)
        codes = torch.cat([values, filling], dim=1)[:, : self.length].to(torch.int64)
        there = (codes > 0).to(torch.int64)
        place = torch.arange(self.length, device=values.device)[None]
        last = (place == there.sum(dim=1, keepdim=True) - 1) & (there > 0)
        codes = torch.where(last, torch.full_like(codes, END), codes)
        codes = torch.where((place == 0) & (there > 0), torch.full_like(codes, BEGIN), codes)
        return self.inner(input_ids=codes, attention_mask=there).last_hidden_state[:, 0]


def pretrained_text(
    shape: Shape | None, values: int, weights_from: str, length: int = 128, frozen: bool = True, dropout: float = 0.0
) -> Parts:
    """Return the encoder of the folder ``weights_from``; ``frozen`` leaves it as it is, so that the head alone learns.

    Raises:
        UserError: for a folder that holds none, another kind of encoder or other weights, or a length that it has not.
    """
    transformers, folder = library(), Path(weights_from)
    for name in ("config.json", "model.safetensors"):
        if not (folder / name).is_file():
            fix = "name a folder that save_pretrained of transformers has written; safetensors alone are read"
            raise UserError(f"{folder} holds no {name}", WHERE, fix)
    inner = loaded(transformers, folder)
    most = min(inner.config.max_position_embeddings, inner.config.num_hash_buckets)
    if length % STEP or not STEP <= length <= most:
        fix = f"set a multiple of {STEP} up to {most}"
        raise UserError(f"the encoder takes no {length} letters", "length under model.estimator", fix)
    return Parts(Encoder(inner, length), inner.config.hidden_size, dropout, frozen, letters=True)


def library() -> Any:
    """Import transformers; a ``UserError`` where the extra is not installed."""
    declare_operators()
    return installed("transformers", "transformers", "network: pretrained_text", "encoders")


def loaded(transformers: Any, folder: Path) -> nn.Module:
    """Return the encoder with all of its weights."""
    fix = "name another folder, such as one of CANINE"
    here = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = transformers.AutoConfig.from_pretrained(folder, **here)
        kind = getattr(transformers, ENCODERS.get(config.model_type, ""), None)
        given = {"config": config, "use_safetensors": True, "output_loading_info": True}
        found, about = kind.from_pretrained(folder, **given, **here) if kind else (None, {})
    except Exception as error:  # no JSON, a short file, other shapes: what the libraries raise differs
        what = f"{folder} cannot be read: {first_line(error)}"
        raise UserError(what, WHERE, fix) from error
    if kind is None:
        what = f"{folder} holds an encoder {config.model_type!r}, which takes pieces of words"
        raise UserError(what, WHERE, f"choose one that takes letters: {', '.join(ENCODERS)}")
    lacks = sorted([*about["missing_keys"], *(one[0] for one in about["mismatched_keys"])])
    if lacks:
        raise UserError(f"{folder} lacks {len(lacks)} of the encoder's weights, such as {lacks[0]}", WHERE, fix)
    inner: nn.Module = found.float().eval()
    return inner
