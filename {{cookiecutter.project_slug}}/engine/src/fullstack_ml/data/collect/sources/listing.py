"""A table beside a folder of pictures: what it says of each file, by the file's name or its path in the folder.

Reads a table in any form that ``reading.py`` knows, with the columns ``file`` and, each where there is one, ``label``,
``group`` and ``split``, and those of ``data.columns`` of ``product.yaml``; writes nothing.
"""

from collections import Counter
from pathlib import PurePosixPath

import polars as pl

from fullstack_ml.data.collect.sources.reading import read_table_file
from fullstack_ml.data.collect.sources.rows import refuse_missing
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError

SAID = {"label": "source_label", "group": "group", "split": "given_split"}
Said = dict[str, str | None]  # by column of a record


def read_listing(path: str, product: Product, where: str) -> dict[str, Said]:
    """Return what the table says of every file, in its order.

    Raises:
        UserError: if it lacks a column, names a file twice, or a split is neither train nor test.
    """
    reading, listed, extra = read_table_file(path, numeric=[], where=where), {}, product.data.columns
    refuse_missing(["file", *extra], reading.names, path, where)
    wanted = SAID | {name: name for name in extra}
    for frame in reading.batches:
        there = [name for name in ("file", *wanted) if name in frame.columns]
        for row in frame.select(pl.col(there).cast(pl.String)).iter_rows(named=True):
            file = row.pop("file")
            if not file or file in listed:
                raise UserError(f"{path} names the file {file!r} twice, or none", where, "give every file one row")
            if row.get("split") not in ("train", "test", None):
                raise UserError(f"the split of {file} is {row['split']!r} in {path}", where, "write train or test")
            listed[file] = {wanted[name]: value or None for name, value in row.items()}
    print(f"collect: {path}: {len(listed)} files; {reading.said}")
    return listed


def matched(listed: dict[str, Said], paths: list[str]) -> tuple[dict[str, Said], list[str]]:
    """Return what is said of each of the paths in the folder, and the names in the table that fit none.

    A path is found by itself, or by its last part where only one file of the folder has it.
    """
    last = {path: PurePosixPath(path).name for path in paths}
    alone = {name for name, count in Counter(last.values()).items() if count == 1}
    keys = {path: path if path in listed else last[path] for path in paths if path in listed or last[path] in alone}
    found = {path: listed[key] for path, key in keys.items() if key in listed}
    fitted = {keys[path] for path in found}
    return found, [name for name in listed if name not in fitted]
