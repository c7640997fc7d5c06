"""Record and label tables: their columns, and reading them shard by shard.

Reads ``data/**.parquet``; writes Parquet through ``files.replacing``. The payload columns are those
of the product's input.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from fullstack_ml.product.formulation import moment
from fullstack_ml.product.types import Slice
from fullstack_ml.workspace.errors import UserError, first_line
from fullstack_ml.workspace.files import read_json, replacing
from fullstack_ml.workspace.paths import RAW

# What every record says of itself beside its payload. ``source_label`` is the label that the source states, if any.
RECORD: dict[str, pl.DataType] = {
    "id": pl.String(),
    "group": pl.String(),
    "kind": pl.String(),
    "source": pl.String(),
    "source_row": pl.Int64(),  # of a table, from 1; of a database the key or the cursor, where that is a number
    "happened_at": pl.Datetime("us"),  # by data.time of product.yaml, in UTC
    "given_split": pl.String(),  # train or test, where the source says so
    "licence": pl.String(),
    "collected_at": pl.Datetime("us", "UTC"),
    "source_label": pl.String(),
    "shard": pl.String(),
}

# Columns whose values repeat. A dictionary of ids or measurements is built for nothing, and takes most of the time.
REPEATED = (
    "given_split",
    "group",
    "kind",
    "source",
    "licence",
    "collected_at",
    "source_label",
    "shard",
    "label",
    "labelled_by",
)

NAME = re.compile(r"[A-Za-z0-9_-]+")  # of a shard
Written = Callable[[Sequence[str], Mapping[str, str]], list[str]]  # a function of an answer: answers/__init__.py
BATCH_BYTES = 64 * 2**20  # of records that are in memory together

LABEL: dict[str, pl.DataType] = {
    "id": pl.String(),
    "label": pl.String(),
    "annotator": pl.String(),
    "round": pl.String(),
    "guide_version": pl.String(),
    "annotated_at": pl.Datetime("us", "UTC"),
    "seconds": pl.Float64(),
    "note": pl.String(),  # why it cannot be annotated, or why an adjudicator decided so
}


def repeated(schema: pa.Schema) -> list[str]:
    """Name the columns whose values repeat: as dictionaries they are read and written in a fraction of the time."""
    return [name for name in schema.names if name in (*REPEATED, *LABEL) and name not in ("id", "seconds")]


def parquet_writer(sink: Any, schema: pa.Schema) -> pq.ParquetWriter:
    """Open a Parquet file for writing; LZ4, since zstd takes twice the time to save a fifth of the space.

    Ids are hashes, which no method makes smaller. Types are those of Parquet alone, so that a column that was read as
    a dictionary is text again.
    """
    methods = {name: "none" if name == "id" else "lz4" for name in schema.names}
    settings: dict[str, Any] = {"use_dictionary": repeated(schema), "write_statistics": False, "store_schema": False}
    return pq.ParquetWriter(sink, schema, compression=methods, **settings)


def write_parquet(path: Path, batches: Iterable[pl.DataFrame]) -> int:
    """Write batches of one schema as one Parquet file in one step, a row group per batch; return the rows."""
    rows, writer = 0, None
    with replacing(path) as temporary:
        for batch in batches:
            table: pa.Table = batch.to_arrow()
            writer = writer or parquet_writer(temporary, table.schema)
            writer.write_table(table)
            rows += len(batch)
        if writer is None:
            raise UserError(f"{path} would hold no record", str(path), "run dvc repro, and look at the stage before it")
        writer.close()
    return rows


def batch_rows(file: pq.ParquetFile, rows: int) -> int:
    """Return how many records to read at once: at most ``rows``, and fewer when they are large, such as photographs."""
    held: int = sum(file.metadata.row_group(i).total_byte_size for i in range(file.num_row_groups))
    fit: int = BATCH_BYTES * file.metadata.num_rows // max(1, held)
    return max(1, min(rows, fit))


def read_batches(path: Path, rows: int, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
    """Read a Parquet file at most ``rows`` records at a time, so that memory does not grow with the file.

    Raises:
        UserError: if the file is damaged.
    """
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:  # a buffer would keep all that was read
            for batch in file.iter_batches(batch_size=batch_rows(file, rows), columns=columns):
                frame = pl.from_arrow(batch)
                assert isinstance(frame, pl.DataFrame)
                yield frame
    except (FileNotFoundError, PermissionError):  # of which errors.guard says what is to do
        raise
    except (pa.ArrowException, OSError) as error:
        what = f"{path.name} is damaged: {first_line(error)}"
        raise UserError(what, str(path), f"bring it back: dvc checkout --force {path}") from error


def shard_file(name: str) -> str:
    """Return the file of a shard that a manifest names: one of its own folder, whatever a manifest says.

    Raises:
        UserError: for a name that leads elsewhere.
    """
    if not NAME.fullmatch(name):
        raise UserError(f"the manifest names a shard {name!r}", "manifest.json", "dvc checkout --force data/raw")
    return f"{name}.parquet"


def shards(folder: Path) -> list[Path]:
    """List the finished shards of a folder in their order: those of its manifest, where it has one."""
    manifest = folder / "manifest.json"
    if manifest.exists():
        return [folder / shard_file(entry["shard"]) for entry in read_json(manifest)["shards"]]
    return sorted(path for path in folder.glob("*.parquet") if not path.name.startswith("."))


def raw() -> pl.LazyFrame:
    """Open all raw records: those of the shards that the manifest lists.

    Raises:
        UserError: if there are none.
    """
    if not shards(RAW):
        raise UserError("there are no raw records", str(RAW), "make collect")
    return pl.scan_parquet(shards(RAW))


def raw_records(ids: Collection[str], *columns: str) -> pl.DataFrame:
    """Return the raw records of ``ids`` that are stored, in the order of their ids; all columns where none is named."""
    return raw().filter(pl.col("id").is_in(list(ids))).sort("id").select(*columns or (pl.all(),)).collect()


def slice_mask(part: Slice) -> pl.Expr:
    """Select the records of a slice of product.yaml; a missing value belongs to no slice."""
    column, mask = pl.col(part.column), pl.lit(True)
    low, high = (moment(bound) if isinstance(bound, str) else bound for bound in (part.at_least, part.below))
    if low is not None:
        mask &= column >= low
    if high is not None:
        mask &= column < high
    if part.equals is not None:
        mask &= column.cast(pl.String) == part.equals  # a flag is true or false
    return mask.fill_null(False)


def rewritten(labels: pl.Series, written: Written, renames: Mapping[str, str]) -> pl.Series:
    """Write a column of answers as ``written`` does; most are written so already."""
    given = labels.drop_nulls().unique().to_list()
    changed = {old: new for old, new in zip(given, written(given, renames), strict=True) if old != new}
    return labels.replace(changed) if changed else labels
