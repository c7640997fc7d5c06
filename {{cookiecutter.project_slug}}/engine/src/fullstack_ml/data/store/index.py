"""Which records are known, by id: exact in fixed memory, however many there are.

Reads and writes one unnamed temporary file in ``data/.collecting``, of 16 bytes per record. An id counts by its last
64 bits: among 30 million records, two different ones are taken for the same with a chance below 1 in 40,000.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl

Pairs = np.ndarray  # uint64 of shape (records, 2), sorted by the first column: key and mark

HALF = 32  # digits of an id that tell the content
HELD = 2_000_000  # pairs in memory before they are merged into the file: 32 MB
BLOCK = 1_000_000  # pairs read from the file at once
RUNS = 8


def content_of(ids: pl.Expr) -> pl.Expr:
    """Return what of ids tells the content."""
    return ids.str.slice(0, HALF)


def keys(ids: pl.Series) -> np.ndarray:
    """Return the last 64 bits of hexadecimal ids as uint64: the first ones are those of the content."""
    return ids.str.slice(48, 16).str.to_integer(base=16, dtype=pl.UInt64).to_numpy()


def contents_of(ids: pl.Series) -> np.ndarray:
    """Return the first 64 bits of hexadecimal ids as uint64: those of the content."""
    return ids.str.slice(0, 16).str.to_integer(base=16, dtype=pl.UInt64).to_numpy()


def marks(frame: pl.DataFrame, labelled: bool = True) -> np.ndarray:
    """Hash what should agree between two records of one name: content, group and label. Valid within this process.

    The last bit is free. Not ``labelled``: as it would be of the same record before it had a label.
    """
    label = pl.col("source_label") if labelled else pl.lit(None, pl.String).alias("source_label")
    return frame.select(mark=pl.struct(content_of(pl.col("id")), "group", label).hash())[
        "mark"
    ].to_numpy() & ~np.uint64(1)


class Index:
    """Keys with a mark each: newest in memory, the rest sorted in a file that is read block by block."""

    def __init__(self, folder: Path) -> None:
        """Begin empty, with a file in ``folder``."""
        self.folder = folder
        self.runs: list[Pairs] = []
        self.file = self._temporary()
        self.count = 0

    def sort_out(self, key: np.ndarray, mark: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which records are seen for the first time, which are remembered, and the mark remembered for each."""
        order = np.argsort(key, kind="stable")
        key, mark = key[order], mark[order]
        first = np.ones(len(key), dtype=bool)
        first[1:] = key[1:] != key[:-1]
        expected = mark[first][np.cumsum(first) - 1]
        known = np.zeros(len(key), dtype=bool)
        for run in self._runs():
            part = slice(np.searchsorted(key, run[0, 0], side="left"), np.searchsorted(key, run[-1, 0], side="right"))
            at = np.searchsorted(run[:, 0], key[part])
            hit = run[at, 0] == key[part]
            known[part] |= hit
            expected[part][hit] = run[at[hit], 1]
        new = first & ~known
        self._add(np.column_stack([key[new], mark[new]]))
        fresh, remembered = np.zeros(len(key), dtype=bool), np.zeros(len(key), dtype=np.uint64)
        fresh[order], remembered[order] = new, expected
        return fresh, remembered

    def find(self, key: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which keys are known and their marks, without remembering those that are not."""
        known, mark = np.zeros(len(key), dtype=bool), np.zeros(len(key), dtype=np.uint64)
        for run in self._runs():
            at = np.minimum(np.searchsorted(run[:, 0], key), len(run) - 1)
            hit = run[at, 0] == key
            known |= hit
            mark[hit] = run[at[hit], 1]
        return known, mark

    def _add(self, pairs: Pairs) -> None:
        """Take sorted pairs in; merge what is in memory now and then."""
        if len(pairs):
            self.runs.append(pairs)
            self.count += len(pairs)
        if sum(map(len, self.runs)) > HELD:
            self._write_out()
        elif len(self.runs) > RUNS:
            self.runs = [self._merged(self.runs)]

    def _write_out(self) -> None:
        """Merge the pairs in memory into the file, one block of the file at a time."""
        new, merged = self._merged(self.runs), self._temporary()
        for block in self._blocks():
            end = np.searchsorted(new[:, 0], block[-1, 0])
            self._merged([block, new[:end]]).tofile(merged)
            new = new[end:]
        new.tofile(merged)
        self.file.close()
        self.file, self.runs = merged, []

    def _runs(self) -> Iterator[Pairs]:
        """Yield every sorted run."""
        yield from self.runs
        yield from self._blocks()

    def _blocks(self) -> Iterator[Pairs]:
        """Read the file block by block."""
        self.file.seek(0)
        while len(block := np.fromfile(self.file, dtype=np.uint64, count=2 * BLOCK)):
            yield block.reshape(-1, 2)

    def _temporary(self) -> IO[bytes]:
        """Open a file that the system removes with the process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=self.folder)

    @staticmethod
    def _merged(runs: list[Pairs]) -> Pairs:
        """Sort several runs into one."""
        pairs = np.concatenate(runs)
        return pairs[np.argsort(pairs[:, 0], kind="stable")]
