"""One image: its name by content, and its grey values. The server uses it as well.

Reads and writes nothing.
"""

import hashlib
import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from .render import upright

# A larger image is refused before it is decoded: a small file can unpack to gigabytes.
MAX_PIXELS = 4_000_000
# Formats of pictures alone: others of Pillow's decoders start programs or read other files.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")


def identity(payload: bytes) -> str:
    """Name a record by the hex SHA-256 of its image bytes, as collected."""
    return hashlib.sha256(payload).hexdigest()


def decode(payload: bytes, shape: tuple[int, int]) -> np.ndarray:
    """Decode image bytes to grey values, uint8 of ``shape`` (height, width).

    A photograph (JPEG) is turned as its camera says. An image of another size is averaged or repeated to ``shape`` (box
    filter).

    Raises:
        ValueError: if the bytes are no image, are cut off, or hold more than ``MAX_PIXELS``.
    """
    try:
        with Image.open(io.BytesIO(payload), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"{image.width} x {image.height} pixels are more than {MAX_PIXELS}")
            grey = upright(image).convert("L")
    except UnidentifiedImageError as error:
        raise ValueError(f"no image; readable are {', '.join(FORMATS)}") from error
    except (OSError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(f"unreadable image: {error}") from error
    if grey.size != (shape[1], shape[0]):
        grey = grey.resize((shape[1], shape[0]), Image.Resampling.BOX)
    return np.asarray(grey, dtype=np.uint8)
