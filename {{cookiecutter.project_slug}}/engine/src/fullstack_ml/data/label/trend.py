"""Agreement over time: round by round, guide version by guide version, and which answers are mixed up.

Reads and writes nothing. Takes tables of ``tables.LABEL`` in which what a model suggested is left out. A round is
measured on its own labels, whatever guide came later: a better guide shows as a better round.
"""

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from fullstack_ml.data.label.aggregate import guide_major, shared, votes
from fullstack_ml.data.label.agreement import CANNOT
from fullstack_ml.data.label.rounds import Round

# Alpha with its interval, of one table of labels.
Alpha = Callable[[pl.DataFrame], dict[str, float | None]]
# Records with several labels, from which the newest guide version is measured alone.
ENOUGH = 20


def version(text: str) -> tuple[int, ...]:
    """Return a guide version as numbers, by which 1.10 comes after 1.9."""
    return tuple(int(part) for part in text.split("."))


def summary(said: pl.DataFrame, alpha: Alpha) -> dict[str, Any]:
    """Count records, labels and people, and say how far these agree."""
    several = shared(said)
    counts = {"records": said["id"].n_unique(), "labels": len(said), "people": said["annotator"].n_unique()}
    split = several.filter(pl.col("different") > 1).height
    return {**counts, "shared_records": len(several), "disagreements": split, **alpha(said)}


def by_round(said: pl.DataFrame, rounds: Mapping[str, Round], alpha: Alpha) -> list[dict[str, Any]]:
    """Sum up every round that has labels, the oldest first."""
    order = {name: place for place, name in enumerate(rounds)}
    parts = {str(name): part for (name,), part in said.group_by("round")}
    found = []
    for name in sorted(parts, key=lambda name: (order.get(name, len(order)), name)):
        mine, one = votes(parts[name]), rounds.get(name)
        versions = sorted(mine["guide_version"].unique(), key=version)
        facts = {"round": name, "kind": one.kind if one else None, "items": len(one.items) if one else None}
        seconds = {"seconds": mine["seconds"].median(), "cannot": mine["label"].null_count()}
        found.append({**facts, "guide_versions": versions, **seconds, **summary(mine, alpha)})
    return found


def by_guide(said: pl.DataFrame, alpha: Alpha) -> list[dict[str, Any]]:
    """Sum up what was said under every version of the guide, the oldest first; of one annotator the last of each."""
    parts = {str(name): part for (name,), part in said.group_by("guide_version")}
    return [{"guide_version": name, **summary(votes(parts[name]), alpha)} for name in sorted(parts, key=version)]


def each(said: pl.DataFrame) -> pl.DataFrame:
    """Keep of every annotator, record and round the last label, whatever guide came later."""
    return said.sort("annotated_at", maintain_order=True).unique(["id", "annotator", "round"], keep="last")


def judged(said: pl.DataFrame, guide: str) -> tuple[pl.DataFrame, list[str]]:
    """Return the labels on which the agreement of now is measured, and the guide versions that they were given under.

    Those of the newest version that ENOUGH records have several labels of: together with what came before it, a pilot
    under a better guide would not show. Where there is none, all under the current major version.
    """
    current = votes(said).filter(guide_major() == version(guide)[0])
    for name in sorted(current["guide_version"].unique(), key=version, reverse=True):
        mine = current.filter(pl.col("guide_version") == name)
        if mine.group_by("id").len().filter(pl.col("len") > 1).height >= ENOUGH:
            return mine, [name]
    return current, sorted(current["guide_version"].unique(), key=version)


def contested(said: pl.DataFrame) -> pl.DataFrame:
    """Return the records with different labels: id, ``who`` and ``what`` in the same order; the least agreed first."""
    ordered = said.sort("annotator").with_columns(pl.col("label").fill_null(CANNOT))
    largest = pl.col("label").value_counts().struct.field("count").max()
    grouped = ordered.group_by("id").agg(
        who="annotator", what="label", why="note", share=largest / pl.len(), n=pl.col("label").n_unique()
    )
    return grouped.filter(pl.col("n") > 1).sort("share", "id").drop("n")


def mixed_up(said: pl.DataFrame) -> list[dict[str, Any]]:
    """Count for every two answers the records to which people gave both; the most frequent first."""
    answers = said.select("id", answer=pl.col("label").fill_null(CANNOT)).unique()
    both = answers.join(answers, on="id", suffix="_b").filter(pl.col("answer") < pl.col("answer_b"))
    counted = both.group_by("answer", "answer_b").len("records")
    ordered = counted.sort("records", "answer", "answer_b", descending=[True, False, False])
    return [{"answers": [a, b], "records": of} for a, b, of in ordered.iter_rows()]
