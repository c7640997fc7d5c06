"""One label per record from the labels of several people.

Reads and writes nothing. Takes tables of ``tables.LABEL`` in which a missing ``label`` says that the record cannot be
annotated. Every method returns id, label, votes, share, guide_version; ``share`` is how sure the label is, from 0 to 1.
"""

from collections.abc import Callable

import numpy as np
import polars as pl

Method = Callable[[pl.DataFrame], pl.DataFrame]
FLAG: dict[str, pl.DataType] = {"id": pl.String(), "reason": pl.String(), "detail": pl.String()}
# Steps of expectation and maximisation, and the change of a probability at which they end.
STEPS, CHANGE = 100, 1e-6


def guide_major() -> pl.Expr:
    """Return what ``guide.major`` says of the column ``guide_version``."""
    return pl.col("guide_version").str.split(".").list.first().cast(pl.Int64)


def newest(labels: pl.DataFrame) -> pl.DataFrame:
    """Keep of every record what was said under its newest major guide version, rulings included."""
    return labels.filter(guide_major() == guide_major().max().over("id"))


def votes(labels: pl.DataFrame) -> pl.DataFrame:
    """Keep what counts: one label per annotator and record, the latest, and none under an older major guide version."""
    ordered = newest(labels).sort("annotated_at", "round", maintain_order=True)
    return ordered.unique(["id", "annotator"], keep="last").sort("id", "annotator")


def shared(said: pl.DataFrame) -> pl.DataFrame:
    """Return the records with several labels: id, how many ``different`` ones, and ``votes``."""
    counted = said.group_by("id").agg(different=pl.col("label").n_unique(), votes=pl.len())
    return counted.filter(pl.col("votes") > 1)


def majority(labels: pl.DataFrame) -> pl.DataFrame:
    """Take the most frequent label; a tie goes to the first by name, with the share that it has."""
    latest = pl.col("guide_version").sort_by("annotated_at").last()
    weight = pl.col("weight").sum() if "weight" in labels.columns else pl.len().cast(pl.Float64)
    counts = labels.group_by("id", "label").agg(votes=pl.len(), weight=weight, guide_version=latest)
    total, share = pl.col("votes").sum().over("id"), pl.col("weight") / pl.col("weight").sum().over("id")
    ranked = counts.with_columns(share=share, total=total)
    ranked = ranked.sort(["id", "weight", "label"], descending=[False, True, False], nulls_last=True)
    best = ranked.unique("id", keep="first", maintain_order=True)
    return best.select("id", "label", votes=pl.col("total"), share="share", guide_version="guide_version")


def dawid_skene(labels: pl.DataFrame) -> pl.DataFrame:
    """Weigh each annotator by the confusions that the data shows; ``share`` is the label's probability.

    A. P. Dawid and A. M. Skene (1979), Maximum likelihood estimation of observer error-rates using the EM algorithm,
    Applied Statistics 28. Every cell of a confusion matrix starts at 0.01, so that few labels do not make a certainty.
    A label of weight 2 counts as two alike ones, wherever labels are counted.
    """
    first = majority(labels).sort("id")
    if first.is_empty():
        return first
    names = labels["label"].unique(maintain_order=False).sort(nulls_last=True)
    codes = {column: labels[column].rank("dense").cast(pl.Int64).to_numpy() - 1 for column in ("id", "annotator")}
    item, annotator = codes["id"], codes["annotator"]
    said = labels["label"].rank("dense").fill_null(len(names)).cast(pl.Int64).to_numpy() - 1
    items, people, k = len(first), annotator.max() + 1, len(names)
    weight = labels["weight"].to_numpy() if "weight" in labels.columns else np.ones(len(labels))
    belief = np.bincount(item * k + said, weight, minlength=items * k).reshape(items, k).astype(float)
    belief /= belief.sum(axis=1, keepdims=True)
    for _ in range(STEPS):
        prior = np.log(belief.mean(axis=0) + 1e-300)
        seen = annotator * k + said
        cells = [np.bincount(seen, weight * belief[item, j], people * k).reshape(people, k) for j in range(k)]
        confusion = np.stack(cells, axis=1) + 0.01  # annotator, right label, label given
        confusion = np.log(confusion / confusion.sum(axis=2, keepdims=True))
        scores = [prior[j] + np.bincount(item, weight * confusion[annotator, j, said], items) for j in range(k)]
        updated = np.stack(scores, axis=1)
        updated = np.exp(updated - updated.max(axis=1, keepdims=True))
        updated /= updated.sum(axis=1, keepdims=True)
        change = float(np.abs(updated - belief).max())
        belief = updated
        if change < CHANGE:
            break
    best = names.gather(belief.argmax(axis=1))
    return first.with_columns(label=best, share=pl.Series(belief.max(axis=1)))


