"""Pictures of a request: their type in JSON, what their headers state, and how they are decoded.

Reads and writes nothing. They come in base64, or as the files of a form.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import math
import time
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from PIL import Image, ImageDraw
from pydantic import BaseModel, ConfigDict, Field

from fullstack_ml.inputs import Decoded, UnreadableError
from fullstack_ml.inputs.canvas import canvas_of, decode_opened, open_picture
from fullstack_ml.product.types import Product

KEPT_PIXELS = 1_000_000  # of pictures of a request that stay open


def identity(payload: bytes) -> str:
    """Name a record by the hex SHA-256 of its image bytes, as collected."""
    return hashlib.sha256(payload).hexdigest()


def record_type(product: Product) -> type[BaseModel]:
    """One field: the picture's bytes in base64."""
    height, width = canvas_of(product)[:2]
    meaning = product.formulation.input.meaning
    what = f"{meaning}; PNG, JPEG or another picture format, scaled to {width} x {height} pixels"
    encoding = {"contentEncoding": "base64", "contentMediaType": "image/png"}

    class Record(BaseModel):
        model_config = ConfigDict(extra="forbid", json_schema_extra={"example": example(product)})

        image: Annotated[str, Field(strict=True, min_length=4, description=what, json_schema_extra=encoding)]

    return Record


def example(product: Product) -> dict[str, Any]:
    """Draw the name of the first label, dark on white, as large as the model's input."""
    height, width = canvas_of(product)[:2]
    image = Image.new("L", (64, 64), 255)
    ImageDraw.Draw(image).text((32, 32), product.formulation.label_names[0], 0, anchor="mm", font_size=64)
    file = io.BytesIO()
    image.resize((width, height), Image.Resampling.BOX).save(file, "PNG")
    return {"image": base64.b64encode(file.getvalue()).decode()}


def unreadable(place: int, error: ValueError) -> UnreadableError:
    """Say which picture of a request cannot be read, and why."""
    return UnreadableError(place, "image", "not base64" if isinstance(error, binascii.Error) else str(error))


def opened(records: list[Any]) -> tuple[int, list[Any]]:
    """Add up the pixels that the pictures' headers state; a picture is its bytes and, of small ones, what was opened.

    Large ones are opened again when their turn comes: Pillow makes room for a WebP's pixels when it reads its header.
    """
    pixels, found = 0, []
    for i, record in enumerate(records):
        try:
            data = record if isinstance(record, bytes) else base64.b64decode(record.image, validate=True)
            image = open_picture(data)
        except ValueError as error:
            raise unreadable(i, error) from error
        pixels += image.width * image.height
        found.append((data, image if pixels <= KEPT_PIXELS else None))
    return pixels, found


def decoder(product: Product) -> Callable[[list[Any], float], Decoded]:
    """Decode pictures that were opened, from base64 of JSON or the files of a form."""
    canvas = canvas_of(product)

    def decode_all(found: list[Any], until: float = math.inf) -> Decoded:
        arrays = []
        for i, (data, image) in enumerate(found):
            if time.monotonic() > until:
                raise TimeoutError
            try:
                arrays.append(decode_opened(image or open_picture(data), canvas))
            except ValueError as error:
                raise unreadable(i, error) from error
        inputs = np.stack(arrays) if len(arrays) > 1 else arrays[0][np.newaxis]
        return inputs, [identity(data) for data, _ in found], [data for data, _ in found]

    return decode_all
