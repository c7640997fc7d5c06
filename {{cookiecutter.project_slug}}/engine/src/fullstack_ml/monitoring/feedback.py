"""Bring back what users sent and said: records for a round of annotation, and their corrections as labels.

Reads the prediction log as ``conf/source/predictions.yaml`` says; writes ``data/raw`` as stage ``collect`` does,
``data/labels/users.parquet``, whose annotator is ``users``, and ``reports/monitoring/feedback.csv``, which lists the
records that nobody has labelled yet. Old records keep their split. Run: ``make feedback``.
"""

import polars as pl

from fullstack_ml.data.collect.__main__ import run as collect
from fullstack_ml.data.forget.keep import keep
from fullstack_ml.data.label.held import hold_labels
from fullstack_ml.data.label.standing import annotations
from fullstack_ml.data.label.users import OF_USERS, USERS
from fullstack_ml.data.store.index import content_of
from fullstack_ml.monitoring.log import Log
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.pipeline.tables import LABEL, raw, write_parquet
from fullstack_ml.product.guide import guide_version
from fullstack_ml.serving.settings import read
from fullstack_ml.workspace.files import write_text
from fullstack_ml.workspace.paths import LABELS, REPORTS

FILE = LABELS / f"{USERS}.parquet"
LIST = REPORTS / "monitoring" / "feedback.csv"


def as_labels(words: pl.DataFrame, guide: str) -> pl.DataFrame:
    """Turn corrections into labels of one annotator; of several words on a record the latest counts.

    ``words`` has the id of the record, answer, how, prediction_id, received_at.
    """
    latest = words.sort("received_at").unique("id", keep="last", maintain_order=True)
    return latest.select(
        "id",
        label="answer",
        annotator=pl.lit(USERS),
        round=pl.lit(USERS),
        guide_version=pl.lit(guide),
        annotated_at="received_at",
        seconds=pl.lit(None, pl.Float64),
        note=pl.format("{}, prediction {}", "how", "prediction_id"),
    ).cast(pl.Schema(LABEL))


def bring_corrections() -> int:
    """Add what users said of stored records to their table of labels; return how many there are.

    What they said of a record whose prediction the log has forgotten stays.
    """
    hold_labels()
    words = Log(read()).corrections().with_columns(content=content_of(pl.col("input_sha256")))
    contents = raw().select("id", content=content_of(pl.col("id")))
    known = contents.filter(pl.col("content").is_in(words["content"].unique().to_list())).collect()
    known = known.sort("id").unique("content", keep="first")  # a table may hold a row several times
    fresh = as_labels(words.join(known, on="content"), guide_version())
    before = annotations().filter(OF_USERS)
    kept = before.join(fresh, on="id", how="anti")
    same = before.join(fresh, on=["id", "label"], how="semi")  # with the guide that was there then
    everything = pl.concat([kept, same, fresh.join(same, on="id", how="anti")]).sort("id")
    if len(everything) and not everything.equals(before.sort("id")):
        write_parquet(FILE, [everything])
    if FILE.exists() and (fault := keep(FILE)):  # such as no repository yet
        print(f"feedback: dvc add {FILE} did not work: {fault}")
    return len(everything)


def open_records() -> pl.DataFrame:
    """List the records that came back and that no annotator has labelled: ``id`` and ``why`` it was chosen."""
    labelled = annotations().filter(~OF_USERS)["id"].unique().to_list()
    came = raw().filter(pl.col("source").str.starts_with("prediction ") & ~pl.col("id").is_in(labelled))
    return came.select("id", why=pl.col("source").str.split(" ").list.last()).sort("id").collect()


def run(config: Config) -> None:
    """Collect, bring corrections, list what a round should take."""
    collect(config)
    corrections, waiting = bring_corrections(), open_records()
    write_text(LIST, waiting.write_csv())
    counts = ", ".join(f"{n} {why}" for why, n in waiting["why"].value_counts(sort=True).iter_rows())
    print(f"feedback: {len(waiting)} records wait for a label ({counts or 'none'}); {corrections} corrections by users")
    if len(waiting):
        print(f"next: make round NAME=<name> KIND=production N={len(waiting)} FILE={LIST}, then make annotate")


if __name__ == "__main__":
    stage(run)
