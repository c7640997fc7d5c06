"""What may change in the world and leave the answers as they are: a scanner, a measurement, how people write.

Reads and writes nothing. Each function takes records in their payload columns and returns them as they come after the
change; ``make simulate`` sends them, to see whether the change is noticed.
"""

from __future__ import annotations

import io
import unicodedata
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageChops

from fullstack_ml.inputs.canvas import open_picture, upright
from fullstack_ml.product.types import Product

if TYPE_CHECKING:
    import polars as pl

GREY = ("1", "L", "LA", "I", "I;16", "F")
SPREADS = (0.4, 0.85)  # how much of a picture's dark parts reaches further
READS = (1.25, 1.4)  # times as much as before
# What comes of a Korean syllable when the keyboard is still set to English: its first letter, its vowel, its last one.
FIRST = tuple("r R s e E f a q Q t T d w W c z x v g".split())  # noqa: SIM905 - a table of keys, not of words
VOWEL = tuple("k o i O j p u P h hk ho hl y n nj np nl b m ml l".split())  # noqa: SIM905
LAST = ("", *"r R rt s sw sg e f fr fa fq ft fx fv fg a q qt t T d w c z x v g".split())  # noqa: SIM905
SYLLABLES = (0xAC00, 0xD7A3)
# And of English when it is set to Dvorak's.
KEYS = str.maketrans("qwertyuiopasdfghjklzxcvbnm", "',.pyfgcrlaoeuidhtn;qjkxbm")


def thicker(image: Image.Image, amount: float) -> Image.Image:
    """Return a picture whose dark parts reach an eighth further to the right and down, by ``amount`` from 0 to 1."""
    grown = image
    for right, down in ((max(1, image.width // 8), 0), (0, max(1, image.height // 8))):
        moved = grown.copy()
        moved.paste(grown, (right, down))
        grown = ImageChops.darker(grown, moved)
    return Image.blend(image, grown, amount)


def of_pictures(frame: pl.DataFrame, product: Product, seed: int) -> pl.DataFrame:
    """Return pictures as another scanner takes them: darker, each by an amount of its own, since dark parts spread."""
    import polars as pl

    made = []
    for payload, amount in zip(
        frame["payload"], np.random.default_rng(seed).uniform(*SPREADS, len(frame)), strict=True
    ):
        with open_picture(payload) as image:
            whole = upright(image).convert("L" if image.mode in GREY else "RGB")
        buffer = io.BytesIO()
        thicker(whole, amount).save(buffer, format="PNG")
        made.append(buffer.getvalue())
    return frame.with_columns(payload=pl.Series(made, dtype=pl.Binary))


def of_table(frame: pl.DataFrame, product: Product, seed: int) -> pl.DataFrame:
    """Return rows as another instrument measures them: every number that is no whole one is larger by a third or so.

    Where all are whole, these are larger. What would leave the contract's range stays at its end.
    """
    import polars as pl

    times = pl.Series(np.random.default_rng(seed).uniform(*READS, len(frame)))
    features = product.formulation.input.features
    measured = [feature for feature in features if feature.type == "number"]
    made = [
        (pl.lit(feature.bounds[0]) + (pl.col(feature.name) - feature.bounds[0]) * times)
        .clip(*feature.bounds)
        .alias(feature.name)
        for feature in measured or [feature for feature in features if feature.type == "whole"]
    ]
    return frame.with_columns(made).with_columns(
        pl.col(name).round().cast(kind) for name, kind in frame.schema.items() if kind.is_integer()
    )


def mistyped(text: str) -> str:
    """Return a text as it is typed on a keyboard that is set to another language."""
    typed = []
    for sign in unicodedata.normalize("NFC", text).lower():
        place = ord(sign) - SYLLABLES[0]
        if SYLLABLES[0] <= ord(sign) <= SYLLABLES[1]:
            typed.append(FIRST[place // 588] + VOWEL[place % 588 // 28] + LAST[place % 28])
        else:
            typed.append(sign.translate(KEYS))
    return "".join(typed)


def of_text(frame: pl.DataFrame, product: Product, seed: int) -> pl.DataFrame:
    """Return texts as people type them who do not see how their keyboard is set, from one of the first words on."""
    import polars as pl

    random, length = np.random.default_rng(seed), product.formulation.input.length or 0
    made = []
    for text in frame["text"]:
        words = text.split(" ")
        begin = int(random.integers(0, max(1, len(words) // 3)))
        made.append(" ".join([*words[:begin], *map(mistyped, words[begin:])])[:length])
    return frame.with_columns(text=pl.Series(made, dtype=pl.String))
