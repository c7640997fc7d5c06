"""The networks that ``estimator.network`` names: each a body that turns a record into an embedding.

Reads and writes nothing.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from fullstack_ml.modeling.train.backends.torch.answering import Parts, Shape
from fullstack_ml.modeling.train.backends.torch.characters import characters
from fullstack_ml.modeling.train.backends.torch.pretrained import pretrained
from fullstack_ml.modeling.train.backends.torch.pretrained_text import pretrained_text


def convolution(before: int, after: int, side: int, stride: int = 1) -> list[nn.Module]:
    """Return a convolution that keeps the size, or divides it by ``stride``, and a normalisation."""
    layer = nn.Conv2d(before, after, side, stride, padding=side // 2, bias=False)
    return [layer, nn.BatchNorm2d(after)]


class Block(nn.Module):  # type: ignore[misc]
    """Two convolutions, and what came in added to what they make of it (He et al. 2016)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        """``stride`` 2 halves height and width."""
        super().__init__()
        first, second = convolution(before, after, 3, stride), convolution(after, after, 3)
        self.way = nn.Sequential(*first, nn.ReLU(), *second)
        same = before == after and stride == 1
        self.past = nn.Identity() if same else nn.Sequential(*convolution(before, after, 1, stride))

    def forward(self, planes: Tensor) -> Tensor:
        """Return (records, after, height, width), height and width divided by the stride."""
        return torch.relu(self.way(planes) + self.past(planes))


def residual(
    shape: Shape | None, values: int, widths: Sequence[int] = (32, 64), blocks: int = 1, dropout: float = 0.0
) -> Parts:
    """Stages of residual blocks, ``blocks`` of each of ``widths``, every stage half as large; then the mean.

    A picture of 64 pixels and more is halved at once, one of 128 twice: its finest detail costs the most.
    """
    assert shape is not None
    halvings = sum(min(shape[1:]) >= side for side in (64, 128))
    layers = [*convolution(shape[0], widths[0], 3, 2 if halvings else 1), nn.ReLU()]
    layers += [nn.MaxPool2d(2)] if halvings > 1 else []
    before = widths[0]
    for i, width in enumerate(widths):
        for j in range(blocks):
            layers.append(Block(before, width, 2 if i and not j else 1))
            before = width
    return Parts(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()), before, dropout)


def mlp(shape: Shape | None, values: int, hidden: Sequence[int] = (128, 64), dropout: float = 0.0) -> Parts:
    """Layers of ``hidden`` units, each with a normalisation; of a picture they get the pixels in a row."""
    layers, before = list[nn.Module]() if shape is None else [nn.Flatten()], values
    for width in hidden:
        layers += [nn.Linear(before, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout)]
        before = width
    return Parts(nn.Sequential(*layers), before)


NETWORKS: dict[str, Callable[..., Parts]] = {
    "residual": residual,
    "mlp": mlp,
    "pretrained": pretrained,
    "characters": characters,
    "pretrained_text": pretrained_text,
}
GIVEN = ("shape", "values")
