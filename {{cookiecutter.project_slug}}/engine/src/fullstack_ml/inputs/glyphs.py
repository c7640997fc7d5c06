"""Pictures of what people know to be out of scope: letters, signs, and several records in one picture.

Reads the typefaces that are bundled with matplotlib; writes nothing. ``data.drawn`` of ``product.yaml`` names what is
drawn, and stage ``evaluate`` says how much of it is answered.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from string import ascii_letters

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from fullstack_ml.inputs.pictures import typical
from fullstack_ml.product.types import Product

FACES = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSansMono-Oblique")
CHARACTERS = {"letters": ascii_letters, "signs": "+=*/%&?!#@()<>[]{}$~^:;"}
FINE = 4  # a picture is drawn so many times larger in each direction, then its blocks are averaged
PAIRS = 200


def drawn(inputs: np.ndarray, product: Product, seed: int) -> dict[str, np.ndarray]:
    """Return what ``data.drawn`` names, each uint8 of the shape of ``inputs``, records first.

    A character that is a label of the product is left out.
    """
    labels = {name.casefold() for name in product.formulation.label_names}
    box = typical(inputs, product)
    made: dict[str, np.ndarray] = {}
    for name in product.data.drawn:
        if name == "pairs":
            made[name] = beside(inputs, np.random.default_rng(seed))
            continue
        signs = [sign for sign in CHARACTERS[name] if sign.casefold() not in labels]
        made[name] = np.stack([glyph(sign, face, inputs.shape[1:], box) for face in FACES for sign in signs])
    return made


def glyph(sign: str, face: str, shape: tuple[int, ...], box: dict[str, float]) -> np.ndarray:
    """Draw one character, dark on white, as large as nine of ten records are, and with as broad a pen as they have.

    ``box``: what ``typical`` measures of records.
    """
    package = find_spec("matplotlib")  # its typefaces, without the second that importing it takes
    assert package is not None and package.origin is not None
    font = ImageFont.truetype(str(Path(package.origin).parent / f"mpl-data/fonts/ttf/{face}.ttf"), 96)
    left, top, right, bottom = (round(edge) for edge in font.getbbox(sign))
    large = Image.new("L", (right - left, bottom - top), 255)
    ImageDraw.Draw(large).text((-left, -top), sign, fill=0, font=font)
    room = (max(1, FINE * shape[1] * box["width"]), max(1, FINE * shape[0] * box["height"]))
    factor = min(room[0] / large.width, room[1] / large.height)
    large = large.resize((max(1, round(large.width * factor)), max(1, round(large.height * factor))))
    paper = Image.new("L", (FINE * shape[1], FINE * shape[0]), 255)
    paper.paste(large, ((paper.width - large.width) // 2, (paper.height - large.height) // 2))
    for _ in range(FINE):
        if 1 - np.asarray(paper).mean() / 255 < box["ink"]:
            paper = paper.filter(ImageFilter.MinFilter(3))
    grey = np.asarray(paper.reduce(FINE))
    return grey if len(shape) == 2 else np.repeat(grey[:, :, np.newaxis], shape[2], axis=2)


def beside(inputs: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Put two records beside each other into the room of one."""
    first, second = (random.integers(0, len(inputs), min(PAIRS, len(inputs))) for _ in range(2))
    wide = np.concatenate([inputs[first], inputs[second]], axis=2)
    size = (inputs.shape[2], inputs.shape[1])
    return np.stack([np.asarray(Image.fromarray(pair).resize(size, Image.Resampling.BOX)) for pair in wide])
