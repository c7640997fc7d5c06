"""How far annotators agree on sets of labels, and the set that stands for theirs.

Reads and writes nothing. Takes tables of ``tables.LABEL`` with one answer per annotator and record, as ``a;b`` or
``none``; a missing one says that the record cannot be annotated, and is as far from every set as two can be. Two sets
are apart by MASI: R. Passonneau (2006), Measuring Agreement on Set-valued Items (MASI) for Semantic and Pragmatic
Annotation.
"""

from functools import partial
from typing import Any

import numpy as np
import polars as pl

from fullstack_ml.answers.words import JOINT, NONE, names_in
from fullstack_ml.data.label.aggregate import Method, adjudicated, dawid_skene, shared
from fullstack_ml.data.label.agreement import CANNOT, alpha, bootstrap, by_pair


def masi(one: set[str], other: set[str]) -> float:
    """Return one minus Jaccard's share of what both name, weighed by 1 where they are the same, 2/3 where one holds
    the other, 1/3 where each has its own. Two empty sets are the same."""
    both = len(one & other)
    weight = 1 if one == other else 2 / 3 if both == min(len(one), len(other)) else 1 / 3
    return 1 - (both / len(one | other) if one | other else 1) * weight


def distances(values: list[str]) -> np.ndarray:
    """Return how far every two answers are apart, (values, values)."""
    sets = [None if value == CANNOT else set(names_in(value)) for value in values]
    return np.array([[float(a is not b) if None in (a, b) else masi(a, b) for b in sets] for a in sets])  # type: ignore[arg-type]


def counted(said: pl.DataFrame, values: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return how often records have each answer, (patterns, values), and how many do; one answer alone is left out."""
    place, many = {value: i for i, value in enumerate(values)}, said["id"].n_unique()
    column = np.array([place[value] for value in said["label"]], dtype=np.int64)
    record = said["id"].rank("dense").cast(pl.Int64).to_numpy() - 1
    cells = np.bincount(record * len(values) + column, minlength=many * len(values))
    counts = cells.reshape(many, len(values)).astype(float)
    patterns, units = np.unique(counts[counts.sum(axis=1) > 1], axis=0, return_counts=True)
    return patterns, units


def whole(said: pl.DataFrame) -> dict[str, float | None]:
    """Return alpha of the answers, with its 95 % interval."""
    values = said["label"].unique().sort().to_list()
    counts, units = counted(said, values)
    return bootstrap({"": counts}, units, partial(alpha, distances=distances(values)))[""]


def overall(said: pl.DataFrame, names: list[str]) -> dict[str, float | None]:
    """Alpha over all answers, with its interval."""
    return whole(said.with_columns(pl.col("label").fill_null(CANNOT)))


def per_label(said: pl.DataFrame, names: list[str]) -> dict[str, dict[str, float | None]]:
    """Alpha of every label, there or not, and of whether a record can be annotated."""
    found = {}
    for name in (*names, CANNOT):
        has = {value: str(name in names_in(value)) for value in said["label"].unique().to_list()}
        label = pl.col("label").replace_strict(has, return_dtype=pl.String)
        counts, units = counted(said.with_columns(label), ["True", "False"])
        found[name] = bootstrap({"": counts}, units)[""]
    return found


def with_others(said: pl.DataFrame) -> dict[str, float]:
    """Return for each annotator alpha over all comparisons with somebody else."""
    values = said["label"].unique().sort().to_list()
    both = said.join(said, on="id", suffix="_b").filter(pl.col("annotator") != pl.col("annotator_b"))
    both, apart = both.with_columns(id=pl.format("{} {}", "id", "annotator_b")), distances(values)
    found = {}
    for (who,), mine in both.sort("annotator").group_by("annotator", maintain_order=True):
        ends = pl.concat([mine.select("id", "label"), mine.select("id", label="label_b")])
        counts, units = counted(ends, values)
        found[str(who)] = float(alpha(counts, units[None], apart)[0])
    return {who: value for who, value in found.items() if np.isfinite(value)}


def measure(said: pl.DataFrame, names: list[str]) -> dict[str, Any]:
    """Return the agreement report of sets, of the same parts as ``agreement.measure``."""
    said = said.with_columns(pl.col("label").fill_null(CANNOT))
    every, labels, several = whole(said), per_label(said, names), shared(said)
    worst = [labels[name]["alpha"] for name in names]
    return {
        "metrics": {
            "agreement_alpha": every["alpha"],
            "worst_label_alpha": None if None in worst else min((v for v in worst if v is not None), default=None),
        },
        "intervals": {} if every["low"] is None else {"agreement_alpha": [every["low"], every["high"]]},
        "alpha": every,
        "per_label": labels if len(several) else {},
        "pairs": by_pair(said, "label", whole),
        "with_others": with_others(said),
        "shared_records": len(several),
        "disagreements": several.filter(pl.col("different") > 1).height,
    }


def majority(labels: pl.DataFrame) -> pl.DataFrame:
    """Take every label that more than half of the people give, who say that the record can be annotated.

    None where half of all or more say that it cannot. ``share`` is that of the label, given or not, on which the
    fewest agree. Where labels have a ``weight``, that is what is counted.
    """
    latest = pl.col("guide_version").sort_by("annotated_at").last()
    labels = labels if "weight" in labels.columns else labels.with_columns(weight=1.0)
    said, found = labels.group_by("id").agg("label", "weight", guide_version=latest).sort("id"), []
    for answers, weights in said.select("label", "weight").iter_rows():
        given = [(names_in(one), weight) for one, weight in zip(answers, weights, strict=True) if one is not None]
        total = sum(weight for _, weight in given)
        share = total / sum(weights)
        counts = {name: sum(w for names, w in given if name in names) for named, _ in given for name in named}
        kept = sorted(name for name, count in counts.items() if 2 * count > total)
        least = min((max(count, total - count) / total for count in counts.values()), default=1.0)
        text = JOINT.join(kept) or NONE
        found.append((text, min(share, least)) if share > 0.5 else (None, 1 - share))
    return said.select(
        "id",
        label=pl.Series([label for label, _ in found], dtype=pl.String),
        votes=pl.col("label").list.len(),
        share=pl.Series([share for _, share in found], dtype=pl.Float64),
        guide_version="guide_version",
    )


AGGREGATIONS: dict[str, Method] = {"majority": majority, "dawid_skene": dawid_skene, "adjudicated": adjudicated}
