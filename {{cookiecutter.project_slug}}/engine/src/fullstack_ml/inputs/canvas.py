"""From the bytes of a picture to the values of the contract: upright, without transparency, at its size.

``formulation.input`` of ``product.yaml`` says how: ``shape`` (``[height, width]`` grey, ``[height, width, 3]`` colour),
``fit`` and ``ground``. The page in the browser does the same (edge/page/image.js); a test holds the two together.

Reads and writes nothing.
"""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from fullstack_ml.inputs.metadata import Metered, orientation, without_metadata
from fullstack_ml.product.formulation import MAX_PIXELS, MAX_VALUES
from fullstack_ml.product.types import Product

# Formats of pictures alone: others of Pillow's decoders start programs or read other files.
# Each with the endings of its files, which are what is collected of a folder; a server looks at the bytes.
FORMATS = {"PNG": (".png",), "JPEG": (".jpg", ".jpeg"), "BMP": (".bmp",), "GIF": (".gif",), "WEBP": (".webp",)}
FORMATS |= {"TIFF": (".tif", ".tiff"), "PPM": (".ppm", ".pgm", ".pbm")}  # which no browser reads
DEEP = 65_535  # white of 16 bits

# Pillow's own function also writes EXIF, and fails where that is damaged.
WAYS = Image.Transpose
TURNS = {2: WAYS.FLIP_LEFT_RIGHT, 3: WAYS.ROTATE_180, 4: WAYS.FLIP_TOP_BOTTOM, 5: WAYS.TRANSPOSE}
TURNS |= {6: WAYS.ROTATE_270, 7: WAYS.TRANSVERSE, 8: WAYS.ROTATE_90}


class Canvas(NamedTuple):
    """What a picture is brought to: ``channels`` is 1 (grey) or 3 (red, green, blue).

    ``fit`` says what happens to another proportion: ``stretch``, ``letterbox`` (bars of ``ground``) or ``crop`` (the
    middle). ``ground``, from 0 to 255, also lies below what is transparent. ``max_pixels`` is the largest picture that
    is read, and ``max_values`` how many values of one a model is given.
    """

    height: int
    width: int
    channels: int = 1
    fit: str = "stretch"
    ground: int = 255
    max_pixels: int = MAX_PIXELS
    max_values: int = MAX_VALUES

    @property
    def mode(self) -> str:
        """Return Pillow's name of the channels."""
        return "L" if self.channels == 1 else "RGB"

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of the values, without a last dimension where they are grey."""
        return (self.height, self.width) if self.channels == 1 else (self.height, self.width, self.channels)


def canvas_of(product: Product) -> Canvas:
    """Return what the contract asks for."""
    wanted = product.formulation.input
    assert wanted.shape is not None
    height, width, *channels = wanted.shape
    return Canvas(height, width, (*channels, 1)[0], wanted.fit, wanted.ground, wanted.max_pixels, wanted.max_values)


def upright(image: Image.Image) -> Image.Image:
    """Turn a picture as its camera was held, whatever its format (EXIF 2.3, tag 0x0112)."""
    image.load()  # Pillow turns a TIFF itself then
    turn = TURNS.get(orientation(image.info.get("exif", b"")))  # Pillow's own also asks XMP, as no browser does
    return image if turn is None else image.transpose(turn)


def flattened(image: Image.Image, mode: str, ground: int) -> Image.Image:
    """Return 8 bits of ``mode``, upright: 16 bits scaled by their range, what is transparent laid on ``ground``.

    Raises:
        ValueError: for a moving picture, or numbers without a range.
    """
    if getattr(image, "is_animated", False):  # how many there are is not asked: each would be decoded
        raise ValueError("it moves, or has several pages: more than one picture in the file; store one of them")
    image = upright(image)
    if image.mode.startswith("I"):
        values = np.asarray(image, dtype=np.int64)
        if values.min() < 0 or values.max() > DEEP:
            raise ValueError("its numbers go beyond 16 bits; store it in 8 or 16 bits")
        return Image.fromarray(np.rint(values * (255 / DEEP)).astype(np.uint8)).convert(mode)
    if image.mode == "F":
        raise ValueError("its numbers have no range (floating point); store it in 8 or 16 bits")
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, (ground, ground, ground)), seen).convert(mode)
    return image.convert(mode)


def fitted(image: Image.Image, canvas: Canvas) -> Image.Image:
    """Bring a picture to the canvas's size by a box filter, as ``canvas.fit`` says."""
    width, height = image.size
    size = (canvas.width, canvas.height)
    if canvas.fit == "stretch":
        return image if image.size == size else image.resize(size, Image.Resampling.BOX)
    scales = (canvas.width / width, canvas.height / height)
    if canvas.fit == "crop":
        scale = max(scales)
        inner = (min(width, whole(canvas.width / scale)), min(height, whole(canvas.height / scale)))
        left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
        return image.crop((left, top, left + inner[0], top + inner[1])).resize(size, Image.Resampling.BOX)
    scale = min(scales)
    inner = (min(canvas.width, whole(width * scale)), min(canvas.height, whole(height * scale)))
    whole_canvas = Image.new(canvas.mode, size, canvas.ground if canvas.channels == 1 else (canvas.ground,) * 3)
    place = ((canvas.width - inner[0]) // 2, (canvas.height - inner[1]) // 2)
    whole_canvas.paste(image.resize(inner, Image.Resampling.BOX), place)
    return whole_canvas


def whole(length: float) -> int:
    """Round half up, as the page does, to at least one pixel."""
    return max(1, int(length + 0.5))


@contextmanager
def faults_told() -> Iterator[None]:
    """Say what is wrong with a picture as a ``ValueError``; Pillow raises what it likes at a broken file."""
    try:
        yield
    except ValueError:
        raise
    except UnidentifiedImageError as error:
        raise ValueError(f"no image; readable are {', '.join(FORMATS)}") from error
    except Exception as error:
        raise ValueError(f"unreadable image: {error}") from error


def open_picture(payload: bytes) -> Image.Image:
    """Read the header of image bytes, or raise a ``ValueError``; ``decode_opened`` decodes the rest."""
    with faults_told():
        read, exif = without_metadata(payload)
        file = Metered(read)
        image = Image.open(file, formats=tuple(FORMATS))
        file.left = sys.maxsize  # the pixels of a strip may be read in pieces that overlap
        if exif:
            image.info["exif"] = exif
        return image


def decode_opened(image: Image.Image, canvas: Canvas) -> np.ndarray:
    """Decode a picture that was opened to uint8 of ``canvas.shape``, and close it.

    Raises:
        ValueError: if it is cut off, moves, or holds more than ``canvas.max_pixels``.
    """
    with faults_told(), closing(image):  # with its pixels, while others of a request are decoded
        if image.width * image.height > canvas.max_pixels:  # before it is decoded: a small file can unpack to gigabytes
            raise ValueError(f"{image.width} x {image.height} pixels are more than max_pixels, {canvas.max_pixels}")
        return np.asarray(fitted(flattened(image, canvas.mode, canvas.ground), canvas), dtype=np.uint8)


def decode(payload: bytes, canvas: Canvas) -> np.ndarray:
    """Decode image bytes to uint8 of ``canvas.shape``, or raise a ``ValueError``."""
    return decode_opened(open_picture(payload), canvas)
