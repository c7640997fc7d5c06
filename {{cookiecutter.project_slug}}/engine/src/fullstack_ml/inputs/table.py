"""Input ``table``: a row of numbers, one per feature of the contract, each within its legal range.

Reads and writes nothing.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from html import escape
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict, Field, create_model

from fullstack_ml.inputs import Decoded
from fullstack_ml.product.formulation import Feature
from fullstack_ml.product.types import Finding, Product

if TYPE_CHECKING:
    import onnx
    import polars as pl

FILES: tuple[str, ...] = ()
MEDIA: tuple[str, ...] = ()
SCREEN = '<HyperText name="record" value="$row" inline="true"/>'
LAYOUT = "rows"
FORM_FIELD: str | None = None
ALIKE = False

LINE = (
    '<tr title="{meaning}"><td>{name}</td><td align="right"><b>{value}</b></td><td>{unit}</td>'
    '<td><meter min="{low:g}" max="{high:g}" value="{place:g}"></meter></td></tr>'
)


def check(product: Product) -> Iterator[Finding]:
    """Find a table without features, or with a shape."""
    wanted = product.formulation.input
    if wanted.shape is not None or not wanted.features:
        yield (
            ("formulation", "input"),
            "a table has features and no shape",
            "list the features, and leave the shape out",
        )


def slice_columns(product: Product) -> list[str]:
    """Slices may select by every feature."""
    return [feature.name for feature in product.formulation.input.features]


def columns(product: Product) -> dict[str, pl.DataType]:
    """One number per feature."""
    import polars as pl

    return {feature.name: pl.Float64() for feature in product.formulation.input.features}


def identities(values: np.ndarray) -> list[str]:
    """Name every row of ``values`` (records, features in the contract's order) by the hex SHA-256 of its numbers."""
    exact = values.astype("<f8", order="C") + 0.0  # -0.0 becomes 0.0
    width = exact.shape[1] * 8
    rows = memoryview(exact.tobytes())
    return [hashlib.sha256(rows[i * width : (i + 1) * width]).hexdigest() for i in range(len(exact))]


def content_id(frame: pl.DataFrame, product: Product) -> pl.Series:
    """Name every record by the hex SHA-256 of its feature values (little-endian float64, in the contract's order).

    The names are those of ``identities``, in a quarter of the time: the server hashes a row, collect millions.
    """
    import polars as pl
    import polars_hash  # here, since the stages after collect name nothing
    import pyarrow as pa

    values = frame.select(slice_columns(product)).to_numpy().astype("<f8", order="C") + 0.0  # -0.0 becomes 0.0
    width = pa.binary(values.shape[1] * 8)
    rows = pa.FixedSizeBinaryArray.from_buffers(width, len(frame), [None, pa.py_buffer(values)])
    named = pl.DataFrame({"id": pl.Series(rows.cast(pa.large_binary()))})
    return named.select(polars_hash.col("id").chash.sha2_256())["id"]


def describe(frame: pl.DataFrame, product: Product) -> pl.DataFrame:
    """Add nothing: the features are what slices select by."""
    return frame


def faults(frame: pl.DataFrame, product: Product) -> list[tuple[str, str]]:
    """Find nothing beside what stage validate checks of every column: types and ranges."""
    return []


def fingerprints(frame: pl.DataFrame) -> pl.Series | None:
    """Return None: rows that are nearly equal are no sign of a copy."""
    return None


def as_inputs(values: np.ndarray) -> np.ndarray:
    """Return the model's input: float32 of shape (records, features)."""
    return values.astype(np.float32, order="C")


def matrix(frame: pl.DataFrame, product: Product) -> np.ndarray:
    """Return float32 of shape (records, features)."""
    return as_inputs(frame.select(slice_columns(product)).to_numpy())


def strangers(inputs: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Return rows as faults of collection make them, each float32 (records, features) like ``inputs``."""
    random = np.random.default_rng(seed)
    spread = inputs.std(axis=0)
    return {
        "rows mixed": random.permuted(inputs, axis=0),
        "columns swapped": random.permuted(inputs, axis=1),
        "another unit (x 10)": inputs * np.float32(10),
        "all zero": np.zeros_like(inputs[:20]) + random.normal(0, 1e-3, (20, inputs.shape[1])).astype(np.float32),
        "noise of three deviations": inputs + (3 * spread * random.normal(size=inputs.shape)).astype(np.float32),
    }


def regions(product: Product) -> Iterator[tuple[str, np.ndarray]]:
    """Yield every feature."""
    for i, feature in enumerate(product.formulation.input.features):
        yield feature.name, np.array([i])


def front(model: onnx.ModelProto, product: Product) -> onnx.ModelProto:
    """Give the graph's input the contract's name."""
    old, name = model.graph.input[0].name, product.formulation.input.name
    model.graph.input[0].name = name
    for node in model.graph.node:
        for i, taken in enumerate(node.input):
            if taken == old:
                node.input[i] = name
    return model


def random_inputs(product: Product, count: int, seed: int) -> np.ndarray:
    """Draw every feature between its low and high."""
    low, high = ([getattr(f, bound) for f in product.formulation.input.features] for bound in ("low", "high"))
    return np.random.default_rng(seed).uniform(low, high, (count, len(low))).astype("<f4")


def typical(inputs: np.ndarray, product: Product) -> dict[str, Any]:
    """Return the median of every feature."""
    medians = np.median(inputs, axis=0)
    return {name: float(f"{value:.4g}") for name, value in zip(slice_columns(product), medians, strict=True)}


def limits() -> dict[str, Any]:
    """Each feature's range is in the artefact already."""
    return {}


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


def request_cost(records: list[Any]) -> int:
    """Numbers come decoded."""
    return 0


def decoder(product: Product) -> Callable[[list[Any], float], Decoded]:
    """Return the function that turns records into the model's input, their ids, and what the log keeps."""
    names = [feature.name for feature in product.formulation.input.features]
    # attrgetter of one name returns the value itself, of several a tuple.
    values_of = attrgetter(*names) if len(names) > 1 else lambda record: (getattr(record, names[0]),)

    def decode_all(records: list[Any], until: float = math.inf) -> Decoded:
        rows = [values_of(record) for record in records]
        values = np.array(rows, dtype=np.float64)
        stored = [orjson.dumps(dict(zip(names, row, strict=True))) for row in rows]
        return as_inputs(values), identities(values), stored

    return decode_all


def line(feature: Feature, value: float | None) -> str:
    """Return one feature as a line of the table; a missing value is said."""
    return LINE.format(
        meaning=escape(feature.meaning),
        name=escape(feature.name.replace("_", " ")),
        value="missing" if value is None else f"{value:.4g}",
        unit=escape(feature.unit),
        low=feature.low,
        high=feature.high,
        place=feature.low if value is None else value,
    )


def html(record: dict[str, Any], product: Product) -> str:
    """Return the row as a table of its features, each between its low and high."""
    lines = [line(feature, record[feature.name]) for feature in product.formulation.input.features]
    return f"<table><tbody>{''.join(lines)}</tbody></table>"


def fields(record: dict[str, Any], product: Product) -> dict[str, str]:
    """Return the row as a table."""
    return {"row": html(record, product)}


def draw(values: np.ndarray) -> str:
    """List the values."""
    return "  " + " ".join(f"{value:g}" for value in values)
