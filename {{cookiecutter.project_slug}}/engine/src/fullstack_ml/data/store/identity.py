"""What names a record: its id says which content it has, and which of the records of that content it is.

An id is 64 hexadecimal digits. The first half is that of the SHA-256 of the content (``Input.content_id``), so that
records of one content stand in one split. The second half tells them apart. A picture is its content. A row of a table
is named by ``data.row_key`` of product.yaml, or else by its content, label, group, and the how many-th of such rows it
is in its file; so a table may be read again, in any order and with more rows, and each row is known or new.

Reads nothing; counts in a temporary file in the folder that it is given.
"""

from pathlib import Path

import numpy as np
import polars as pl

from fullstack_ml.data.store.index import HALF, Index, content_of

WHOLE = 2 * HALF  # digits of an id
BETWEEN = "\x1f"  # parts of a name that is hashed


def named(record: str) -> pl.Expr:
    """Select the record of an id or of its beginning, or all records of a whole content, which a prediction names."""
    same = pl.col("id").str.starts_with(record)
    return same | (content_of(pl.col("id")) == record[:HALF]) if len(record) == WHOLE else same


def _hashed(parts: list[pl.Expr]) -> pl.Expr:
    """Return the second half of an id: of the SHA-256 of texts, in which a missing one is told from an empty one."""
    import polars_hash  # here, since the stages after collect name nothing

    texts = [pl.when(part.is_null()).then(pl.lit("-")).otherwise(pl.lit("+") + part.cast(pl.String)) for part in parts]
    hashed: pl.Expr = polars_hash.concat_str(texts, separator=BETWEEN).chash.sha2_256()
    return hashed.str.slice(0, HALF)


def keyed(frame: pl.DataFrame) -> pl.DataFrame:
    """Name rows by the column ``row_key``; ``id`` is their content before."""
    return frame.with_columns(id=content_of(pl.col("id")) + _hashed([pl.lit("key"), pl.col("row_key")]))


def numbered(frame: pl.DataFrame, label: pl.Expr, number: pl.Series) -> pl.Series:
    """Name rows by content, label, group and number; the first without label and group by its content alone.

    Args:
        frame: with the columns id (the content), group.
        label: the label of each.
        number: from 1.
    """
    frame = frame.with_columns(_label=label, _number=number)
    told = content_of(pl.col("id")) + _hashed([pl.col("id"), pl.col("_label"), pl.col("group"), pl.col("_number")])
    plain = pl.col("_label").is_null() & pl.col("group").is_null() & (pl.col("_number") == 1)
    return frame.select(id=pl.when(plain).then("id").otherwise(told))["id"]


class Counter:
    """Counts how often a row came in its file. Memory: 16 bytes per row on disk, 100 in memory per repeated one."""

    def __init__(self, folder: Path) -> None:
        """Begin with nothing; ``folder`` is for the temporary file."""
        self.folder = folder
        self.sources: set[str | None] = set()
        self._begin()

    def _begin(self) -> None:
        self.index, self.repeated = Index(self.folder), dict[int, int]()

    def count(self, frame: pl.DataFrame, *columns: str) -> pl.Series:
        """Return for every row the how many-th it is of its source that is equal in ``columns``."""
        sources = set(frame["source"].unique())
        if not sources & self.sources:
            self._begin()  # another file: what was counted is done with
        self.sources = sources
        keys = frame.select(key=pl.struct("source", *columns).hash())["key"].to_numpy()
        fresh = self.index.sort_out(keys, np.zeros(len(keys), dtype=np.uint64))[0]
        numbers, again = np.ones(len(keys), dtype=np.int64), np.flatnonzero(~fresh)
        if len(again):
            held, inverse, counts = np.unique(keys[again], return_inverse=True, return_counts=True)
            before = np.array([self.repeated.get(key, 1) for key in held.tolist()])
            ranks = pl.DataFrame({"key": inverse}).select(pl.int_range(1, pl.len() + 1).over("key")).to_series()
            numbers[again] = before[inverse] + ranks.to_numpy()
            self.repeated.update(zip(held.tolist(), (before + counts).tolist(), strict=True))
        return pl.Series("number", numbers)
