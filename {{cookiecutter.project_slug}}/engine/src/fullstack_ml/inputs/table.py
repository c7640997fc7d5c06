"""Input ``table``: a row of values, one per feature of the contract.

Reads and writes nothing. ``encoding.py`` says what a value becomes, ``records.py`` what a request holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from fullstack_ml.inputs import FEATURES, Region, encoding, records, shifts
from fullstack_ml.inputs.encoding import Layout
from fullstack_ml.inputs.texts import BUCKETS
from fullstack_ml.product.formulation import Feature
from fullstack_ml.product.types import Finding, Product

if TYPE_CHECKING:
    import onnx
    import polars as pl

record_type, example, decoder, logged = records.record_type, records.example, records.decoder, records.logged
shifted = shifts.of_table
omissions = records.omissions
FILES: tuple[str, ...] = ()
MEDIA: tuple[str, ...] = ()
SCREEN = '<HyperText name="record" value="$row" inline="true"/>'
LAYOUT = "rows"
PAGE: tuple[str, ...] = ("fields.js", "encoding.js", "texts.js")
FORM_FIELD: str | None = None
ALIKE = False

WORDS = 10  # of a text that is made up
LINE = (
    '<tr class="{kind}" title="{meaning}"><td>{name}</td><td align="right"><b>{value}</b></td><td>{unit}</td>'
    "<td>{place}</td></tr>"
)
METER = '<meter min="{low:g}" max="{high:g}" value="{value:g}"></meter>'


def check(product: Product) -> Iterator[Finding]:
    """Find a table without features, or with a shape."""
    wanted = product.formulation.input
    if wanted.shape is not None or not wanted.features:
        yield ("formulation", "input"), "a table has features and no shape", "list the features, leave the shape out"


def slice_columns(product: Product) -> list[str]:
    """Slices may select by every feature."""
    return [feature.name for feature in product.formulation.input.features]


def columns(product: Product) -> dict[str, pl.DataType]:
    """One column per feature, in the type of its values."""
    return {feature.name: encoding.stored_type(feature) for feature in product.formulation.input.features}


def content_id(frame: pl.DataFrame, product: Product) -> pl.Series:
    """Name every record by the hex SHA-256 of its values (little-endian float64, in the contract's order).

    The names are those of ``records.identities``, in a quarter of the time: the server hashes a row, collect millions.
    """
    import polars as pl
    import polars_hash  # here, since the stages after collect name nothing
    import pyarrow as pa

    values = encoding.from_frame(frame, [encoding.marked(f) for f in product.formulation.input.features])
    values = values.astype("<f8", order="C") + 0.0  # -0.0 becomes 0.0
    values[np.isnan(values)] = np.nan
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


def fingerprints(frame: pl.DataFrame, product: Product) -> pl.Series | None:
    """Return None: rows that are nearly equal are no sign of a copy."""
    return None


def matrix(frame: pl.DataFrame, product: Product) -> np.ndarray:
    """Return float32 of shape (records, features), and behind them the buckets of texts."""
    features = product.formulation.input.features
    values = encoding.from_frame(frame, [encoding.encoded(feature) for feature in features], np.float32)
    return encoding.with_buckets(values, [frame[f.name].to_list() for f in features if f.type == "text"])


def strangers(inputs: np.ndarray, product: Product, seed: int) -> dict[str, np.ndarray]:
    """Return rows as faults of collection make them, each float32 (records, features) like ``inputs``."""
    random, features = np.random.default_rng(seed), product.formulation.input.features
    made = {"rows mixed": random.permuted(inputs, axis=0)}
    numbers = np.flatnonzero([feature.type in ("number", "whole") for feature in features])
    if not len(numbers):
        return made
    measured = inputs[:, numbers]

    def changed(values: np.ndarray) -> np.ndarray:
        copy = inputs[: len(values)].copy()
        copy[:, numbers] = values
        return copy

    noise = 3 * np.nanstd(measured, axis=0) * random.normal(size=measured.shape)
    nearly_zero = random.normal(0, 1e-3, measured[:20].shape)
    swapped = {"columns swapped": changed(random.permuted(measured, axis=1))} if len(numbers) > 1 else {}
    unit = {"another unit (x 10)": changed(measured * np.float32(10)), "all zero": changed(nearly_zero)}
    return made | swapped | unit | {"noise of three deviations": changed(measured + noise)}


def regions(product: Product, values: np.ndarray | None = None) -> Iterator[Region]:
    """Yield every feature with all values that are made of it."""
    features = product.formulation.input.features
    layout = Layout(features)
    for i, feature in enumerate(features):
        name = feature.name if values is None else held(feature, float(values[i]))
        yield name, layout.places(i), (layout.columns(i),)


def front(model: onnx.ModelProto, product: Product) -> onnx.ModelProto:
    """Take float32 (records, features), and give the model what ``encoding.nodes`` makes of it."""
    old, name, features = model.graph.input[0].name, product.formulation.input.name, product.formulation.input.features
    layout = Layout(features)
    if layout.plain:
        for node in model.graph.node:
            node.input[:] = [name if taken == old else taken for taken in node.input]
    else:
        added, constants = encoding.nodes(layout, name, FEATURES)
        model.graph.initializer.extend(constants)
        for node in reversed(added):
            model.graph.node.insert(0, node)
        model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = layout.width
    model.graph.input[0].name = name
    return model


def planes(product: Product) -> None:
    """Return None: no picture."""


def random_inputs(product: Product, count: int, seed: int) -> np.ndarray:
    """Draw every feature from what it may hold; nothing is missing. Texts are made of random buckets."""
    random = np.random.default_rng(seed)
    drawn: list[np.ndarray] = []
    for feature in product.formulation.input.features:
        if feature.ranged:
            low, high = records.finite_bounds(feature)
            drawn.append(random.uniform(low, high, count))
        else:
            most = 2 * WORDS if feature.type == "text" else max(2, len(feature.values))
            drawn.append(random.integers(0, most, count))
        if feature.type in ("whole", "date"):
            drawn[-1] = np.ceil(drawn[-1])
    width = Layout(product.formulation.input.features).width
    buckets = random.random((count, width - len(drawn))) < WORDS / BUCKETS
    return np.concatenate([np.stack(drawn, axis=1), buckets], axis=1).astype("<f4")


def usual(feature: Feature, values: np.ndarray) -> Any:
    """Return the median of a feature, or its most frequent value; None where nearly every one is missing."""
    values = values[~np.isnan(values)]
    if feature.type == "text":
        return records.example_of(feature)  # a real one would show somebody's words
    if not len(values):
        return None
    if not feature.ranged:
        most = int(np.bincount(values.astype(int)).argmax())
        return bool(most) if feature.type == "flag" else [*feature.values, None][most]
    median = float(np.median(values))
    if feature.type == "date":
        day = records.as_date(median if (values % 1).any() else median // 1)
        return f"{day}T00:00" if (values % 1).any() and "T" not in day else day
    return round(median) if feature.type == "whole" else float(f"{median:.4g}")


def typical(inputs: np.ndarray, product: Product) -> dict[str, Any]:
    """Return the usual value of every feature."""
    return {f.name: usual(f, column) for f, column in zip(product.formulation.input.features, inputs.T, strict=False)}


def opened(records: list[Any]) -> tuple[int, list[Any]]:
    """Numbers come decoded."""
    return 0, records


def shown(value: Any) -> str:
    """Write a stored value."""
    if isinstance(value, datetime):
        return value.isoformat(" ", "minutes").removesuffix(" 00:00")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "missing" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def line(feature: Feature, value: Any) -> str:
    """Return one feature as a line of the table; a number also has its place between low and high."""
    ranged = feature.type in ("number", "whole")
    low, high = feature.bounds
    return LINE.format(
        kind=feature.type,
        meaning=escape(feature.meaning),
        name=escape(feature.name.replace("_", " ")),
        value=escape(shown(value)),
        unit=escape(feature.unit),
        place=METER.format(low=low, high=high, value=low if value is None else value) if ranged else "",
    )


def html(record: dict[str, Any], product: Product) -> str:
    """Return the row as a table of its features."""
    lines = [line(feature, record[feature.name]) for feature in product.formulation.input.features]
    return f"<table><tbody>{''.join(lines)}</tbody></table>"


def fields(record: dict[str, Any], product: Product) -> dict[str, str]:
    """Return the row as a table."""
    return {"row": html(record, product)}


def held(feature: Feature, value: float) -> str:
    """Say what a feature holds, from the number that the graph takes."""
    if np.isnan(value):
        said = "missing"
    elif feature.type == "date":
        said = records.as_date(value)
    elif feature.type == "text":
        said = f"{value:g} words"
    else:
        said = f"{value:g}" if feature.ranged else [*(feature.values or ["no", "yes"]), "another value"][int(value)]
    return f"{feature.name}: {said} {feature.unit}".rstrip()


def draw(values: np.ndarray, product: Product) -> str:
    """List the features with their values."""
    return "\n".join(
        f"  {held(f, v)}" for f, v in zip(product.formulation.input.features, values.tolist(), strict=False)
    )
