"""The task: how a table row is named, described, checked and turned into the model's input.

Reads and writes nothing. Another task is another file with these six functions.
"""

import numpy as np
import polars as pl

from .payload import inputs
from .product import Product


def columns(product: Product) -> dict[str, pl.DataType]:
    """Return the payload columns of a record: one number per feature of product.yaml."""
    return {feature.name: pl.Float64() for feature in product.formulation.input.features}


def content_id(frame: pl.DataFrame, product: Product) -> pl.Series:
    """Name every record by the hex SHA-256 of its feature values (little-endian float64, in the contract's order).

    The names are those of ``payload.identities``, in a quarter of the time: the server hashes a row, collect millions.
    """
    import polars_hash  # here, since the stages after collect name nothing
    import pyarrow as pa

    values = frame.select(*columns(product)).to_numpy().astype("<f8", order="C") + 0.0  # -0.0 becomes 0.0
    width = pa.binary(values.shape[1] * 8)
    rows = pa.FixedSizeBinaryArray.from_buffers(width, len(frame), [None, pa.py_buffer(values)])
    named = pl.DataFrame({"id": pl.Series(rows.cast(pa.large_binary()))})
    return named.select(polars_hash.col("id").chash.sha2_256())["id"]


def describe(frame: pl.DataFrame, product: Product) -> pl.DataFrame:
    """Add the columns that slices select by; here they are the features themselves."""
    return frame


def faults(frame: pl.DataFrame, product: Product) -> list[tuple[str, str]]:
    """List (record id, what is wrong) for what no schema can say; a row has its types and ranges, and nothing else."""
    return []


def matrix(frame: pl.DataFrame, product: Product) -> np.ndarray:
    """Return the model's input: float32 of shape (records, features)."""
    return inputs(frame.select(*columns(product)).to_numpy())


def fingerprints(frame: pl.DataFrame) -> pl.Series | None:
    """Return None: rows that are nearly equal are no sign of a copy."""
    return None
