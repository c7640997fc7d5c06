"""Stage ``label``: bring the labels of people and of the source together, one label per record.

Reads ``data/raw``, ``data/labels/*.parquet`` (what annotators said) and ``data/rounds/*.json`` (what they were asked);
writes ``data/labelled.parquet``, ``data/review.parquet`` (what a person should look at again, and why) and
``reports/agreement.json``. A label by a person outranks the one that the source states, an adjudicator's outranks all.
Run: ``python -m fullstack_ml.data.label label.aggregation=dawid_skene``.
"""

from collections.abc import Iterator

import polars as pl

from fullstack_ml.answers import answer_of
from fullstack_ml.data.label import interval
from fullstack_ml.data.label.aggregate import AGGREGATIONS, decide, flags, guide_major, votes
from fullstack_ml.data.label.agreement import measure
from fullstack_ml.data.label.rounds import Round, adjudications, read_all
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.pipeline.tables import LABEL, raw, read_batches, shards, write_parquet
from fullstack_ml.product.contract import load
from fullstack_ml.product.guide import guide_version, major
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError, suggest
from fullstack_ml.workspace.files import write_json
from fullstack_ml.workspace.paths import AGREEMENT, LABELLED, LABELS, RAW, REVIEW

ROWS = 50_000
# What of a raw record goes on: neither time nor shard, so that the same records always give the same splits.
DROPPED = ("collected_at", "shard", "source_label", "licence")


def annotations() -> pl.DataFrame:
    """Read every label that people gave, in the columns of the label schema.

    Raises:
        UserError: for a file with other columns, or a row that names no record, annotator or guide version.
    """
    tables = [pl.DataFrame(schema=LABEL)]
    for file in shards(LABELS):
        fix = f"give it the columns {', '.join(LABEL)}; make labels writes such a file"
        try:
            table = pl.read_parquet(file).select(*LABEL).cast(pl.Schema(LABEL))
        except pl.exceptions.PolarsError as error:
            what = f"{file.name} is no table of labels: {str(error).splitlines()[0]}"
            raise UserError(what, str(file), fix) from error
        version = pl.col("guide_version").fill_null("").str.contains(r"^\d+\.\d+$")
        wrong = table.filter(pl.any_horizontal(pl.col("id", "annotator", "round", "annotated_at").is_null()) | ~version)
        if len(wrong):
            raise UserError(f"a label lacks its origin or guide version: {wrong.row(0, named=True)}", str(file), fix)
        tables.append(table)
    return pl.concat(tables)


def check(said: pl.DataFrame, product: Product) -> None:
    """Refuse an answer that product.yaml does not allow; a missing one says that the record cannot be annotated."""
    illegal = answer_of(product).illegal(said["label"].drop_nulls().unique().to_list(), product)
    strange = said.filter(pl.col("label").is_in(illegal))
    if len(strange):
        row = strange.row(0, named=True)
        what = f"label {row['label']!r} of record {row['id'][:12]} by {row['annotator']} is not in product.yaml"
        names = product.formulation.label_names
        fix = suggest(row["label"], names) if names else "give it as formulation.answer of product.yaml allows"
        raise UserError(what, f"{LABELS}/{row['round']}.parquet", fix)


def labelled(people: pl.DataFrame, guide: str) -> Iterator[pl.DataFrame]:
    """Join each shard with the labels of ``people``; where there are none, take the source's label.

    A record that people looked at and left without a label has none: the source's does not come back.
    """
    seen = pl.col("votes").is_not_null()
    for shard in shards(RAW):
        for batch in read_batches(shard, ROWS):
            joined = batch.join(people, on="id", how="left", maintain_order="left")
            joined = joined.with_columns(
                label=pl.when(seen).then("label").otherwise("source_label"),
                labelled_by=pl.when(seen).then(pl.lit("people")).otherwise(pl.lit("source")),
                votes=pl.col("votes").fill_null(1),
                share=pl.col("share").fill_null(1.0),
                guide_version=pl.col("guide_version").fill_null(guide),
            )
            yield joined.filter(pl.col("label").is_not_null()).drop(DROPPED)


def independent(said: pl.DataFrame, guide: str, rounds: dict[str, Round]) -> pl.DataFrame:
    """Keep what agreement is measured on: labels under the current guide that no model's suggestion stood behind."""
    pairs = [(one.name, record) for one in rounds.values() for record in one.shown]
    shown = pl.DataFrame(pairs, schema={"round": pl.String, "id": pl.String}, orient="row")
    current = votes(said).filter(guide_major() == major(guide))
    return current.join(shown, on=["round", "id"], how="anti")


def run(config: Config) -> None:
    """Write one label per record, what to look at again, and how far the annotators agree."""
    product, guide, rounds = load(), guide_version(), read_all()
    names = answer_of(product).SCALE == "nominal"
    methods = AGGREGATIONS if names else interval.AGGREGATIONS
    method = methods.get(config.label.aggregation)
    if method is None:
        fix = suggest(config.label.aggregation, methods)
        raise UserError(f"there is no aggregation {config.label.aggregation!r}", "conf/label.yaml", fix)
    everything = annotations()
    check(everything, product)
    ruling = pl.col("round").is_in(adjudications(rounds))
    said, final = everything.filter(~ruling), everything.filter(ruling)
    people = decide(method, said, final)
    rows = write_parquet(LABELLED, labelled(people, guide))
    review = flags(said if names else interval.alike(said), people, final, major(guide), config.label.sure)
    write_parquet(REVIEW, [review])
    mentioned = pl.col("id").is_in(everything["id"].unique().to_list())
    known = raw().select("id").filter(mentioned).collect()
    gold = {record: label for one in rounds.values() for record, label in one.gold.items()}
    judged = independent(said, guide, rounds)
    report = measure(judged, product.formulation.label_names, gold) if names else interval.measure(judged)
    report |= {
        "records": rows,
        "labelled_by_people": people["label"].count(),
        "labels": len(everything),
        "left_without_label": people["label"].null_count(),
        "labels_of_unknown_records": everything.join(known, on="id", how="anti").height,
        "review": dict(review["reason"].value_counts().sort("reason").iter_rows()),
    }
    write_json(AGREEMENT, report)
    print(f"label: {rows} records, {report['labelled_by_people']} of them labelled by people, {len(review)} to review")


if __name__ == "__main__":
    stage(run)
