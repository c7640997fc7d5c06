"""A row of a table as numbers: what its columns hold, what the graph takes, what it makes of it for the model.

Reads and writes nothing. The graph takes one number per feature, and behind them all the buckets of every text
(``texts.py``): a category or a step by its place among ``values`` (a
category that is not listed comes after them), a flag as 0 or 1, a date in days since 1970, a text by the number of its
words, what is missing as NaN.
Inside the graph a category becomes a column per value, a date its day, weekday, time of year and of day, and every
feature that may be missing gets a column that says whether it is. The page does the first part too
(``edge/page/fields.js``).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from fullstack_ml.inputs.texts import BUCKETS, as_buckets, count_words
from fullstack_ml.product.formulation import Feature, place

if TYPE_CHECKING:
    import onnx
    import polars as pl

DAY, YEAR = 86_400_000_000, 365.2425  # microseconds; days
MONDAY = 3  # 1970-01-01 was a Thursday
WEEKDAYS = 7
BLOCK = 4096  # rows


def stored_type(feature: Feature) -> pl.DataType:
    """Return the type in which a record keeps a feature."""
    import polars as pl

    types = {"number": pl.Float64(), "whole": pl.Int64(), "flag": pl.Boolean(), "date": pl.Datetime("us")}
    return types.get(feature.type, pl.String())


def encoder(feature: Feature) -> Callable[[Any], float] | None:
    """Return the function from a value of a request to the graph's number; None for what is a number already."""
    if feature.type == "date":
        return lambda value: math.nan if value is None else place(value)
    if feature.type == "text":
        return count_words
    if feature.values:
        places = {value: float(i) for i, value in enumerate(feature.values)}
        return lambda value: math.nan if value is None else places.get(value, float(len(places)))
    return None


def encoded(feature: Feature) -> pl.Expr:
    """Return a stored column as the graph's number, null where it is missing."""
    import polars as pl

    column = pl.col(feature.name)
    if feature.type == "date":
        return column.cast(pl.Int64) / DAY
    if feature.type == "text":
        return column.map_elements(count_words, return_dtype=pl.Float64)
    if feature.values:
        places = {value: float(i) for i, value in enumerate(feature.values)}
        number = column.replace_strict(places, default=float(len(places)), return_dtype=pl.Float64)
        return pl.when(column.is_not_null()).then(number).alias(feature.name)
    return column.cast(pl.Float64)


