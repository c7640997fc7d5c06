"""Bring finished annotations home: from Label Studio to ``data/labels/<round>.parquet``.

Reads the round's project; writes ``data/labels/<round>.parquet`` (schema ``tables.LABEL``) and, for what is wrong,
``data/rejected/labels-<round>.parquet`` with the reason. What was pulled before stays, also when it is gone from Label
Studio; what ``watch`` copied comes home too. Run: ``make labels`` (the newest round) or ``make labels ROUND=pilot``.
"""

import itertools
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from fullstack_ml.annotation.annotate import identity
from fullstack_ml.annotation.effort import by_round, spent
from fullstack_ml.annotation.server import place
from fullstack_ml.annotation.studio import Studio
from fullstack_ml.answers import answer_of
from fullstack_ml.data.forget.keep import keep
from fullstack_ml.data.label.agreement import CANNOT
from fullstack_ml.data.label.held import hold_labels
from fullstack_ml.data.label.rounds import Round, named, noted
from fullstack_ml.data.label.standing import annotations, illegal
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.pipeline.tables import LABEL, write_parquet
from fullstack_ml.product.contract import load
from fullstack_ml.product.guide import guide_version
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.paths import LABELS, PULLED, REJECTED

REASON = {**LABEL, "reason": pl.String()}


def rows(one: Round, tasks: Iterable[dict[str, Any]], people: dict[int, str], product: Product) -> pl.DataFrame:
    """Return every finished annotation in the columns of ``tables.LABEL``, with a ``reason`` where it is wrong."""
    answer = answer_of(product)
    found = []
    for task in tasks:
        record = task["data"].get("id")
        for annotation in task["annotations"]:
            if annotation["was_cancelled"]:
                continue
            said, when = answer.said(annotation["result"]), datetime.fromisoformat(annotation["updated_at"])
            who = annotation.get("updated_by") or annotation["completed_by"]  # who edits it answers for it
            written = [part["value"]["text"] for part in annotation["result"] if part["type"] == "textarea"]
            strange = illegal(said, product)
            none = said == [*strange] == [CANNOT]
            reason = None
            if record not in one.items:
                reason = "unknown record"
            elif len(said) != 1:
                reason = "not exactly one answer"
            elif strange and not none:
                reason = "not allowed by product.yaml"
            kept = said if strange else answer.written(said, product.formulation.renames)
            label = None if none or len(said) != 1 else kept[0]
            found.append(
                {"id": record, "label": label, "annotator": people.get(who, str(who)), "round": one.name}
                | {"guide_version": one.guide_at(when), "seconds": annotation["lead_time"], "reason": reason}
                | {"annotated_at": when, "note": " ".join(itertools.chain(*written)) or None}
            )
    return pl.DataFrame(found, schema=REASON)


def sort_out(pulled: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Part what was pulled into labels and rejected ones; of two labels by one annotator the latest counts."""
    order = pulled.sort("annotated_at", descending=True, maintain_order=True)
    again = pl.struct("id", "annotator").is_first_distinct().not_() & pl.col("reason").is_null()
    good = order.filter(pl.col("reason").is_null())
    good = good.with_columns(reason=pl.when(again).then(pl.lit("replaced by a later label of the same annotator")))
    bad = pl.concat([order.filter(pl.col("reason").is_not_null()), good.filter(pl.col("reason").is_not_null())])
    good = good.filter(pl.col("reason").is_null()).drop("reason")
    return good.sort("id", "annotator"), bad.sort("id", "annotator", "annotated_at")


def merged(path: Path, good: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Put new labels over those in ``path``; return all, and how many only the file has.

    A label that is the same stays as it was, with its time and guide: a project that was made anew has new times.
    """
    if not path.exists():
        return good, 0
    before = pl.read_parquet(path)
    kept = before.join(good, on=["id", "annotator"], how="anti")
    same = before.join(good, on=["id", "annotator", "label", "note"], how="semi", nulls_equal=True)
    changed = good.join(same, on=["id", "annotator"], how="anti")
    return pl.concat([changed, same, kept]).sort("id", "annotator"), len(kept)


def store(path: Path, frame: pl.DataFrame) -> bool:
    """Write ``frame`` unless the file holds just that; tell whether it was written."""
    if path.exists() and pl.read_parquet(path).equals(frame):
        return False
    write_parquet(path, [frame])
    return True


def pull(one: Round, studio: Studio, product: Product) -> tuple[pl.DataFrame, pl.DataFrame] | None:
    """Return what the project of a round holds, right and wrong; None where there is no project."""
    project = studio.project(*identity(one, product))
    if project is None:
        return None
    return sort_out(rows(one, studio.tasks(project["id"]), studio.names(), product))


def complain(one: Round, bad: pl.DataFrame, rejected: Path, url: str) -> None:
    """Say what is wrong, unless it is only replaced; the list goes when everything is mended.

    Raises:
        UserError: if a label is wrong.
    """
    if not len(bad):
        rejected.unlink(missing_ok=True)
        return
    store(rejected, bad)
    wrong = bad.filter(~pl.col("reason").str.starts_with("replaced"))
    if len(wrong):
        row = wrong.row(0, named=True)
        first = f"{row['reason']} {row['label']!r} of {row['id']} by {row['annotator']}"
        fix = f"mend them in the project of round {one.name} on {url}, then make labels"
        raise UserError(f"{len(wrong)} annotations are wrong, first: {first}", str(rejected), fix)


def run(config: Config) -> None:
    """Pull the round, check it, store it, and let DVC keep it.

    Raises:
        UserError: if a label is wrong. The others are stored; the wrong ones are in ``data/rejected``.
    """
    settings, product = config.annotation, load()
    assert settings is not None
    hold_labels()
    one, studio = noted(named(settings.round), guide_version()), Studio(*place(settings))
    path, copied = LABELS / f"{one.name}.parquet", PULLED / f"{one.name}.parquet"
    pulled = pull(one, studio, product)
    if pulled is None and not copied.exists():
        what = f"Label Studio has no project of round {one.name!r}"
        raise UserError(what, studio.url, f"make annotate ROUND={one.name}")
    if pulled is None:
        print(f"labels: the project of round {one.name} is gone from Label Studio; make annotate brings it back")
    good, bad = pulled or (pl.DataFrame(schema=LABEL), pl.DataFrame(schema=REASON))
    saved, only_copied = merged(copied, good)
    everything, only_here = merged(path, saved)
    if len(everything):
        store(path, everything)
        if fault := keep(path):  # such as no repository yet
            print(f"labels: dvc add {path} did not work: {fault}")
    done = everything.filter(pl.col("id").is_in(list(one.items)))["id"].n_unique()
    print(f"labels: {len(everything)} labels of {done} of {len(one.items)} items in {path}")
    if only_here + only_copied:
        print(f"labels: {only_here + only_copied} of them are gone from Label Studio and were kept")
    complain(one, bad, REJECTED / f"labels-{one.name}.parquet", studio.url)
    print(f"labels: all rounds so far took {spent(by_round(annotations(), product.annotation), product.annotation)}")
    print("next: git add -A && git commit, then make; make agreement shows how far they agree")


if __name__ == "__main__":
    stage(run, "annotation")