def adjudicated(labels: pl.DataFrame) -> pl.DataFrame:
    """Take only what everybody says; where people differ there is no label until an adjudicator decides."""
    agreed = pl.when(pl.col("share") == 1).then("label")
    return majority(labels).with_columns(label=agreed)


def scope_first(method: Method, kinds: list[str], labels: pl.DataFrame) -> pl.DataFrame:
    """Aggregate numbers or sets of labels, beside which a kind out of scope is no value of its own.

    Where half of what people say of a record, or more, is such a kind, the most frequent of these stands. Else they
    are left out, and ``method`` decides by the others; ``share`` is then that of all.
    """
    named = pl.col("label").is_in(kinds).fill_null(False)
    labels = labels if "weight" in labels.columns else labels.with_columns(weight=1.0)
    weight = pl.col("weight")
    counts = labels.group_by("id").agg(total=pl.len(), out=weight.filter(named).sum() / weight.sum())
    told = pl.col("id").is_in(counts.filter(pl.col("out") >= 0.5)["id"].to_list())
    found = pl.concat([majority(labels.filter(told & named)), method(labels.filter(~told & ~named))])
    within = pl.when(named).then("out").otherwise(1 - pl.col("out"))
    found = found.join(counts, on="id").with_columns(votes=pl.col("total").cast(found["votes"].dtype))
    return found.with_columns(share=pl.col("share") * within).drop("total", "out").sort("id")


AGGREGATIONS: dict[str, Method] = {
    "majority": majority,
    "dawid_skene": dawid_skene,
    "adjudicated": adjudicated,
}


def decide(method: Method, said: pl.DataFrame, final: pl.DataFrame) -> pl.DataFrame:
    """Aggregate ``said`` by ``method``; what an adjudicator says in ``final`` stands above it."""
    ruled = majority(votes(final)) if len(final) else majority(final)
    open_cases = votes(said).join(ruled, on="id", how="anti")
    return pl.concat([method(open_cases), ruled]).sort("id")


def flags(said: pl.DataFrame, people: pl.DataFrame, final: pl.DataFrame, guide: int, sure: float) -> pl.DataFrame:
    """List the records that a person should look at again, with the reason: ``tie``, ``unsure`` or ``old guide``.

    ``unsure`` is a share below ``sure``, which a label on which all agree has at 1, or a label that not all agree to
    drop; ``old guide`` a label under an earlier major version than ``guide``.
    """
    counts = votes(said).group_by("id", "label").len("votes")
    top = counts.filter(pl.col("votes") == pl.col("votes").max().over("id")).group_by("id").len("first")
    open_cases = people.join(top, on="id", how="left").join(final.select("id"), on="id", how="anti")
    tie = open_cases.filter(pl.col("first") > 1)
    tie = tie.select("id", reason=pl.lit("tie"), detail=pl.format("{} votes", "votes"))
    doubt = (pl.col("share") < sure) | (pl.col("label").is_null() & (pl.col("share") < 1))
    unsure = open_cases.filter((pl.col("first") == 1) & doubt)
    unsure = unsure.select("id", reason=pl.lit("unsure"), detail=pl.format("share {}", pl.col("share").round(3)))
    old = people.filter(guide_major() < guide)
    old = old.select("id", reason=pl.lit("old guide"), detail=pl.format("guide {}", "guide_version"))
    return pl.concat([tie, unsure, old]).select(*FLAG).sort("id", "reason")
