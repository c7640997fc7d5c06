"""What a request holds: images, as base64 in JSON or as files of a form.

Reads and writes nothing. The form of a record comes from product.yaml; decoding is that of the training data.
"""

import base64
import binascii
import io
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from PIL import Image, ImageDraw
from pydantic import BaseModel, ConfigDict, Field

from ..payload import decode, identity
from ..product import Product
from .problem import Fault, Problem

# The field of a multipart form that carries records; None where a form cannot.
FORM_FIELD: str | None = "image"
Decoded = tuple[np.ndarray, list[str], list[bytes]]


def record_type(product: Product) -> type[BaseModel]:
    """Return the type of one record of a JSON body."""
    wanted = product.formulation.input
    shape = wanted.shape or (1, 1)
    what = f"{wanted.meaning}; PNG, JPEG or another picture format, scaled to {shape[1]} x {shape[0]} pixels"
    encoding = {"contentEncoding": "base64", "contentMediaType": "image/png"}

    class Record(BaseModel):
        model_config = ConfigDict(extra="forbid", json_schema_extra={"example": example(product)})

        image: Annotated[str, Field(strict=True, min_length=4, description=what, json_schema_extra=encoding)]

    return Record


def example(product: Product) -> dict[str, Any]:
    """Draw a record: the name of the first label, dark on white, as large as the model's input."""
    height, width = product.formulation.input.shape or (1, 1)
    image = Image.new("L", (64, 64), 255)
    ImageDraw.Draw(image).text((32, 32), product.formulation.label_names[0], 0, anchor="mm", font_size=64)
    file = io.BytesIO()
    image.resize((width, height), Image.Resampling.BOX).save(file, "PNG")
    return {"image": base64.b64encode(file.getvalue()).decode()}


def decoder(product: Product) -> Callable[[list[Any]], Decoded]:
    """Return the function that turns records into the model's input, their ids, and what the log keeps."""
    shape = product.formulation.input.shape
    assert shape is not None

    def decode_all(records: list[Any]) -> Decoded:
        stored, arrays = [], []
        for i, record in enumerate(records):
            try:
                data = record if isinstance(record, bytes) else base64.b64decode(record.image, validate=True)
                arrays.append(decode(data, shape))
            except (ValueError, binascii.Error) as error:
                what = "not base64" if isinstance(error, binascii.Error) else str(error)
                fault = Fault(pointer=f"/records/{i}/image", detail=what)
                raise Problem(422, f"record {i} cannot be read: {what}", [fault]) from error
            stored.append(data)
        inputs = np.stack(arrays) if len(arrays) > 1 else arrays[0][np.newaxis]
        return inputs, [identity(data) for data in stored], stored

    return decode_all
