"""The task: how an image record is named, described, checked and turned into the model's input.

Reads and writes nothing. Another task is another file with these six functions.
"""

import numpy as np
import polars as pl

from .payload import decode, identity
from .product import Product


def columns(product: Product) -> dict[str, pl.DataType]:
    """Return the payload columns of a record: the image's bytes as collected."""
    return {"payload": pl.Binary()}


def content_id(frame: pl.DataFrame, product: Product) -> pl.Series:
    """Name every record by the hex SHA-256 of its image bytes, as collected."""
    return pl.Series("id", [identity(payload) for payload in frame["payload"]], dtype=pl.String)


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


def fingerprints(frame: pl.DataFrame) -> pl.Series | None:
    """Return a perceptual hash of every image (UInt64; null where unreadable): alike images differ in few bits.

    The method is the DCT hash of the library imagehash.
    """
    import imagehash  # slow to import, and only stage validate needs it
    from PIL import Image

    found: list[int | None] = []
    for payload in frame["payload"]:
        try:
            grey = decode(payload, (32, 32))  # the size from which the hash is taken
        except ValueError:
            found.append(None)
        else:
            found.append(int(str(imagehash.phash(Image.fromarray(grey))), 16))
    return pl.Series("fingerprint", found, dtype=pl.UInt64)