@lru_cache(maxsize=65_536)
def mark(text: str) -> float:
    """Return 48 bits of a text's SHA-256, which a float64 holds exactly: what it counts as in the name of a record.

    Its place among the values of the contract would not do: it changes when somebody adds one.
    """
    return float(int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big"))


def marker(feature: Feature) -> Callable[[Any], float] | None:
    """Return the function from a value of a request to the number by which its record is named; None for a number."""
    if is_named(feature):
        return lambda value: math.nan if value is None else mark(value)
    return encoder(feature)


def is_named(feature: Feature) -> bool:
    """Whether a record is named by a feature's text, and not by its number."""
    return bool(feature.values) or feature.type == "text"


def marked(feature: Feature) -> pl.Expr:
    """Return a stored column as the numbers by which its records are named, null where it is missing."""
    import polars as pl

    if not is_named(feature):
        return encoded(feature)
    return pl.col(feature.name).map_batches(_marks, return_dtype=pl.Float64)


def _marks(column: pl.Series) -> pl.Series:
    import polars as pl

    known = column.drop_nulls().unique()
    return column.replace_strict(known, [mark(text) for text in known], default=None, return_dtype=pl.Float64)


def from_rows(rows: list[tuple[Any, ...]], functions: list[Callable[[Any], float] | None]) -> np.ndarray:
    """Return float64 (records, features) of the values of a request, each by its function."""
    if any(functions):
        used = [function or (lambda value: value) for function in functions]
        rows = [tuple(function(value) for function, value in zip(used, row, strict=True)) for row in rows]
    return np.array(rows, dtype=np.float64)  # None becomes NaN, a truth value 0 or 1


def from_frame(frame: pl.DataFrame, columns: list[pl.Expr], kind: type[np.floating[Any]] = np.float64) -> np.ndarray:
    """Return ``kind``, by default float64, (records, features) of stored columns, row after row in memory."""
    import polars as pl

    wanted = pl.Float64() if kind is np.float64 else pl.Float32()
    given = frame.select(column.fill_null(math.nan).cast(wanted) for column in columns)
    values, held = np.empty(given.shape, kind), [column.to_numpy() for column in given]
    for start in range(0, len(values), BLOCK):  # a block stays near the processor while its columns are laid into it
        for i, column in enumerate(held):
            values[start : start + BLOCK, i] = column[start : start + BLOCK]
    return values


def with_buckets(values: np.ndarray, texts: list[list[str | None]]) -> np.ndarray:
    """Return the graph's input, float32 (records, numbers): what stands for the features, and the buckets of texts."""
    numbers = values.astype(np.float32, copy=False)
    return np.concatenate([numbers, *map(as_buckets, texts)], axis=1) if texts else numbers


class Layout:
    """Where the values of the model's input come from; ``places`` of a feature are those that hold it.

    They stand in this order: what is a number, the buckets of texts, the values of categories, the parts of dates, and
    what is missing.
    """

    def __init__(self, features: list[Feature]) -> None:
        """Lay the values out."""
        numbers = [i for i, feature in enumerate(features) if feature.type not in ("category", "date")]
        texts = [i for i, feature in enumerate(features) if feature.type == "text"]
        self.features, self.texts = len(features), np.array(texts, dtype=np.int64)
        self.width = len(features) + BUCKETS * len(texts)
        self.numbers = np.array([*numbers, *range(len(features), self.width)], dtype=np.int64)
        values = [
            (i, value)
            for i, feature in enumerate(features)
            if feature.type == "category"
            for value in range(len(feature.values) + (feature.other == "allowed"))
        ]
        self.value_of = np.array([i for i, _ in values], dtype=np.int64)
        self.values = np.array([value for _, value in values], dtype=np.float32)
        self.dates = np.array([i for i, feature in enumerate(features) if feature.type == "date"], dtype=np.int64)
        self.optional = np.array([i for i, f in enumerate(features) if f.missing == "allowed"], dtype=np.int64)
        # The parts of all dates stand together: every day, every time of year, every time of day, every weekday.
        parts = [self.dates] * 3 + [np.repeat(self.dates, WEEKDAYS)]
        held = [np.array(numbers, dtype=np.int64), np.repeat(np.array(texts, dtype=np.int64), BUCKETS)]
        self.sources = np.concatenate([*held, self.value_of, *parts, self.optional])

    @property
    def plain(self) -> bool:
        """Whether the model's input is the graph's."""
        return len(self.sources) == len(self.numbers)

    def places(self, feature: int) -> np.ndarray:
        """Return the places of a feature, by its number, in the model's input."""
        return np.flatnonzero(self.sources == feature)

    def columns(self, feature: int) -> np.ndarray:
        """Return the columns of the graph's input that hold a feature: its own, and the buckets of a text."""
        text = np.flatnonzero(self.texts == feature)
        return np.array([feature, *(self.features + BUCKETS * i + k for i in text for k in range(BUCKETS))])


class Builder:
    """Nodes of a graph and their constants, in the order in which they are added."""

    def __init__(self, prefix: str) -> None:
        """Begin with nothing; every name starts with ``prefix``."""
        self.prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, *taken: str | np.ndarray, **attributes: Any) -> str:
        """Add a node and return the name of what it makes; an array among what it takes becomes a constant."""
        from onnx import helper, numpy_helper

        name, names = f"{self.prefix}_{len(self.nodes)}", []
        for i, value in enumerate(taken):
            names.append(value if isinstance(value, str) else f"{name}_{i}")
            if not isinstance(value, str):
                self.constants.append(numpy_helper.from_array(value, names[-1]))
        self.nodes.append(helper.make_node(kind, names, [name], **attributes))
        return name

    def truth(self, value: str) -> str:
        """Return a truth value as 0 or 1."""
        from onnx import TensorProto

        return self.add("Cast", value, to=int(TensorProto.FLOAT))

    def within(self, value: str, length: float) -> str:
        """Return the share of a period of ``length`` that is over."""
        periods = self.add("Div", value, np.array(length, np.float32))
        return self.add("Sub", periods, self.add("Floor", periods))

    def weekdays(self, day: str, dates: int) -> str:
        """Return a column per weekday, Monday first, for each of ``dates``; its ``day`` stands there seven times."""
        week = np.array(WEEKDAYS, np.float32)
        days = self.add("Add", self.add("Floor", day), np.array(MONDAY, np.float32))
        weeks = self.add("Mul", self.add("Floor", self.add("Div", days, week)), week)
        names = np.tile(np.arange(WEEKDAYS, dtype=np.float32), dates)
        return self.truth(self.add("Equal", self.add("Sub", days, weeks), names))


def nodes(layout: Layout, given: str, made: str) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Return the nodes from the graph's input to the model's, float32 (batch, values), with their constants."""
    graph, parts = Builder(made), []

    def chosen(columns: np.ndarray) -> str:
        return graph.add("Gather", given, columns, axis=1)

    if len(layout.numbers):
        parts.append(chosen(layout.numbers))
    if len(layout.values):
        parts.append(graph.truth(graph.add("Equal", chosen(layout.value_of), layout.values)))
    if len(layout.dates):
        day = chosen(layout.dates)
        weekdays = graph.weekdays(chosen(np.repeat(layout.dates, WEEKDAYS)), len(layout.dates))
        parts += [day, graph.within(day, YEAR), graph.within(day, 1), weekdays]
    if len(layout.optional):
        parts.append(graph.truth(graph.add("IsNaN", chosen(layout.optional))))
    graph.add("Concat", *parts, axis=1)
    graph.nodes[-1].output[0] = made
    return graph.nodes, graph.constants
