"""What stands around a network: scale in front of it, head and answer behind it.

Reads and writes nothing.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

Shape = tuple[int, int, int]  # channels, height, width
AT_ONCE = 2**22  # values that are scored at once


@dataclass(frozen=True)
class Parts:
    """A ``body`` that gives (records, ``width``); ``frozen``: its weights stay as they are.

    ``letters``: it takes rows of any length, the letters of a text, and makes ``width`` values of each.
    """

    body: nn.Module
    width: int
    dropout: float = 0.0
    frozen: bool = False
    letters: bool = False


class Network(nn.Module):  # type: ignore[misc]
    """From ``features`` to one score per label, or to one standardised number."""

    def __init__(self, parts: Parts, outputs: int, shape: Shape | None, centre: Tensor, spread: Tensor) -> None:
        """``shape`` makes a picture of the values; ``centre`` and ``spread`` scale them, or its channels."""
        super().__init__()
        self.shape, self.frozen, self.letters = shape, parts.frozen, parts.letters
        self.grows: int = parts.width if parts.letters else 1  # values that become of one
        self.register_buffer("centre", centre)
        self.register_buffer("spread", spread)
        self.body = parts.body.requires_grad_(not parts.frozen)
        self.drop, self.head = nn.Dropout(parts.dropout), nn.Linear(parts.width, outputs)

    def train(self, mode: bool = True) -> "Network":
        """Learn, or not; a frozen body measures nothing of a batch either."""
        super().train(mode)
        self.body.train(mode and not self.frozen)
        return self

    def at_once(self, rows: Tensor) -> int:
        """Return how many of ``rows`` can be scored together."""
        values: int = rows.shape[1] * self.grows
        return max(1, AT_ONCE // max(1, values))

    def embedding(self, features: Tensor) -> Tensor:
        """Return what the body makes of ``features``, (records, width)."""
        if self.letters:
            return self.body(features)
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

    def __init__(self, network: Network, scale: tuple[float, float] | None, several: bool) -> None:
        """``scale``: mean and spread of the numbers of training, None for labels, of which ``several`` may hold."""
        super().__init__()
        self.network, self.scale, self.several = network, scale, several

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the answer, (records, labels) or (records, 1), and the embedding, (records, width)."""
        embedding = self.network.embedding(features)
        scores = self.network.head(embedding)
        if self.scale is not None:
            return scores * self.scale[1] + self.scale[0], embedding
        return torch.sigmoid(scores) if self.several else torch.softmax(scores, 1), embedding
