"""From the batches of a source to records worth storing: named, described, each once.

Reads nothing; rejected records go to ``rejects.py``.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from fullstack_ml.answers import answer_of
from fullstack_ml.data.collect.names import FRESH, ROW_KEY, Names
from fullstack_ml.data.collect.rejects import Rejects
from fullstack_ml.data.store.index import Index, keys, marks
from fullstack_ml.data.store.tombstones import Tombstones
from fullstack_ml.inputs import input_of
from fullstack_ml.pipeline.tables import RECORD, rewritten
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError

# Columns by which a source speaks to this stage; they are not stored.
REJECTED, ORIGINAL, CURSOR = "rejected", "record", "cursor"


def outside(batch: pl.DataFrame, product: Product) -> pl.DataFrame:
    """Take a label that is the name of a kind out of scope for that kind: such a record has no label."""
    out = pl.col("source_label").is_in(product.data.out_of_scope)
    label = pl.when(~out).then("source_label")
    return batch.with_columns(kind=pl.when(out).then("source_label").otherwise("kind"), source_label=label)


def prepare(batch: pl.DataFrame, product: Product, now: datetime) -> pl.DataFrame:
    """Give a batch its content as id, its time and its describing columns, in the order of the record schema."""
    batch = batch.with_columns(
        input_of(product).content_id(batch, product), collected_at=pl.lit(now, RECORD["collected_at"])
    )
    batch = outside(input_of(product).describe(batch, product), product)
    missing = [pl.lit(None, kind).alias(name) for name, kind in RECORD.items() if name not in batch.columns]
    batch = batch.with_columns(rewritten(batch["source_label"], answer_of(product).written, {}))
    return batch.with_columns(missing).select(*RECORD, pl.exclude(*RECORD, REJECTED, ORIGINAL))


class Intake:
    """Sorts out what to store.

    ``cursor`` is the last one that the source stated, and ``late`` holds the labels of stored records that had none.
    Every row is counted once: ``read`` is the sum of the new ones, ``known``, ``labelled`` (late), ``rejected`` and
    ``forgotten``.
    """

    def __init__(
        self, product: Product, index: Index, stones: Tombstones, rejects: Rejects, contents: Callable[[], Index]
    ) -> None:
        """Take what is known, what was forgotten, where rejected records go, and the contents that have labels."""
        self.product, self.index, self.stones, self.rejects = product, index, stones, rejects
        self.names = Names(product, index, contents)
        named = {"happened_at": product.data.time, ROW_KEY: product.data.row_key if self.names.keyed else None}
        self.wanted = {name: column for name, column in named.items() if column}
        self.wanted |= {name: name for name in product.data.columns}
        self.cursor: Any = None
        self.read = self.known = self.labelled = self.rejected = self.forgotten = 0
        self.late: dict[str, str] = {}

    def records(self, batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """Yield what is neither known, nor forgotten, nor rejected by its source."""
        for batch in batches:
            self.read += len(batch)
            if CURSOR in batch.columns and len(batch):
                self.cursor = batch[CURSOR][-1]
            if REJECTED in batch.columns:
                batch = self._without(batch, pl.col(REJECTED).is_not_null(), pl.col(REJECTED))
            for name, column in self.wanted.items() if len(batch) else ():
                if name not in batch.columns:
                    what = f"product.yaml names the column {column!r}, and the source gives no such thing"
                    raise UserError(what, "product.yaml, data", "leave it out, or take a source that has it")
            if self.names.keyed and len(batch):
                reason = pl.lit(f"{self.product.data.row_key} is missing, which names the row")
                batch = self._without(batch, pl.col(ROW_KEY).is_null(), reason)
            if not len(batch):
                continue
            frame, again = self.names.give(self._readable(prepare(batch, self.product, datetime.now(UTC))))
            self.known += again
            if self.stones:
                kept = frame.filter(~self.stones.mask(frame))
                self.forgotten += len(frame) - len(kept)
                frame = kept
            yield from self.first_seen(frame)

    def _readable(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Reject the records that nobody can read, such as a broken picture: what describes them is missing then.

        They have no id: once the file is mended it comes in, and is struck from the list by its name.
        """
        record = input_of(self.product)
        described = record.slice_columns(self.product)
        doubtful = frame.filter(pl.any_horizontal(pl.lit(False), *(pl.col(name).is_null() for name in described)))
        faults = dict(record.faults(doubtful, self.product)) if len(doubtful) else {}
        if not faults:
            return frame
        why = pl.col("id").replace_strict(faults, default=None, return_dtype=pl.String)
        named = frame.with_columns(why=why).with_columns(id=pl.when(pl.col("why").is_null()).then("id"))
        return self._without(named, pl.col("why").is_not_null(), pl.col("why")).drop("why")

    def _without(self, batch: pl.DataFrame, mask: pl.Expr, reason: pl.Expr) -> pl.DataFrame:
        """Reject the records that ``mask`` selects, and return the others."""
        refused = batch.filter(mask)
        self.rejected += len(refused)
        self.rejects.add(refused, reason)
        return batch.filter(~mask) if len(refused) else batch

    def first_seen(self, frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Yield the records of ``frame`` that are new.

        A known record that had no label and comes with one now is labelled late; one without a label says nothing
        new; one under another group or label, or a row key with other values, is rejected.
        """
        mark = marks(frame)
        new, remembered = self.index.sort_out(keys(frame["id"]), mark | FRESH)
        remembered &= ~FRESH
        silent = frame["source_label"].is_null().to_numpy()
        late = ~new & ~silent & (remembered == marks(frame, labelled=False))
        contrary = ~new & ~late & (remembered != mark)
        if not self.names.keyed:
            contrary &= ~silent
        contrary |= self._two_labels(frame, late)
        self.rejects.add(frame.filter(pl.Series(contrary)), pl.lit(self.names.contrary))
        self.rejected += int(contrary.sum())
        self.labelled += int((late & ~contrary).sum())
        self.rejects.accept(frame["source"])
        self.known += int((~(new | contrary | late)).sum())
        if new.any():
            yield frame if new.all() else frame.filter(pl.Series(new))

    def _two_labels(self, frame: pl.DataFrame, late: np.ndarray) -> np.ndarray:
        """Remember late labels, the first of each record; return which records come with a second, other one."""
        other = np.zeros(len(frame), dtype=bool)
        for i in np.flatnonzero(late).tolist():
            label = frame["source_label"][i]
            other[i] = self.late.setdefault(frame["id"][i], label) != label
        return other
