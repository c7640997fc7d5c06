"""In which split a record stands: a hash of its group, or of its id, decides; few of a rare label are ``moved``.

Reads and writes nothing. New data never moves an old record, and all records of a group stand in one split.
"""

import math

import polars as pl

from fullstack_ml.workspace.errors import UserError

NAMES = ("train", "validation", "calibration", "test")
# 48 bits of the hash: enough to place a record, and exact in a float.
HEX, SPACE = 12, 16**12


def key(frame: pl.DataFrame) -> pl.Series:
    """Return what places a record: its group's SHA-256, or its id, which begins with that of its content."""
    if frame["group"].null_count() == len(frame):
        return frame["id"]
    import polars_hash  # here, since most data has no groups

    frame = frame.select("id", pl.col("group").cast(pl.String))  # it may be read as a category
    return frame.select(pl.coalesce(polars_hash.col("group").chash.sha2_256(), "id")).to_series()


def position(frame: pl.DataFrame) -> pl.Series:
    """Place every record in [0, 1)."""
    return (key(frame).str.slice(0, HEX).str.to_integer(base=16) / SPACE).alias("position")


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


def masks(
    frame: pl.DataFrame, edges: dict[str, tuple[float, float]], moved: dict[str, str] | None = None
) -> dict[str, pl.Series]:
    """Return for every split which records stand in it; ``moved`` names the split by the beginning of a key.

    Hexadecimal text is in the order of its numbers, so that texts are compared, which is faster than reading them.
    """
    text = key(frame)
    below = {edge: text < f"{math.ceil(edge * SPACE):0{HEX}x}" for pair in edges.values() for edge in pair if edge < 1}
    found = {name: ~below[low] & below[high] if high < 1 else ~below[low] for name, (low, high) in edges.items()}
    if not moved:
        return found
    other = text.str.slice(0, HEX).replace_strict(moved, default=None, return_dtype=pl.String)
    return {name: (mask & other.is_null()) | (other == name).fill_null(False) for name, mask in found.items()}
