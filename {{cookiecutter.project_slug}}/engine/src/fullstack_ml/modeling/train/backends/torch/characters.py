"""A network on the letters of a text: each a vector, convolutions over them, the largest of every channel.

Reads and writes nothing. It gets code points as float32, with zeros behind a text; how many zeros follow changes
nothing of what it says, so that it learns and answers on the length of the longest text of a batch.

Of a channel only the place with the largest value learns. On a CPU ``Highest`` therefore goes back to these places
alone, which finds the same gradient as going back through the whole convolution and makes learning two to four times as
fast.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from fullstack_ml.modeling.train.backends.torch.answering import Parts, Shape

# Of a hash, so that neighbours of the alphabet fall into places of their own; the product fits into 64 bits.
SPREAD, PRIME = 48_271, 2_147_483_647
HANGUL, LAST, VOWELS, TAILS = 0xAC00, 0xD7A3, 588, 28  # syllables of Korean: first letter, vowel, last letter


class Highest(torch.autograd.Function):  # type: ignore[misc]
    """The largest value of every channel of a convolution over the letters of texts."""

    @staticmethod
    def forward(ctx: Any, letters: Tensor, places: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Return (texts, channels).

        Args:
            ctx: what ``backward`` gets.
            letters: a vector for each of the letters that occur, (letters, size).
            places: which of them stand in the texts, (texts, length).
            weight: of the convolution, (channels, size, width).
            bias: of the convolution, (channels,).
        """
        width = weight.shape[2]
        planes = letters[places][:, None].permute(0, 3, 1, 2)  # a CPU convolves faster with the channels last
        kernel = weight[:, :, None].contiguous(memory_format=torch.channels_last)
        made = functional.conv2d(planes, kernel, bias, padding=(0, width))
        top, where = functional.max_pool2d(made, (1, made.shape[3]), return_indices=True)
        ctx.save_for_backward(letters, places, weight, where.flatten(1))
        return top.flatten(1)

    @staticmethod
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor, None, Tensor, Tensor]:
        """Return the gradients of letters, weight and bias: a channel's goes to the letters of its largest value."""
        letters, places, weight, where = ctx.saved_tensors
        (channels, _, width), count = weight.shape, len(letters)
        given = given.to(weight.dtype)
        padded = functional.pad(places, (width, width), value=count)  # no letter
        to_letters, to_weight = torch.zeros_like(letters), torch.empty_like(weight)
        for i in range(width):
            at = (padded.gather(1, where + i) * channels + torch.arange(channels)).flatten()
            summed = letters.new_zeros((count + 1) * channels).scatter_add_(0, at, given.flatten())
            moved = summed.view(count + 1, channels)[:count]
            to_letters.addmm_(moved, weight[:, :, i])
            to_weight[:, :, i] = moved.t() @ letters
        return to_letters, None, to_weight, given.sum(0)


class Characters(nn.Module):  # type: ignore[misc]
    """Vectors of letters, and convolutions of several widths side by side (Kim 2014, with letters for words)."""

    def __init__(self, table: int, size: int, widths: Sequence[int], channels: int, dropout: float) -> None:
        """``table`` places for letters, vectors of ``size``, ``channels`` for each of ``widths``."""
        super().__init__()
        self.table = table
        self.letters = nn.Embedding(table + 1, size, padding_idx=0)
        self.drop = nn.Dropout(dropout)
        # So much is added on both sides that every text has a stretch without a letter, however many zeros follow it.
        self.ways = nn.ModuleList(nn.Conv1d(size, channels, width, padding=width) for width in widths)

    def places(self, codes: Tensor) -> Tensor:
        """Return the place of every letter in the table, 0 where there is none."""
        hashed = (codes * SPREAD) % PRIME % self.table + 1
        return torch.where(codes > 0, hashed, torch.zeros_like(hashed))

    def vectors(self, codes: Tensor) -> Tensor:
        """Return the vector of every letter; to a syllable of Korean those of its parts are added."""
        inside = (codes >= HANGUL) & (codes <= LAST)
        syllable = torch.where(inside, codes - HANGUL, torch.zeros_like(codes))
        first = 0x1100 + torch.div(syllable, VOWELS, rounding_mode="trunc")
        vowel = 0x1161 + torch.div(syllable % VOWELS, TAILS, rounding_mode="trunc")
        last = 0x11A7 + syllable % TAILS
        made = self.letters(self.places(codes))
        for part in (first, vowel, last):
            made = made + self.letters(self.places(torch.where(inside, part, torch.zeros_like(part))))
        return made

    def forward(self, values: Tensor) -> Tensor:
        """Return the largest of every channel, (records, channels of all widths)."""
        codes = values.to(torch.int64)
        if not torch.compiler.is_compiling():  # the graph gets no more than the longest text of a batch
            codes = codes[:, : max(1, int((codes > 0).any(dim=0).sum()))]
        if self.training:
            return torch.relu(self.learned(codes))
        vectors = self.vectors(codes).transpose(1, 2)
        return torch.cat([torch.relu(way(vectors)).amax(dim=2) for way in self.ways], dim=1)

    def learned(self, codes: Tensor) -> Tensor:
        """Return the same before it is cut at 0, for learning: a vector is made once for every letter that occurs."""
        known, places = torch.unique(codes, return_inverse=True)
        letters = self.drop(self.vectors(known))
        if codes.device.type == "cpu":
            return torch.cat([Highest.apply(letters, places, way.weight, way.bias) for way in self.ways], dim=1)
        vectors = letters[places].transpose(1, 2)
        return torch.cat([way(vectors).amax(dim=2) for way in self.ways], dim=1)


def characters(
    shape: Shape | None,
    values: int,
    table: int = 2048,
    size: int = 32,
    widths: Sequence[int] = (2, 3, 4, 5),
    channels: int = 64,
    dropout: float = 0.0,
) -> Parts:
    """Convolutions over the letters of a text."""
    body = Characters(table, size, widths, channels, dropout)
    return Parts(body, channels * len(widths), dropout, letters=True)
