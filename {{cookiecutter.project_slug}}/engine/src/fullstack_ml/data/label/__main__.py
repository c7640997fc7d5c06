"""Stage ``label``: bring the labels of people and of the source together, one label per record.

Reads ``data/raw``, ``data/labels/*.parquet`` (what annotators said) and ``data/rounds/*.json`` (what they were asked);
writes ``data/labelled.parquet``, ``data/out_of_scope.parquet`` (records of the kinds that are out of scope, by their
source or by people, which no model learns), ``data/review.parquet`` (what a person should look at again, and why) and
``reports/agreement.json``. A label by a person outranks the one that the source states, an adjudicator's outranks all.
Run: ``python -m fullstack_ml.data.label label.aggregation=dawid_skene``.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from types import ModuleType
from typing import Any

import polars as pl

from fullstack_ml.answers import answer_of
from fullstack_ml.data.label import agreement, gold, interval, sets, trend
from fullstack_ml.data.label.aggregate import decide, flags, newest, scope_first
from fullstack_ml.data.label.rounds import Round, adjudications, read_all
from fullstack_ml.data.label.standing import annotations, flagged, illegal, of_source, outside, standing, withdrawn
from fullstack_ml.data.label.users import OF_USERS, weighed
from fullstack_ml.data.label.users import agreement as agreement_of_users
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.pipeline.tables import raw, read_batches, rewritten, shards, write_parquet
from fullstack_ml.product.contract import load
from fullstack_ml.product.guide import guide_version, major
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError, suggest
from fullstack_ml.workspace.files import write_json
from fullstack_ml.workspace.paths import AGREEMENT, LABELLED, LABELS, OUT_OF_SCOPE, RAW, REVIEW

ROWS = 50_000
# How people agree, and what stands for what they say, by the answer's scale.
SCALES: dict[str, ModuleType] = {"nominal": agreement, "interval": interval, "sets": sets}
# What of a raw record goes on: neither time nor shard, so that the same records always give the same splits.
DROPPED = ("collected_at", "shard", "source_label", "licence")


def checked(said: pl.DataFrame, product: Product) -> pl.DataFrame:
    """Return labels as the tables keep them; refuse an answer that product.yaml does not allow.

    A missing one says that the record cannot be annotated.
    """
    wrong = illegal(said["label"].drop_nulls().unique().to_list(), product)
    strange = said.filter(pl.col("label").is_in([*wrong]))
    if len(strange):
        row = strange.row(0, named=True)
        what = f"label {row['label']!r} of record {row['id'][:12]} by {row['annotator']} {wrong[row['label']]}"
        names = product.formulation.label_names
        fix = suggest(row["label"], names) if names else "give it as formulation.answer of product.yaml allows"
        raise UserError(what, f"{LABELS}/{row['round']}.parquet", fix)
    return said.with_columns(rewritten(said["label"], answer_of(product).written, product.formulation.renames))


def labelled(people: pl.DataFrame, guide: str, product: Product) -> Iterator[pl.DataFrame]:
    """Join each shard with the labels of ``people``; where there are none, take the source's label.

    A record that people looked at and left without a label has none: the source's does not come back. One that they
    say is out of scope is left out.
    """
    seen, written = pl.col("votes").is_not_null(), answer_of(product).written
    for shard in shards(RAW):
        for batch in read_batches(shard, ROWS):
            joined = batch.join(people, on="id", how="left", maintain_order="left")
            joined = joined.with_columns(
                label=pl.when(seen).then("label").otherwise(of_source(product)),
                labelled_by=pl.when(seen).then(pl.lit("people")).otherwise(pl.lit("source")),
                votes=pl.col("votes").fill_null(1),
                share=pl.col("share").fill_null(1.0),
                guide_version=pl.col("guide_version").fill_null(guide),
            )
            joined = joined.with_columns(rewritten(joined["label"], written, product.formulation.renames))
            out = pl.any_horizontal(pl.col("kind", "label").is_in(product.data.out_of_scope))
            yield joined.filter(pl.col("label").is_not_null() & ~out).drop(DROPPED)


def independent(said: pl.DataFrame, rounds: Mapping[str, Round]) -> pl.DataFrame:
    """Keep what agreement is measured on: labels of annotators that no model's suggestion stood behind."""
    pairs = [(one.name, record) for one in rounds.values() for record in one.shown]
    shown = pl.DataFrame(pairs, schema={"round": pl.String, "id": pl.String}, orient="row")
    judges = said.filter(~pl.col("round").is_in(adjudications(rounds)))
    return judges.join(shown, on=["round", "id"], how="anti")


def split_by_people(again: pl.DataFrame, people: pl.DataFrame, product: Product) -> pl.DataFrame:
    """List the records whose label was split, unless others outvote it: then it decides nothing."""
    decided = again.join(people.select("id", now="label"), on="id", how="left")
    gone = ~pl.col("label").is_in(product.formulation.label_names)
    return flagged(decided.filter(gone | (pl.col("label") == pl.col("now"))), product.formulation.earlier)


