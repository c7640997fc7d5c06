"""Record and label tables: their columns, and reading them shard by shard.

Reads ``data/**.parquet``; writes Parquet through ``files.replacing``. The payload columns depend on the task and come
from ``task.py``.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from .errors import UserError
from .files import replacing
from .product import Slice

# What every record says of itself beside its payload. ``source_label`` is the label that the source states, if any.
RECORD: dict[str, pl.DataType] = {
    "id": pl.String(),
    "group": pl.String(),
    "kind": pl.String(),
    "source": pl.String(),
    "licence": pl.String(),
    "collected_at": pl.Datetime("us", "UTC"),
    "source_label": pl.String(),
    "shard": pl.String(),
}

LABEL: dict[str, pl.DataType] = {
    "id": pl.String(),
    "label": pl.String(),
    "annotator": pl.String(),
    "round": pl.String(),
    "guide_version": pl.String(),
    "annotated_at": pl.Datetime("us", "UTC"),
    "seconds": pl.Float64(),
}


def write_parquet(path: Path, batches: Iterable[pl.DataFrame]) -> int:
    """Write batches of one schema as one Parquet file in one step, a row group per batch; return the rows."""
    rows, writer = 0, None
    with replacing(path) as temporary:
        for batch in batches:
            table: pa.Table = batch.to_arrow()
            writer = writer or pq.ParquetWriter(temporary, table.schema, compression="zstd")
            writer.write_table(table)
            rows += len(batch)
        if writer is None:
            raise UserError(f"{path} would hold no record", str(path), "look at the stage before it")
        writer.close()
    return rows


def read_batches(path: Path, rows: int) -> Iterator[pl.DataFrame]:
    """Read a Parquet file ``rows`` records at a time, so that memory does not grow with the file."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=rows):
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame)
            yield frame


def shards(folder: Path) -> list[Path]:
    """List the finished shards of a folder in their order."""
    return sorted(path for path in folder.glob("*.parquet") if not path.name.startswith("."))


def slice_mask(part: Slice) -> pl.Expr:
    """Select the records of a slice of product.yaml; a missing value belongs to no slice."""
    column, mask = pl.col(part.column), pl.lit(True)
    if part.at_least is not None:
        mask &= column >= part.at_least
    if part.below is not None:
        mask &= column < part.below
    if part.equals is not None:
        mask &= column == part.equals
    return mask.fill_null(False)


def digest(parts: Iterable[bytes]) -> str:
    """Return the hex SHA-256 of the parts one after the other."""
    total = hashlib.sha256()
    for part in parts:
        total.update(part)
    return total.hexdigest()
