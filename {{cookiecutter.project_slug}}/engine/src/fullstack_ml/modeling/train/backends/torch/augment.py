"""Changes of training pictures that leave their answer as it is, drawn for a whole batch at once.

Reads and writes nothing. The contract says which are harmless: ``formulation.input.invariances``.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from fullstack_ml.modeling.train.backends.torch.answering import Shape
from fullstack_ml.modeling.train.backends.torch.settings import Augment
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError


def check_augment(wanted: Augment, product: Product | None, shape: Shape | None, where: str) -> None:
    """Raise for a change that the contract does not call harmless, or that the pictures do not bear."""
    if shape is None and wanted.chosen:
        raise UserError("only pictures can be augmented", f"augment in {where}", "take augment out")
    allowed = () if product is None else product.formulation.input.invariances
    for name in wanted.chosen:
        if name not in allowed:
            fix = f"add {name} to invariances of formulation.input in product.yaml, if it never changes the answer"
            raise UserError(f"{name} is not called harmless by the contract", f"augment in {where}", f"{fix}; or set 0")
    if shape is not None and wanted.crop > min(shape[1:]):
        what = f"pictures of {shape[1]} x {shape[2]} are smaller than the crop of {wanted.crop}"
        fix = f"set crop to at most {min(shape[1:])}, or raise shape or max_values of formulation.input in product.yaml"
        raise UserError(what, f"augment.crop in {where}", fix)


def augmented(rows: Tensor, wanted: Augment, shape: Shape | None) -> Tensor:
    """Return changed ``rows``, (records, values), of pictures from 0 to 1."""
    if shape is None or not wanted.chosen:
        return rows
    planes = rows.reshape(-1, *shape)
    if wanted.flip or wanted.rotation or wanted.crop:
        planes = moved(planes, wanted)
    if wanted.colour:
        bright, contrast = (1 + wanted.colour * (2 * draw(planes) - 1) for _ in range(2))
        middle = planes.mean(dim=(1, 2, 3), keepdim=True)
        planes = ((planes - middle) * contrast + middle * bright).clamp(0, 1)
    if wanted.erasing:
        planes = erased(planes, wanted.erasing)
    return planes.reshape(len(rows), -1)


def draw(planes: Tensor) -> Tensor:
    """Draw a number from 0 to 1 for every picture, (records, 1, 1, 1)."""
    return torch.rand(len(planes), 1, 1, 1).to(planes.device)


def moved(planes: Tensor, wanted: Augment) -> Tensor:
    """Mirror, turn and cut pictures by one look-up: what lies beyond the edge is as the edge."""
    height, width = planes.shape[2:]
    mirrored = torch.where(draw(planes) < wanted.flip, -1.0, 1.0)
    angle = (2 * draw(planes) - 1) * math.radians(wanted.rotation)
    parts = (wanted.crop / width, wanted.crop / height) if wanted.crop else (1.0, 1.0)
    cos, sin, zoom = torch.cos(angle), torch.sin(angle), torch.tensor(parts, device=planes.device)
    ratio = height / width  # of the sides: a turn must not stretch
    left, top = ((2 * draw(planes) - 1) * (1 - part) for part in parts)
    first = torch.cat([mirrored * cos * zoom[0], -sin * ratio * zoom[1], left], dim=3)
    second = torch.cat([mirrored * sin / ratio * zoom[0], cos * zoom[1], top], dim=3)
    turns = torch.cat([first, second], dim=2)[:, 0]
    grid = functional.affine_grid(turns, list(planes.shape), align_corners=False)
    return functional.grid_sample(planes, grid.to(planes.dtype), padding_mode="border", align_corners=False)


def erased(planes: Tensor, probability: float) -> Tensor:
    """Put the picture's mean over a rectangle of a fiftieth to a third of it (Zhong et al. 2020, Random Erasing)."""
    height, width = planes.shape[2:]
    share = 0.02 + 0.31 * draw(planes)
    tall, wide = (share.sqrt() * length for length in (height, width))
    top, left = draw(planes) * (height - tall), draw(planes) * (width - wide)
    rows = torch.arange(height, device=planes.device)[None, None, :, None]
    columns = torch.arange(width, device=planes.device)[None, None, None, :]
    inside = (rows >= top) & (rows < top + tall) & (columns >= left) & (columns < left + wide)
    chosen = draw(planes) < probability
    return torch.where(inside & chosen, planes.mean(dim=(1, 2, 3), keepdim=True), planes)