def split_by_source(people: pl.DataFrame, product: Product) -> pl.DataFrame:
    """List the records that nobody has labelled and whose label from the source was split."""
    split = {name: now for name, now in product.formulation.earlier.items() if len(now) > 1}
    found = raw().filter(pl.col("source_label").is_in(list(split))).select("id", label="source_label").collect()
    return flagged(found.join(people, on="id", how="anti"), split)


def report(said: pl.DataFrame, rounds: Mapping[str, Round], guide: str, product: Product, right: float) -> Any:
    """Measure agreement, annotators and gold items: the one source of these numbers for pages, cards and console."""
    named = said["label"].unique().to_list()
    names = product.formulation.label_names + [kind for kind in outside(product) if kind in named]
    scale = SCALES[answer_of(product).SCALE]
    alike = scale is not interval  # or not: two numbers are rarely the same
    answers = gold.known(rounds.values() if alike else [], product.formulation.renames)
    alone = independent(said, rounds)
    now, versions = trend.judged(alone, guide)
    everybody = trend.each(alone)

    distance = partial(agreement.ordinal, steps=len(product.formulation.label_names))
    steps = {"alpha": distance} if product.formulation.answer.ordered and scale is agreement else {}
    measured = scale.measure(now, names, **steps)
    others = measured.pop("with_others")
    people = gold.annotators(everybody, answers, right)
    accuracies = [person["accuracy"] for person in people if person["accuracy"] is not None]
    measured["metrics"]["worst_gold_accuracy"] = min(accuracies, default=None)
    return measured | {
        "guide_version": guide,
        "measured_on": versions,
        "annotators": [{**person, "with_others": others.get(person["annotator"])} for person in people],
        "gold_missed": gold.missed(everybody, answers),
        "median_seconds": now["seconds"].median(),
        "rounds": trend.by_round(alone, rounds, partial(scale.overall, names=names, **steps)),
        "guides": trend.by_guide(alone, partial(scale.overall, names=names, **steps)),
        "mixed_up": trend.mixed_up(now) if alike else [],
    }


def out_of_scope(people: pl.DataFrame, product: Product) -> pl.DataFrame:
    """Return the raw records of the kinds that are out of scope, those that ``people`` say are of one among them.

    Without such a kind they are not looked for.
    """
    out = product.data.out_of_scope
    told = people.filter(pl.col("label").is_in(out)).select("id", said="label")
    of_kind = pl.col("kind").is_in(out) | pl.col("id").is_in(told["id"].to_list())
    records = (raw().filter(of_kind) if out else raw().head(0)).drop(DROPPED).collect()
    records = records.join(told, on="id", how="left", maintain_order="left")
    return records.with_columns(kind=pl.coalesce("said", "kind")).drop("said")


def run(config: Config) -> None:
    """Write one label per record, what to look at again, and how far the annotators agree."""
    product, guide, rounds, settings = load(), guide_version(), read_all(), config.label
    scale = SCALES[answer_of(product).SCALE]
    method = scale.AGGREGATIONS.get(settings.aggregation)
    if method is None:
        fix = suggest(settings.aggregation, scale.AGGREGATIONS)
        raise UserError(f"there is no aggregation {settings.aggregation!r}", "conf/label.yaml", fix)
    method = method if scale is agreement else partial(scope_first, method, outside(product))
    everything = checked(annotations(), product)
    valid, again = standing(everything, settings.withdrawn, rounds, product)
    current, ruling = newest(weighed(valid, product.data.corrections)), pl.col("round").is_in(adjudications(rounds))
    said, final = current.filter(~ruling), current.filter(ruling)
    people = decide(method, said, final)
    rows = write_parquet(LABELLED, labelled(people, guide, product))
    unknown = out_of_scope(people, product)
    write_parquet(OUT_OF_SCOPE, [unknown])
    review = flags(interval.alike(said) if scale is interval else said, people, final, major(guide), settings.sure)
    review = pl.concat([review, split_by_people(again, people, product), split_by_source(people, product)])
    write_parquet(REVIEW, [review])
    mentioned = pl.col("id").is_in(everything["id"].unique().to_list())
    known = raw().select("id").filter(mentioned).collect()
    by_people = people.join(known, on="id", how="semi").filter(~pl.col("label").is_in(product.data.out_of_scope)).height
    measured = report(valid.filter(~OF_USERS), rounds, guide, product, settings.right)
    measured["users"] = agreement_of_users(valid, people)
    measured["metrics"]["records"] = rows
    measured |= {
        "records": rows,
        "labelled_by_people": by_people,
        "labelled_by_source": rows - by_people,
        "guide_versions": sorted(valid["guide_version"].unique(), key=trend.version),
        "labels": len(everything),
        "withdrawn": everything.filter(withdrawn(settings.withdrawn)).height,
        "left_without_label": people["label"].null_count(),
        "labels_of_unknown_records": everything.join(known, on="id", how="anti").height,
        "review": dict(review["reason"].value_counts().sort("reason").iter_rows()),
    }
    write_json(AGREEMENT, measured)
    kept = f"; {len(unknown)} out of scope are kept and not learned" if len(unknown) else ""
    print(f"label: {rows} records, {by_people} of them labelled by people, {len(review)} to review{kept}")


if __name__ == "__main__":
    stage(run)
