"""Files of pictures in a real browser: the same pixels as in the pipeline, or a sentence why not."""

import base64
import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chromium import Page, beside
from fullstack_ml.edge import build
from fullstack_ml.inputs import image
from fullstack_ml.inputs.canvas import Canvas, decode

pytestmark = pytest.mark.task("image-classification")
CANVASES = [Canvas(8, 8), Canvas(8, 8, 3), Canvas(9, 12, 3, "letterbox", 40), Canvas(12, 9, 1, "crop")]
CANVASES += [Canvas(20, 7, 3, "crop")]
SIZES = [(8, 8), (1, 1), (3, 200), (200, 3), (7, 9), (16, 16), (20, 20), (28, 28), (33, 17), (299, 301), (640, 480)]
KINDS = [("RGB", "PNG"), ("L", "PNG"), ("P", "PNG"), ("1", "PNG"), ("RGB", "BMP"), ("P", "GIF"), ("L", "JPEG")]
KINDS += [("RGB", "JPEG"), ("CMYK", "JPEG"), ("RGB", "WEBP")]
DECODE = """
const { decode } = await import("./image.js");
const found = {};
for (const [name, bytes] of Object.entries(files)) {
  const blob = new Blob([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))]);
  const all = inputs.map((input) => decode(blob, input, limit).then((pixels) => [...pixels], (error) => error.message));
  found[name] = await Promise.all(all);
}
return found;
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """An empty page beside the modules of the real one."""
    with beside(tmp_path_factory.mktemp("page"), [build.PAGE / name for name in image.PAGE]) as opened:
        yield opened


def seen(page: Page, files: dict[str, bytes], limit: int = 10**6) -> dict[str, Any]:
    """Return what the page makes of every file: pixels per canvas, or what it says."""
    inputs = [{"shape": canvas.shape, "fit": canvas.fit, "ground": canvas.ground} for canvas in CANVASES]
    sent = {name: base64.b64encode(content).decode() for name, content in files.items()}
    return dict(page.run(DECODE, files=sent, inputs=inputs, limit=limit))


def apart(page: Page, files: dict[str, bytes]) -> dict[str, int]:
    """Return by how many levels page and pipeline differ, at most, by file."""
    found = seen(page, files)
    assert {name: pixels for name, pixels in found.items() if isinstance(pixels[0], str)} == {}
    return {
        name: max(
            int(np.abs(decode(content, canvas).ravel().astype(int) - pixels).max())
            for canvas, pixels in zip(CANVASES, found[name], strict=True)
        )
        for name, content in files.items()
    }


def noise(mode: str, size: tuple[int, int] = (31, 23), seed: int = 0) -> Image.Image:
    """Draw a picture of noise, (width, height)."""
    random = np.random.default_rng([seed, *size])
    return Image.fromarray(random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).convert(mode)


def encoded(picture: Image.Image, kind: str, orientation: int = 0, **options: Any) -> bytes:
    """Write a picture as a file, lossless where the format can, with an orientation as a camera writes it."""
    buffer, held = io.BytesIO(), Image.Exif()
    held[0x0112] = orientation
    how: dict[str, dict[str, Any]] = {"JPEG": {"quality": 92}, "WEBP": {"lossless": True, "exact": True}}
    picture.save(buffer, kind, **options, **how.get(kind, {}), **({"exif": held} if orientation else {}))
    return buffer.getvalue()


def png_of_16_bits(colour: int, channels: int) -> bytes:
    """Write noise as PNG of a colour type that Pillow only reads (PNG 1.2, chapter 4.1.1)."""
    values = np.random.default_rng(colour).integers(0, 65_536, (23, 31, channels)).astype(">u2")
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in values))
    header = struct.pack(">IIBBBBB", 31, 23, 16, colour, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_pictures_of_any_size_and_kind_become_the_same_pixels(page: Page) -> None:
    files = {f"{mode} {kind} {size}": encoded(noise(mode, size), kind) for mode, kind in KINDS for size in SIZES}
    assert {name for name, levels in apart(page, files).items() if levels} == set()


def test_a_picture_stands_upright_in_the_page_as_in_the_pipeline(page: Page) -> None:
    kinds = ("PNG", "JPEG", "WEBP")
    files = {f"{kind} {held}": encoded(noise("RGB"), kind, held) for kind in kinds for held in range(1, 10)}
    assert {name for name, levels in apart(page, files).items() if levels} == set()


def test_transparent_pictures_and_16_bits_differ_by_a_level_at_most(page: Page) -> None:
    clear = noise("RGBA")
    clear.putalpha(noise("L", seed=1))
    shares = bytes(range(256))
    files = {
        "RGBA PNG": encoded(clear, "PNG"),
        "LA PNG": encoded(clear.convert("LA"), "PNG"),
        "RGBA WEBP": encoded(clear, "WEBP"),
        "P PNG with shares": encoded(noise("P"), "PNG", transparency=shares),
        "P GIF with a clear colour": encoded(noise("P"), "GIF", transparency=3),
        "RGB PNG with a clear colour": encoded(noise("RGB"), "PNG", transparency=noise("RGB").getpixel((0, 0))),
        "L PNG with a clear level": encoded(noise("L"), "PNG", transparency=noise("L").getpixel((0, 0))),
        "L PNG of 16 bits": png_of_16_bits(0, 1),
        "RGB PNG of 16 bits": png_of_16_bits(2, 3),
        "LA PNG of 16 bits": png_of_16_bits(4, 2),
        "RGBA PNG of 16 bits": png_of_16_bits(6, 4),
    }
    assert {name: levels for name, levels in apart(page, files).items() if levels > 1} == {}


def test_what_only_one_of_the_two_could_read_is_refused_with_a_sentence(page: Page) -> None:
    two = [noise("RGB"), noise("RGB", seed=1)]
    moving: dict[str, Any] = {"save_all": True, "append_images": two[1:], "duration": 100}
    files = {f"moving {kind}": encoded(two[0], kind, **moving) for kind in ("GIF", "PNG", "WEBP")}
    for content in files.values():
        with pytest.raises(ValueError, match="it moves"):
            decode(content, CANVASES[0])
    files |= {"TIFF": encoded(two[0], "TIFF"), "PPM": encoded(two[0], "PPM"), "AVIF": encoded(two[0], "AVIF")}
    files |= {"text": b"no picture", "nothing": b"", "cut": encoded(two[0], "PNG")[:99]}
    moves = "The picture moves: 2 pictures in one file. Store one of them."
    other = "This file is no PNG, JPEG, WebP, GIF or BMP picture. Save it as PNG or JPEG."
    assert {name: said[0] for name, said in seen(page, files).items()} == {
        "moving GIF": moves,
        "moving PNG": moves,
        "moving WEBP": moves,
        "TIFF": "A browser cannot read a TIFF file. Save it as PNG or JPEG.",
        "PPM": other,
        "AVIF": other,
        "text": other,
        "nothing": other,
        "cut": "This browser cannot read the PNG file: it is broken, or of a rare kind. Save it as PNG.",
    }
    assert seen(page, {"large": encoded(two[0], "PNG")}, limit=700)["large"][0] == "31 x 23 pixels are more than 700."
