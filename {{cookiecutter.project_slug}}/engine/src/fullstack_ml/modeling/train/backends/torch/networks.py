"""The networks that ``estimator.network`` names, and what stands around each: scale in front, answer behind.

Reads and writes nothing. A network is a ``body`` that turns a record into an embedding, and a linear ``head``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Shape = tuple[int, int, int]  # channels, height, width


@dataclass(frozen=True)
class Parts:
    """A ``body`` that gives (records, ``width``); ``frozen``: its weights stay as they are."""

    body: nn.Module
    width: int
    dropout: float = 0.0
    frozen: bool = False


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
    """Layers of ``hidden`` units, each with a normalisation."""
    layers, before = list[nn.Module](), values
    for width in hidden:
        layers += [nn.Linear(before, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout)]
        before = width
    return Parts(nn.Sequential(*layers), before)


NETWORKS: dict[str, Callable[..., Parts]] = {"residual": residual, "mlp": mlp}
PICTURES = ("residual",)  # those that need a picture
GIVEN = ("shape", "values")


class Network(nn.Module):  # type: ignore[misc]
    """From ``features`` to one score per label, or to one standardised number."""

    def __init__(self, parts: Parts, outputs: int, shape: Shape | None, centre: Tensor, spread: Tensor) -> None:
        """``shape`` makes a picture of the values; ``centre`` and ``spread`` scale them, or its channels."""
        super().__init__()
        self.shape, self.frozen = shape, parts.frozen
        self.register_buffer("centre", centre)
        self.register_buffer("spread", spread)
        self.body = parts.body.requires_grad_(not parts.frozen)
        self.drop, self.head = nn.Dropout(parts.dropout), nn.Linear(parts.width, outputs)

    def train(self, mode: bool = True) -> "Network":
        """Learn, or not; a frozen body measures nothing of a batch either."""
        super().train(mode)
        self.body.train(mode and not self.frozen)
        return self

    def embedding(self, features: Tensor) -> Tensor:
        """Return what the body makes of ``features``, (records, width)."""
        values = features if self.shape is None else features.reshape(-1, *self.shape)
        scaled = (values - self.centre) / self.spread
        if self.shape is None:  # a gap counts as the usual value; pixels have none
            scaled = torch.where(torch.isnan(scaled), torch.zeros_like(scaled), scaled)
        return self.body(scaled)

    def forward(self, features: Tensor) -> Tensor:
        """Return the scores, (records, outputs)."""
        return self.head(self.drop(self.embedding(features)))


class Answering(nn.Module):  # type: ignore[misc]
    """A network that answers as the contract asks: probabilities, or a number in its own unit."""

    def __init__(self, network: Network, scale: tuple[float, float] | None) -> None:
        """``scale``: mean and spread of the numbers of training; None for labels."""
        super().__init__()
        self.network, self.scale = network, scale

    def forward(self, features: Tensor) -> Tensor:
        """Return (records, labels), or (records, 1)."""
        scores = self.network(features)
        return torch.softmax(scores, 1) if self.scale is None else scores * self.scale[1] + self.scale[0]
