"""A network on the letters of a text: each a vector, convolutions over them, the largest of every channel.

Reads and writes nothing. It gets code points as float32, with zeros behind a text; how many zeros follow changes
nothing of what it says, so that it learns and answers on the length of the longest text of a batch.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fullstack_ml.modeling.train.backends.torch.answering import Parts, Shape

# Of a hash, so that neighbours of the alphabet fall into places of their own; the product fits into 64 bits.
SPREAD, PRIME = 48_271, 2_147_483_647
HANGUL, LAST, VOWELS, TAILS = 0xAC00, 0xD7A3, 588, 28  # syllables of Korean: first letter, vowel, last letter


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
        vectors = self.drop(self.vectors(codes)).transpose(1, 2)
        return torch.cat([torch.relu(way(vectors)).amax(dim=2) for way in self.ways], dim=1)


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
