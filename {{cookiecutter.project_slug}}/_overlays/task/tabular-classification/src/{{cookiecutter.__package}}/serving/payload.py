"""What a request holds: rows, one typed field per feature of product.yaml, each within its legal range.

Reads and writes nothing.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Annotated, Any

import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict, Field, create_model

from ..payload import identities, inputs
from ..product import Product

# The field of a multipart form that carries records; None where a form cannot.
FORM_FIELD: str | None = None
Decoded = tuple[np.ndarray, list[str], list[bytes]]


def record_type(product: Product) -> type[BaseModel]:
    """Return the type of one record of a JSON body."""
    fields: dict[str, Any] = {}
    for feature in product.formulation.input.features:
        what = f"{feature.meaning}, in {feature.unit}"
        limits = Field(ge=feature.low, le=feature.high, strict=True, allow_inf_nan=False, description=what)
        fields[feature.name] = (Annotated[float, limits], ...)
    config = ConfigDict(extra="forbid", json_schema_extra={"example": example(product)})
    return create_model("Record", __config__=config, **fields)


def example(product: Product) -> dict[str, Any]:
    """Make a record: the value at a third of the legal range of every feature."""
    features = product.formulation.input.features
    return {feature.name: round(feature.low + (feature.high - feature.low) / 3, 4) for feature in features}


def decoder(product: Product) -> Callable[[list[Any]], Decoded]:
    """Return the function that turns records into the model's input, their ids, and what the log keeps."""
    names = [feature.name for feature in product.formulation.input.features]
    # attrgetter of one name returns the value itself, of several a tuple.
    values_of = attrgetter(*names) if len(names) > 1 else lambda record: (getattr(record, names[0]),)

    def decode_all(records: list[Any]) -> Decoded:
        rows = [values_of(record) for record in records]
        values = np.array(rows, dtype=np.float64)
        stored = [orjson.dumps(dict(zip(names, row, strict=True))) for row in rows]
        return inputs(values), identities(values), stored

    return decode_all
