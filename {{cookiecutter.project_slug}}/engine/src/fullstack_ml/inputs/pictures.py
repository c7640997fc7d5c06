"""Pictures as people see them: upright, at a size in which a person can judge them; and real ones to be strange.

Reads two photographs that are bundled with scikit-learn; writes nothing.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageFilter

from fullstack_ml.inputs import Omission
from fullstack_ml.inputs.canvas import FORMATS, open_picture, upright
from fullstack_ml.product.types import Product

if TYPE_CHECKING:
    import polars as pl

FILES: tuple[str, ...] = tuple(ending for endings in FORMATS.values() for ending in endings)
MEDIA: tuple[str, ...] = ("image/*",)
SCREEN = (
    '<Image name="record" value="$image" maxWidth="{width}px" zoom="true" zoomControl="true" rotateControl="false"/>'
)
PHOTOGRAPHS = 100
INK = 0.25  # a pixel belongs to a drawing when it is at least this dark, from 0 (white) to 1 (black)
# A picture is enlarged to about SMALL pixels, smoothly, since people read shapes and not pixels, or reduced to LARGE.
SMALL, LARGE = 240, 1024
THUMBNAIL = 256  # the same on a page with many records
BROWSERS = ("PNG", "JPEG", "GIF", "WEBP")  # what is sent as it was collected, unless its size is changed


def omissions(product: Product, values: np.ndarray | None = None) -> Iterator[Omission]:
    """Return nothing: a picture has no hole, and ``regions`` names its parts."""
    return iter(())


def picture(payload: bytes, small: int = SMALL, large: int = LARGE) -> str:
    """Return image bytes as a data URI that a browser shows at a size in which a person can judge it."""
    with open_picture(payload) as image:
        kind, longest = image.format or "", max(image.size)
        if kind not in BROWSERS or not small <= longest <= large:
            whole = "RGBA" if image.has_transparency_data else "RGB"  # a palette may have transparent colours too
            shown = upright(image).convert(whole if image.mode not in ("L", "LA", "RGBA") else image.mode)
            factor = (small if longest < small else min(longest, large)) / longest
            size = (max(1, round(shown.width * factor)), max(1, round(shown.height * factor)))
            buffer, kind = io.BytesIO(), "PNG" if shown.mode != "RGB" else "JPEG"
            shown.resize(size, Image.Resampling.BICUBIC).save(buffer, format=kind, quality=92)
            payload = buffer.getvalue()
    return f"data:image/{kind.lower()};base64,{base64.b64encode(payload).decode()}"


def hashes(seen: np.ndarray) -> list[int]:
    """Return 64 bits for each grey picture, uint8 (pictures, 32, 32): which of the 8 x 8 longest waves are strong.

    Zauner 2010, Implementation and Benchmarking of Perceptual Image Hash Functions; ``phash`` of imagehash, but fast.
    """
    from scipy.fft import dct  # slow to import, and only stage validate needs it

    waves = dct(dct(seen.astype(np.float64), axis=1), axis=2)[:, :8, :8].reshape(-1, 64)
    bits = np.packbits(waves > np.median(waves, axis=1, keepdims=True), axis=1)
    return [int(number) for number in bits.view(">u8").ravel()]


def photographs(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """Cut squares out of the photographs and reduce them to ``shape``."""
    package = find_spec("sklearn")  # its photographs, read without the second that importing it takes
    assert package is not None and package.origin is not None
    cuts = []
    for file in sorted((Path(package.origin).parent / "datasets/images").glob("*.jpg")):
        with Image.open(file) as photograph:
            seen = np.asarray(photograph.convert("L" if len(shape) == 2 else "RGB"))
        for _ in range(PHOTOGRAPHS // 2):
            side = int(random.integers(32, 128))
            top, left = (int(random.integers(0, edge - side)) for edge in seen.shape[:2])
            cut = Image.fromarray(seen[top : top + side, left : left + side])
            cuts.append(np.asarray(cut.resize((shape[1], shape[0]), Image.Resampling.BOX)))
    return np.stack(cuts)


def strangers(inputs: np.ndarray, product: Product, seed: int) -> dict[str, np.ndarray]:
    """Return unfamiliar pictures by kind, each uint8 of the shape of ``inputs``, records first."""
    random = np.random.default_rng(seed)
    flat = inputs.reshape(len(inputs), inputs.shape[1] * inputs.shape[2], -1)
    quarters = 1 if inputs.shape[1] == inputs.shape[2] else 2  # a quarter turn would give another shape
    white = np.full((20, *inputs.shape[1:]), 255, np.uint8)
    blur = ImageFilter.GaussianBlur(inputs.shape[1] / 6)
    return {
        f"turned by {90 * quarters} degrees": np.ascontiguousarray(np.rot90(inputs, quarters, axes=(1, 2))),
        "inverted": 255 - inputs,
        "blurred": np.stack([np.asarray(Image.fromarray(image).filter(blur)) for image in inputs]),
        "noise": random.integers(0, 256, inputs.shape, np.uint8),
        "shuffled pixels": random.permuted(flat, axis=1).reshape(inputs.shape),
        "blank": np.concatenate([white[:7], white[:7] // 2, white[:6] * 0]),
        "blank with dust": white - random.integers(0, 8, white.shape, np.uint8),
        "photographs": photographs(inputs.shape[1:], random),
    }


def typical(inputs: np.ndarray, product: Product) -> dict[str, Any]:
    """Measure what a drawing has to look like: the shares of the image that its box and its ink take up.

    ``inputs`` is uint8 (records, height, width), dark ink on white, colour with channels. ``height`` and ``width`` hold
    nine of ten drawings; ``ink`` is the usual mean darkness.
    """
    ink = 1.0 - inputs.reshape(*inputs.shape[:3], -1).mean(axis=3) / 255.0
    spans = []
    for axis in (2, 1):
        marked = ink.max(axis=axis) >= INK
        marked = marked[marked.any(axis=1)]
        last = marked.shape[1] - marked[:, ::-1].argmax(axis=1)
        spans.append((last - marked.argmax(axis=1)) / marked.shape[1])
    height, width = (float(np.quantile(span, 0.9)) if len(span) else 1.0 for span in spans)
    return {"height": height, "width": width, "ink": float(np.median(ink.mean(axis=(1, 2))))}


def draw(values: np.ndarray, product: Product) -> str:
    """Draw dark pixels as dense characters."""
    inks = " .:-=+*#%@"
    values = values.reshape(*values.shape[:2], -1).mean(axis=2)
    return "\n".join("  " + "".join(2 * inks[(255 - int(value)) * 9 // 255] for value in row) for row in values)


def logged(stored: Sequence[bytes], product: Product) -> pl.DataFrame:
    """The log keeps a picture as it came."""
    import polars as pl

    return pl.DataFrame({"payload": list(stored)}, schema={"payload": pl.Binary()})
