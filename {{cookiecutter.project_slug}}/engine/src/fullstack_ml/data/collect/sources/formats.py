"""Read a CSV or Parquet file batch by batch, from any file-like object.

Reads what it is handed; writes nothing.
"""

from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from fullstack_ml.workspace.errors import UserError

ROWS = 100_000
BLOCK = 16 * 2**20  # bytes of a CSV file that are parsed at once


def _parquet(file: Any) -> Iterator[pa.RecordBatch]:
    yield from pq.ParquetFile(file, pre_buffer=False).iter_batches(ROWS)  # a buffer would keep all that was read


def _csv(file: Any) -> Iterator[pa.RecordBatch]:
    """Read every value as text: a type guessed from the first rows would fail on a later one."""
    names = csv.open_csv(file, csv.ReadOptions(block_size=BLOCK)).schema.names
    file.seek(0)
    as_text = csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
    )
    yield from csv.open_csv(file, csv.ReadOptions(block_size=BLOCK), convert_options=as_text)


FORMS = {
    ".parquet": "give a Parquet file",
    ".csv": "give a CSV file: comma-separated, with a decimal point, in UTF-8, every row as long as the first",
}
READERS: dict[str, Callable[[Any], Iterator[pa.RecordBatch]]] = {".parquet": _parquet, ".csv": _csv}


def read_table(file: Any, suffix: str, place: str, where: str) -> Iterator[pl.DataFrame]:
    """Yield the rows of an open file.

    Raises:
        UserError: if the bytes are not what the suffix says, or a column stands twice; ``place`` and ``where`` tell the
            user which and why.
    """
    try:
        for batch in READERS[suffix](file):
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame)
            yield frame
    except pl.exceptions.DuplicateError as error:
        raise UserError(f"{place} has a column twice: {error}", where, "give every column its own name") from error
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{place} is unreadable: {error}", where, FORMS[suffix]) from error
