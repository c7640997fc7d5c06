"""Stage ``label``: bring the labels of people and of the source together, one label per record.

Reads ``data/raw`` and ``data/labels/*.parquet`` (what annotators said); writes ``data/labelled.parquet`` and
``reports/agreement.json``. A label by a person outranks the one that the source states.
Run: ``python -m PACKAGE.data.label``.
"""

from collections.abc import Iterator

import polars as pl

from ..config import Config
from ..contract import load
from ..errors import UserError, suggest
from ..files import write_json
from ..guide import guide_version
from ..paths import AGREEMENT, LABELLED, LABELS, RAW
from ..records import LABEL, read_batches, shards, write_parquet
from ..stage import stage

ROWS = 50_000
# What of a raw record goes on: neither time nor shard, so that the same records always give the same splits.
DROPPED = ("collected_at", "shard", "source_label", "licence")


def annotations() -> pl.DataFrame:
    """Read every label that people gave, in the columns of the label schema."""
    files = shards(LABELS)
    return pl.concat([pl.read_parquet(file).select(*LABEL) for file in files]) if files else pl.DataFrame(schema=LABEL)


def majority(labels: pl.DataFrame) -> pl.DataFrame:
    """Return id, label, votes, share per record: the most frequent label; a tie goes to the first by name."""
    counts = labels.group_by("id", "label").agg(votes=pl.len(), guide_version=pl.col("guide_version").max())
    total = pl.col("votes").sum().over("id")
    ranked = counts.with_columns(share=pl.col("votes") / total, total=total)
    ranked = ranked.sort(["id", "votes", "label"], descending=[False, True, False])
    best = ranked.unique("id", keep="first", maintain_order=True)
    return best.select("id", "label", votes=pl.col("total"), share="share", guide_version="guide_version")


AGGREGATIONS = {"majority": majority}


def labelled(people: pl.DataFrame, guide: str) -> Iterator[pl.DataFrame]:
    """Join each shard with the labels of ``people``; where there are none, take the source's label."""
    for shard in shards(RAW):
        for raw in read_batches(shard, ROWS):
            joined = raw.join(people, on="id", how="left", maintain_order="left")
            joined = joined.with_columns(
                label=pl.coalesce("label", "source_label"),
                labelled_by=pl.when(pl.col("label").is_not_null()).then(pl.lit("people")).otherwise(pl.lit("source")),
                votes=pl.col("votes").fill_null(1),
                share=pl.col("share").fill_null(1.0),
                guide_version=pl.col("guide_version").fill_null(guide),
            )
            yield joined.filter(pl.col("label").is_not_null()).drop(DROPPED)


def run(config: Config) -> None:
    """Write one label per record, and how far the annotators agree."""
    names = load().formulation.label_names
    aggregate = AGGREGATIONS.get(config.label.aggregation)
    if aggregate is None:
        fix = suggest(config.label.aggregation, AGGREGATIONS)
        raise UserError(f"there is no aggregation {config.label.aggregation!r}", "conf/label.yaml", fix)
    said = annotations()
    strange = said.filter(~pl.col("label").is_in(names))
    if len(strange):
        row = strange.row(0, named=True)
        what = f"label {row['label']!r} of record {row['id'][:12]} by {row['annotator']} is not in product.yaml"
        raise UserError(what, str(LABELS), suggest(row["label"], names))
    rows = write_parquet(LABELLED, labelled(aggregate(said), guide_version()))
    people = said["id"].n_unique()
    report = {"metrics": {"agreement_alpha": None}, "records": rows, "labelled_by_people": people, "labels": len(said)}
    write_json(AGREEMENT, report)
    print(f"label: {rows} records, {people} of them labelled by people")


if __name__ == "__main__":
    stage(run)
