"""Give the records of a batch their ids, as ``data/store/identity.py`` says, whatever is stored already.

Reads and writes nothing but the temporary files of an index.
"""

from collections.abc import Callable

import numpy as np
import polars as pl

from fullstack_ml.data.store.identity import Counter, keyed, numbered
from fullstack_ml.data.store.index import Index, contents_of, keys
from fullstack_ml.inputs import input_of
from fullstack_ml.product.types import Product

ROW_KEY = "row_key"  # column of a batch, not stored
FRESH = np.uint64(1)  # bit of a mark: the record is of this run


class Names:
    """Names records: ``keyed`` by a column, or as rows of a table by their number, or by their content alone.

    A row of a table may label a record that is stored without a label, and then has its id; a row without a label says
    nothing of a content that is stored with one.
    """

    def __init__(self, product: Product, index: Index, contents: Callable[[], Index]) -> None:
        """Take what is known; ``contents`` finds the contents of what is stored with a label."""
        rows = pl.Binary() not in input_of(product).columns(product).values()  # bytes stand for themselves
        self.index, self.contents = index, contents
        self.keyed = product.data.row_key is not None and rows
        self.rows = rows and not self.keyed
        self.stored = index.count > 0  # before this run
        self.labelled: Index | None = None
        self.counters = [Counter(index.folder) for _ in range(2)] if self.rows else []
        self.contrary = "known content under another group or label"
        if self.keyed:
            self.contrary = f"known {product.data.row_key} with other values, another group or label"

    def give(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
        """Return a batch with its ids, and how many rows are left out since they say nothing new."""
        if self.keyed:
            return keyed(frame).drop(ROW_KEY), 0
        frame = frame.drop(ROW_KEY, strict=False)
        if not self.rows:
            return frame, 0
        label = pl.col("source_label")
        ids = numbered(frame, label, self.counters[0].count(frame, "id", "group", "source_label"))
        if not self.stored:
            return frame.with_columns(ids), 0
        unlabelled = frame["source_label"].is_null().to_numpy()
        known = self.index.find(keys(ids))[0]
        ids = self._of_those_without_a_label(frame, ids, ~known & ~unlabelled)
        again = np.zeros(len(frame), dtype=bool)
        if (unlabelled & ~known).any():
            self.labelled = self.labelled or self.contents()
            again = unlabelled & ~known & self.labelled.find(contents_of(frame["id"]))[0]
        return frame.with_columns(ids).filter(pl.Series(~again)), int(again.sum())

    def _of_those_without_a_label(self, frame: pl.DataFrame, ids: pl.Series, asked: np.ndarray) -> pl.Series:
        """Give rows that are ``asked`` for the id of the record that was stored without a label before this run."""
        labelled = frame.with_columns(has=pl.col("source_label").is_not_null())
        number = self.counters[1].count(labelled, "id", "group", "has")
        if not asked.any():
            return ids
        others = numbered(frame, pl.lit(None, pl.String), number)
        there, mark = self.index.find(keys(others))
        chosen = asked & there & ((mark & FRESH) == 0)
        return pl.select(pl.when(pl.Series(chosen)).then(others).otherwise(ids).alias("id"))["id"]
