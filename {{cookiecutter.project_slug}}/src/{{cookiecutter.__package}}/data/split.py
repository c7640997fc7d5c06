"""Stage ``split``: train, validation, calibration and test by a hash of the record's group, or of its id.

Reads ``data/labelled.parquet``; writes ``data/splits/*.parquet`` and ``data/splits/manifest.json``. New data never
moves an old record, and all records of a group stand in one split.
Run: ``python -m PACKAGE.data.split``.
"""

import hashlib
import math
from typing import Any

import polars as pl

from ..config import Config
from ..contract import load
from ..errors import UserError
from ..files import sha256, write_json
from ..paths import LABELLED, SPLITS
from ..records import read_batches, write_parquet
from ..stage import stage

NAMES = ("train", "validation", "calibration", "test")
# 48 bits of the id: enough to place a record, and exact in a float.
HEX, SPACE = 12, 16**12
ROWS = 50_000


def position(frame: pl.DataFrame) -> pl.Series:
    """Place every record in [0, 1) by its group's hash, or by its id, which is a hash already."""
    groups = {g: hashlib.sha256(g.encode()).hexdigest() for g in frame["group"].drop_nulls().unique()}
    key = pl.col("group").replace_strict(groups, default=None, return_dtype=pl.String).fill_null(pl.col("id"))
    return frame.select(position=key.str.slice(0, HEX).str.to_integer(base=16) / SPACE)["position"]


def bounds(shares: dict[str, float]) -> dict[str, tuple[float, float]]:
    """Turn shares into intervals of [0, 1), test first: so test stays put when the other shares change.

    Raises:
        UserError: if a split is missing, unknown or empty, or the shares do not sum to 1.
    """
    if set(shares) != set(NAMES) or min(shares.values()) <= 0 or not math.isclose(sum(shares.values()), 1.0):
        fix = "give train, validation, calibration and test shares above 0 that sum to 1"
        raise UserError(f"shares are {shares}", "conf/split.yaml", fix)
    edges, low = {}, 0.0
    for name in reversed(NAMES):
        edges[name] = (low, 1.0 if name == NAMES[0] else low + shares[name])
        low += shares[name]
    return edges


def write_split(name: str, interval: tuple[float, float], labels: list[str]) -> dict[str, Any]:
    """Write one split and return its counts and hash; an empty split or a missing label is an error."""
    low, high = interval
    counts = dict.fromkeys(labels, 0)

    def chosen() -> Any:
        for batch in read_batches(LABELLED, ROWS):
            part = batch.filter((position(batch) >= low) & (position(batch) < high))
            for label, count in part["label"].value_counts().iter_rows():
                counts[label] += count
            yield part

    path = SPLITS / f"{name}.parquet"
    rows = write_parquet(path, chosen())
    missing = [label for label, count in counts.items() if not count]
    if missing:
        what = f"the {name} split has {rows} records, and none with the label(s) {', '.join(missing)}"
        raise UserError(what, str(path), "collect or label more records of them, or raise its share in conf/split.yaml")
    return {"rows": rows, "labels": counts, "sha256": sha256(path)}


def run(config: Config) -> None:
    """Write the four splits and their manifest."""
    labels = load().formulation.label_names
    splits = {name: write_split(name, interval, labels) for name, interval in bounds(config.split.shares).items()}
    write_json(SPLITS / "manifest.json", splits)
    print("split: " + ", ".join(f"{name} {splits[name]['rows']}" for name in NAMES))


if __name__ == "__main__":
    stage(run)
