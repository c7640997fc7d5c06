"""A batch of records on its way to an answer, and the source that it comes from.

Reads and writes nothing.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from fullstack_ml.data.collect.sources.delimited import ROW
from fullstack_ml.data.collect.sources.rows import as_records, origins_of
from fullstack_ml.inputs import input_of
from fullstack_ml.product.types import Product

WHERE = "INPUT"
SOURCE, NUMBER = "source", "row"  # columns of the output that say where a record stood


@dataclass(frozen=True)
class Records:
    """A batch: ``payload`` holds the columns of the input, and ``rejected`` and ``record`` where something is wrong.

    ``place`` says of every record where it stood, and holds the columns of a table that are no features; ``share`` is
    how much of the whole has been read with it, from 0 to 1.
    """

    payload: pl.DataFrame
    place: pl.DataFrame
    share: float


@dataclass(frozen=True)
class Source:
    """``mark`` changes when the input does; ``batches`` leaves out so many at the start, None: it cannot."""

    mark: str
    batches: Callable[[int], Iterator[Records]]
    steady: bool = True


def mark_of(*parts: Any) -> str:
    """Return what changes when one of ``parts`` does."""
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()


def payload_and_place(frame: pl.DataFrame, product: Product, address: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the columns of the input in their types, and what else stands in the rows, with its number."""
    wanted, features = list(input_of(product).columns(product)), set(origins_of(product).values())
    records = as_records(frame, product, None, None, address, WHERE)
    also = [name for name in ("rejected", "record") if name in records.columns]
    others = [name for name in frame.columns if name not in features and name != ROW]
    number = [pl.col(ROW).cast(pl.Int64).alias(NUMBER)] if ROW in frame.columns else []
    named = [pl.col(name).alias(f"input_{name}" if name in (SOURCE, NUMBER) else name) for name in others]
    return records.select(*wanted, *also), frame.select(*number, *named)
