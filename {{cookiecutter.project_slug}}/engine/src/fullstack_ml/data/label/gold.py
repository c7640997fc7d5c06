"""Annotators against items whose answer is known: how many each got right, which were missed, and who passes.

Reads and writes nothing. Takes tables of ``tables.LABEL`` with one label per annotator and record.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from fullstack_ml.data.label.rounds import Round
from fullstack_ml.product.metrics import wilson


def allowed(items: int, right: float) -> int:
    """Return how many of ``items`` may be missed: so many that who gets the share ``right`` right passes 95 % of times.

    Of 20 items 1, of 100 items 3, where ``right`` is 0.99: a fixed share would turn good people away by chance.
    """
    from scipy.stats import binom

    return int(binom.ppf(0.95, items, 1 - right)) if items else 0


def known(rounds: Iterable[Round], renames: Mapping[str, str]) -> pl.DataFrame:
    """Return the known answers, under the names of now: round, id, gold.

    By round, since an item becomes gold where people agreed on it before: those labels of it are no test.
    """
    rows = [(one.name, record, renames.get(label, label)) for one in rounds for record, label in one.gold.items()]
    return pl.DataFrame(rows, schema=dict.fromkeys(("round", "id", "gold"), pl.String), orient="row")


def missed(said: pl.DataFrame, answers: pl.DataFrame) -> list[dict[str, str]]:
    """List the gold items that an annotator got wrong: id, annotator, round, what was said, what is right."""
    wrong = said.join(answers, on=["round", "id"]).filter(pl.col("label").ne_missing(pl.col("gold")))
    return wrong.select("id", "annotator", "round", "label", "gold").sort(pl.all()).to_dicts()


def annotators(said: pl.DataFrame, answers: pl.DataFrame, right: float) -> list[dict[str, Any]]:
    """Labels, median seconds, accuracy on the gold items with its interval, and whether each annotator passes."""
    hit = pl.col("label").eq_missing(pl.col("gold"))
    judged = pl.col("gold").is_not_null()
    rows = said.join(answers, on=["round", "id"], how="left").group_by("annotator").agg(
        labels=pl.len(), seconds=pl.col("seconds").median(), gold=judged.sum(), hits=(hit & judged).sum()
    )  # fmt: skip
    found = []
    for row in rows.sort("annotator").to_dicts():
        hits, items = row.pop("hits"), row["gold"]
        passes = items - hits <= allowed(items, right) if items else None
        accuracy, interval = (hits / items, wilson(hits, items)) if items else (None, None)
        found.append({**row, "accuracy": accuracy, "accuracy_interval": interval, "passes": passes})
    return found
