"""Follow one record from its raw payload to the decision, stage by stage.

Reads ``data/raw``, ``data/labelled.parquet`` and the models; writes nothing. Run: ``make explain ID=<first digits>``.
"""

import sys

import polars as pl

from fullstack_ml.artefact.session import Artefact
from fullstack_ml.data.split.place import HEX, key, position
from fullstack_ml.data.split.when import placed, plan_of
from fullstack_ml.data.store.identity import named
from fullstack_ml.data.store.index import content_of
from fullstack_ml.inputs import input_of
from fullstack_ml.pipeline.compose import resolve
from fullstack_ml.pipeline.stage import typed
from fullstack_ml.pipeline.tables import raw
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError, guard
from fullstack_ml.workspace.paths import CANDIDATE, LABELLED, MODEL, RAW

SHORTEST = 6


def find(start: str) -> pl.DataFrame:
    """Return the one raw record whose id begins with ``start``."""
    fix = "copy the id from a report, at least its first digits"
    if len(start) < SHORTEST:
        raise UserError(f"ID {start!r} is shorter than {SHORTEST} digits", "make explain ID=<id>", fix)
    found = raw().filter(named(start)).sort(pl.col("id") != start).collect()
    found = found[:1] if found.select(content_of(pl.col("id")).n_unique()).item() == 1 else found  # of equal values
    if len(found) != 1:
        raise UserError(f"{len(found)} records have an id that begins with {start!r}", str(RAW), fix)
    return found


def collected(record: pl.DataFrame, product: Product) -> list[str]:
    """Tell what the record is and how it came here."""
    row = record.row(0, named=True)
    facts = [f"{name}: {row[name]}" for name in ("id", "source", "licence", "kind", "group", "collected_at", "shard")]
    return [
        "raw",
        *(f"  {fact}" for fact in facts),
        "input",
        input_of(product).draw(input_of(product).matrix(record, product)[0], product),
    ]


def labelled(record: pl.DataFrame) -> list[str]:
    """Tell which label the record has, from whom, and in which split it stands."""
    found = pl.scan_parquet(LABELLED).filter(pl.col("id") == record["id"][0]).collect()
    if not len(found):
        return ["label", "  none yet"]
    row = found.row(0, named=True)
    place, plan = float(position(found)[0]), plan_of(typed(resolve([])).split)
    split = next((name for name, mask in placed(found, plan).items() if mask[0]), "none")
    said = f"{row['label']}, by {row['labelled_by']}, {row['votes']} vote(s), guide version {row['guide_version']}"
    reason = f"since its time is {found['happened_at'][0]}" if plan.moments else f"since its hash is {place:.4f}"
    reason = "since no split may lack its rare label" if key(found)[0][:HEX] in plan.moved else reason
    return ["label", f"  {said}", "split", f"  {split}, {reason}"]


def scored(record: pl.DataFrame, product: Product) -> list[str]:
    """Tell what the model says of it, before and after calibration, and why it answers or abstains."""
    inputs, artefact = input_of(product).matrix(record, product), Artefact(MODEL)
    first, final = Artefact(CANDIDATE).score(inputs), artefact.score(inputs)
    return artefact.answer.explain(first.outputs[0], final, artefact.rule, product)


def main() -> None:
    """Print the whole way of one record."""
    record, product = find(sys.argv[1] if len(sys.argv) > 1 else ""), load()
    print("\n".join([*collected(record, product), *labelled(record), *scored(record, product)]))


if __name__ == "__main__":
    guard(main)
