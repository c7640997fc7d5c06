"""Annotators against items whose answer is known: how many each got right, which were missed, and who passes.

Reads and writes nothing. Takes tables of ``records.LABEL`` with one label per annotator and record.
"""

from collections.abc import Mapping
from typing import Any

import polars as pl


def share(hits: int, of: int) -> list[float] | None:
    """Return the 95 % interval of a share (Wilson 1927); None where nothing was counted."""
    from scipy.stats import binomtest

    if not of:
        return None
    found = binomtest(hits, of).proportion_ci(method="wilson")
    return [float(found.low), float(found.high)]


def allowed(items: int, right: float) -> int:
    """Return how many of ``items`` may be missed: so many that who gets the share ``right`` right passes 95 % of times.

    Of 20 items 1, of 100 items 3, where ``right`` is 0.99: a fixed share would turn good people away by chance.
    """
    from scipy.stats import binom

    return int(binom.ppf(0.95, items, 1 - right)) if items else 0


def missed(said: pl.DataFrame, gold: Mapping[str, str]) -> list[dict[str, str]]:
    """List the gold items that an annotator got wrong: id, annotator, round, what was said, what is right."""
    known = pl.DataFrame({"id": list(gold), "gold": list(gold.values())}, schema={"id": pl.String, "gold": pl.String})
    wrong = said.join(known, on="id").filter(pl.col("label") != pl.col("gold"))
    return wrong.select("id", "annotator", "round", "label", "gold").sort(pl.all()).to_dicts()


def annotators(said: pl.DataFrame, gold: Mapping[str, str], right: float) -> list[dict[str, Any]]:
    """Labels, median seconds, accuracy on the gold items with its interval, and whether each annotator passes."""
    known = pl.col("id").replace_strict(dict(gold), default=None, return_dtype=pl.String)
    hit = pl.col("label") == known
    rows = said.group_by("annotator").agg(
        labels=pl.len(), seconds=pl.col("seconds").median(), gold=known.count(), hits=hit.sum(), accuracy=hit.mean()
    )
    found = []
    for row in rows.sort("annotator").to_dicts():
        hits, items = row.pop("hits"), row["gold"]
        passes = items - hits <= allowed(items, right) if items else None
        found.append({**row, "accuracy_interval": share(hits, items), "passes": passes})
    return found
