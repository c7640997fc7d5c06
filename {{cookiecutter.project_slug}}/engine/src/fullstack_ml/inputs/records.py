"""A row of a table in a request: its type, an example, and what it becomes.

Reads and writes nothing. A field has the name of its feature, whatever that is: inside, fields are numbered, and the
feature's name is the alias.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model
from pydantic_core import PydanticCustomError

from fullstack_ml.inputs import Decoded, Omission
from fullstack_ml.inputs.encoding import encoder, from_rows, is_named, marker, stored_type, with_buckets
from fullstack_ml.product.formulation import EPOCH, Feature, moment, place
from fullstack_ml.product.types import Product

if TYPE_CHECKING:
    import polars as pl

CENTURY = 36_525  # days
TWENTIES = (18_262.0, 21_915.0)  # 2020-01-01 to 2030-01-01 in days since 1970
LONGEST = 200  # characters of a category that is not listed


def omissions(product: Product, values: np.ndarray | None = None) -> Iterator[Omission]:
    """Return nothing: every row holds all features, which ``regions`` names."""
    return iter(())


def dated(feature: Feature) -> Callable[[str], str]:
    """Return the check of a date: ISO text, between low and high."""
    low, high = feature.bounds

    def check(text: str) -> str:
        try:
            inside = low <= place(text) <= high
        except (ValueError, OverflowError) as error:
            raise PydanticCustomError("date", "Input should be a date such as 2026-01-31") from error
        if not inside:
            raise PydanticCustomError("date_range", "Input should be a date in the range")
        return text

    return check


def about(feature: Feature) -> str:
    """Say what a field means and may hold."""
    return f"{feature.meaning}; {feature.allowed}"


def field_type(feature: Feature) -> Any:
    """Return the type of a field, with its limits."""
    if feature.type in ("number", "whole"):
        whole: dict[str, Any] = {"multiple_of": 1} if feature.type == "whole" else {}
        low, high = feature.bounds
        limits = Field(ge=low, le=high, strict=True, allow_inf_nan=False, **whole)
        kind: Any = Annotated[float, limits]
    elif feature.type == "date":
        kind = Annotated[str, Field(strict=True), AfterValidator(dated(feature))]
    elif feature.type == "text":
        kind = Annotated[str, Field(strict=True, min_length=1, max_length=feature.longest)]
    elif feature.type == "flag":
        kind = Annotated[bool, Field(strict=True)]
    elif feature.other == "allowed":
        kind = Annotated[str, Field(strict=True, min_length=1, max_length=LONGEST)]
    else:
        kind = Literal[tuple(feature.values)]
    return kind


def field(feature: Feature) -> tuple[Any, Any]:
    """Return a field's type and default: null, or left out, where it may be missing."""
    if feature.missing == "allowed":
        return (field_type(feature) | None, Field(None, alias=feature.name, description=about(feature)))
    return (field_type(feature), Field(alias=feature.name, description=about(feature)))


def record_type(product: Product) -> type[BaseModel]:
    """Return the type of one record of a JSON body."""
    fields: dict[str, Any] = {f"f{i}": field(feature) for i, feature in enumerate(product.formulation.input.features)}
    config = ConfigDict(extra="forbid", json_schema_extra={"example": example(product)})
    return create_model("Record", __config__=config, **fields)


def example_of(feature: Feature) -> Any:
    """Return an allowed value: a third of the way from low to high, or the first of the values."""
    if feature.type == "flag":
        return True
    if feature.values:
        return feature.values[0]
    if feature.type == "text":
        return "a few words"[: feature.longest]
    low, high = finite_bounds(feature)
    value = low + (high - low) / 3
    if feature.type == "date":
        return as_date(math.ceil(value))
    return math.ceil(value) if feature.type == "whole" else round(value, 4)


def finite_bounds(feature: Feature) -> tuple[float, float]:
    """Return low and high; where a date has none, fifty years from the other, or 2020 to 2030."""
    low, high = feature.bounds
    if math.isinf(low) and math.isinf(high):
        return TWENTIES
    high = high if math.isfinite(high) else low + CENTURY / 2
    return low if math.isfinite(low) else high - CENTURY / 2, high


def as_date(days: float) -> str:
    """Write days since 1970 as an ISO date; with its time where there is one, to five minutes: float32 holds three."""
    moment = EPOCH + timedelta(minutes=5 * round(days * 288))
    return moment.isoformat(timespec="minutes") if days % 1 else moment.date().isoformat()


def example(product: Product) -> dict[str, Any]:
    """Make a record."""
    return {feature.name: example_of(feature) for feature in product.formulation.input.features}


def identities(values: np.ndarray) -> list[str]:
    """Name every row of ``values`` (records, features in the contract's order) by the hex SHA-256 of its numbers."""
    exact = values.astype("<f8", order="C") + 0.0  # -0.0 becomes 0.0
    exact[np.isnan(exact)] = np.nan  # one of the many that there are
    width = exact.shape[1] * 8
    rows = memoryview(exact.tobytes())
    return [hashlib.sha256(rows[i * width : (i + 1) * width]).hexdigest() for i in range(len(exact))]


def decoder(product: Product) -> Callable[[list[Any], float], Decoded]:
    """Return the function that turns records into the graph's input, their ids, and what the log keeps."""
    features = product.formulation.input.features
    names, encoders, markers = zip(*((f.name, encoder(f), marker(f)) for f in features), strict=True)
    listed, texts = any(map(is_named, features)), [i for i, feature in enumerate(features) if feature.type == "text"]
    # attrgetter of one name returns the value itself, of several a tuple.
    values_of = attrgetter(*(f"f{i}" for i in range(len(names)))) if len(names) > 1 else lambda record: (record.f0,)

    def decode_all(records: list[Any], until: float = math.inf) -> Decoded:
        rows = [values_of(record) for record in records]
        values = from_rows(rows, list(encoders))
        named = from_rows(rows, list(markers)) if listed else values
        stored = [orjson.dumps(dict(zip(names, row, strict=True))) for row in rows]
        return with_buckets(values, [[row[i] for row in rows] for i in texts]), identities(named), stored

    return decode_all


def logged(stored: Sequence[bytes], product: Product) -> pl.DataFrame:
    """The log keeps a row as JSON by the names of features; what the contract of today does not allow is null."""
    import polars as pl

    rows, read = [orjson.loads(one) for one in stored], []
    for feature in product.formulation.input.features:
        values = [row.get(feature.name) for row in rows]
        if feature.type == "date":
            values = [moment(value) if isinstance(value, str) else None for value in values]
        read.append(pl.Series(feature.name, values, strict=False).cast(stored_type(feature), strict=False))
    return pl.DataFrame(read)
