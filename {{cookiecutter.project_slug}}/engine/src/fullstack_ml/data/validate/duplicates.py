"""Pairs of records that look alike: perceptual hashes that differ in few bits.

Reads and writes nothing. Hashes are compared where at least one of ``bits + 1`` bands is equal, which every pair with
at most ``bits`` differing bits has (multi-index hashing, Norouzi et al. 2012), so that not all pairs are compared.
Memory: about 100 bytes per image.
"""

from collections.abc import Iterator
from itertools import pairwise

import polars as pl

WIDTH = 64
CHUNK = 50_000

PAIRS: dict[str, pl.DataType] = {
    "id": pl.String(),
    "other": pl.String(),
    "distance": pl.UInt8(),
    "group": pl.String(),
    "other_group": pl.String(),
}


def near_duplicates(prints: pl.DataFrame, bits: int) -> pl.DataFrame:
    """Return pairs in the columns of ``PAIRS``, nearest first.

    Args:
        prints: id, group and fingerprint (UInt64) of every image.
        bits: the largest number of differing bits. Of many equal fingerprints each is paired with the first only.
    """
    prints = prints.drop_nulls("fingerprint")
    first = prints.unique("fingerprint", keep="first", maintain_order=True)
    equal = prints.join(first.rename({"id": "first", "group": "first_group"}), on="fingerprint", maintain_order="left")
    equal = equal.filter(pl.col("id") != pl.col("first")).select(
        id="first", other="id", distance=pl.lit(0), group="first_group", other_group="group"
    )
    unique = first.with_row_index("row")
    found = [pairs for band in bands(bits) for pairs in _alike(unique, band, bits)]
    alike = pl.concat(found).unique(["row", "row_right"]) if found else None
    pairs = [equal.cast(pl.Schema(PAIRS))]
    if alike is not None:
        names = {"id_right": "other", "group_right": "other_group"}
        pairs.append(alike.rename(names).select(*PAIRS).cast(pl.Schema(PAIRS)))
    return pl.concat(pairs).sort("distance", "id", "other")


def bands(bits: int) -> Iterator[tuple[int, int]]:
    """Cut the fingerprint into ``bits + 1`` bands: (shift, mask)."""
    edges = [WIDTH * i // (bits + 1) for i in range(bits + 2)]
    for low, high in pairwise(edges):
        yield low, (1 << (high - low)) - 1


def _alike(unique: pl.DataFrame, band: tuple[int, int], bits: int) -> Iterator[pl.DataFrame]:
    """Join the fingerprints on one band, some rows at a time, and keep the pairs within ``bits``."""
    shift, mask = band
    keyed = unique.with_columns(key=(pl.col("fingerprint") // (1 << shift)) & mask)
    for start in range(0, len(keyed), CHUNK):
        joined = keyed[start : start + CHUNK].join(keyed, on="key").filter(pl.col("row") < pl.col("row_right"))
        different = (pl.col("fingerprint") ^ pl.col("fingerprint_right")).bitwise_count_ones()
        yield joined.with_columns(distance=different).filter(pl.col("distance") <= bits)
