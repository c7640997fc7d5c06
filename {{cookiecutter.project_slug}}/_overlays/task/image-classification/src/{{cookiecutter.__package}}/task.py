"""The task: how an image record is named, described, checked and turned into the model's input.

Reads and writes nothing. Another task is another file with these five functions.
"""

import hashlib
import io

import numpy as np
import polars as pl
from PIL import Image, UnidentifiedImageError

from .product import Product

# A larger image is refused before it is decoded: a small file can unpack to gigabytes.
MAX_PIXELS = 4_000_000


def columns(product: Product) -> dict[str, pl.DataType]:
    """Return the payload columns of a record: the image's bytes as collected."""
    return {"payload": pl.Binary()}


def content_id(frame: pl.DataFrame, product: Product) -> pl.Series:
    """Name every record by the hex SHA-256 of its image bytes, as collected."""
    ids = [hashlib.sha256(payload).hexdigest() for payload in frame["payload"]]
    return pl.Series("id", ids, dtype=pl.String)


def decode(payload: bytes, shape: tuple[int, int]) -> np.ndarray:
    """Decode image bytes to grey values, uint8 of ``shape`` (height, width).

    An image of another size is averaged or repeated to ``shape`` (box filter).

    Raises:
        ValueError: if the bytes are no image, are cut off, or hold more than ``MAX_PIXELS``.
    """
    try:
        with Image.open(io.BytesIO(payload)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"{image.width} x {image.height} pixels are more than {MAX_PIXELS}")
            grey = image.convert("L")
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"unreadable image: {error}") from error
    if grey.size != (shape[1], shape[0]):
        grey = grey.resize((shape[1], shape[0]), Image.Resampling.BOX)
    return np.asarray(grey, dtype=np.uint8)


def matrix(frame: pl.DataFrame, product: Product) -> np.ndarray:
    """Return the model's input: uint8 grey values of shape (records, height, width)."""
    shape = product.formulation.input.shape
    assert shape is not None
    return np.stack([decode(payload, shape) for payload in frame["payload"]])


def describe(frame: pl.DataFrame, product: Product) -> pl.DataFrame:
    """Add the columns that slices select by: ``ink``, the mean darkness from 0 (white) to 1 (black)."""
    ink: list[float | None] = []
    for payload in frame["payload"]:
        try:
            ink.append(1.0 - float(decode(payload, product.formulation.input.shape or (1, 1)).mean()) / 255.0)
        except ValueError:
            ink.append(None)  # faults() reports the record
    return frame.with_columns(pl.Series("ink", ink, dtype=pl.Float64))


def faults(frame: pl.DataFrame, product: Product) -> list[tuple[str, str]]:
    """List (record id, what is wrong) for every payload that ``product`` does not allow."""
    found = []
    for record, payload in zip(frame["id"], frame["payload"], strict=True):
        try:
            decode(payload, product.formulation.input.shape or (1, 1))
        except ValueError as error:
            found.append((record, str(error)))
    return found
