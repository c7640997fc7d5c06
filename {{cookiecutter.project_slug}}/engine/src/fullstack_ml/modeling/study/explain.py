"""Follow one record from its raw payload to the decision, stage by stage, or say what the model goes by at all.

Reads ``data/raw``, ``data/labelled.parquet``, the splits and the models; writes nothing. Every part of the input is
looked at alone, with all columns that are made of it: features that say the same share one effect, and each shows
little. Run: ``make explain ID=<first digits>``, or ``make explain`` for the whole test split.
"""

import sys

import numpy as np
import polars as pl

from fullstack_ml.artefact.session import Artefact
from fullstack_ml.data.split.place import HEX, key, position
from fullstack_ml.data.split.when import placed, plan_of
from fullstack_ml.data.store.identity import named
from fullstack_ml.data.store.index import content_of
from fullstack_ml.inputs import input_of
from fullstack_ml.modeling.measuring.parts import effects, replaced
from fullstack_ml.modeling.study.ablate import lines, worth
from fullstack_ml.pipeline.compose import resolve
from fullstack_ml.pipeline.examples import Examples, read, read_folds
from fullstack_ml.pipeline.stage import typed
from fullstack_ml.pipeline.tables import raw
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError, guard
from fullstack_ml.workspace.paths import CANDIDATE, LABELLED, MODEL, RAW, SPLITS, VARIANT_FILES

SHORTEST = 6  # digits of an id
SHOWN = 12  # parts of a record
RECORDS, MOST, TIMES = 200, 2000, 5  # training records to compare with, test records, permutations of each part
FEWER = 10  # training records to compare each of many with


def find(start: str) -> pl.DataFrame:
    """Return the one raw record whose id begins with ``start``."""
    fix = "copy the id of a record from a report, at least its first digits; make lineage takes the id of an answer"
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
    file = SPLITS / "folds.parquet"
    mine = pl.read_parquet(file).filter(pl.col("id") == record["id"][0])["fold"].to_list() if file.exists() else []
    told = [f"  tested in fold {fold}, and learned by the models of the others" for fold in mine]
    return ["label", f"  {said}", "split", f"  {split}, {reason}", *told]


def scored(record: pl.DataFrame, product: Product) -> list[str]:
    """Tell what the model says of it, before and after calibration, and why it answers or abstains."""
    inputs, artefact = input_of(product).matrix(record, product), Artefact(MODEL)
    first, final = Artefact(CANDIDATE).score(inputs), artefact.score(inputs)
    return artefact.answer.explain(first.outputs[0], final, artefact.rule, product)


def contributions(record: pl.DataFrame, product: Product) -> list[str]:
    """Tell what each part of one record adds to the answer."""
    artefact, inputs, others = (
        Artefact(MODEL),
        input_of(product).matrix(record, product),
        drawn("train", RECORDS, product),
    )
    output = artefact.score(inputs).outputs[0]
    place, name = artefact.foremost(output)
    found = effects(artefact, inputs[0], others.inputs, place, product)
    what = f"the probability of {name}" if artefact.labels else name
    head = f"what moves {what}, {output[place]:.4f}, against the values of {len(others.inputs)} training records"
    more = [f"  {len(found) - SHOWN} more, each by at most {abs(found[SHOWN][0]):.4f}"] if len(found) > SHOWN else []
    return [head, *(f"  {effect:+.4f}  {name}" for effect, name in found[:SHOWN]), *more]


def importance(product: Product) -> list[str]:
    """Tell how much the loss of the test split rises when a part of the input comes from another record.

    Permutation importance: Fisher, Rudin and Dominici 2019, All models are wrong, but many are useful.
    """
    parts = read_folds(product)  # the shipped model has seen them all, and the first of the others not the first
    artefact = Artefact(VARIANT_FILES / "folds" / "0.onnx" if parts else MODEL)
    test = parts[0] if parts else drawn("test", MOST, product)
    answer, random = artefact.answer, np.random.default_rng(0)
    if not any(True for _ in input_of(product).regions(product)):
        return own_parts(artefact, test, product)
    whole, found = answer.losses(artefact.score(test.inputs).outputs, test.truth), {}
    for name, _, index in input_of(product).regions(product):
        others = [test.inputs[random.permutation(len(test.inputs))] for _ in range(TIMES)]
        outputs = [artefact.score(replaced(test.inputs, other, index)).outputs for other in others]
        found[name] = worth(np.mean([answer.losses(output, test.truth) for output in outputs], axis=0) - whole)
    ranked = dict(sorted(found.items(), key=lambda item: -item[1]["rise"]))
    head = f"loss {whole.mean():.4f} on {len(whole)} records of the test split; with a part from another record ..."
    return [head, *lines(ranked, "misleads the model"), "one record: make explain ID=<id>"]


def own_parts(artefact: Artefact, test: Examples, product: Product) -> list[str]:
    """Tell which parts move the answers most where every record has parts of its own, as a text has words."""
    sums: dict[str, list[float]] = {}
    others = drawn("train", FEWER, product).inputs
    outputs = artefact.score(test.inputs).outputs
    for values, output in zip(test.inputs, outputs, strict=True):
        place, label = artefact.foremost(output)
        towards = f", for {label}" if artefact.labels else ""
        for effect, name in effects(artefact, values, others, place, product):
            sums.setdefault(name + towards, []).append(effect)
    ranked = sorted(sums.items(), key=lambda item: -abs(sum(item[1])))[: 2 * SHOWN]
    head = (
        f"what moves the answer to {len(outputs)} records of the test split most, against that of {len(others)} others"
    )
    said = [f"  {sum(found) / len(found):+.4f} in {len(found):>4} records  {name}" for name, found in ranked]
    return [head, *said, "one record: make explain ID=<id>"]


def drawn(split: str, most: int, product: Product) -> Examples:
    """Read a split, or ``most`` of its records, drawn at random."""
    whole = read(split, product)
    if len(whole.truth) <= most:
        return whole
    places = np.sort(np.random.default_rng(0).choice(len(whole.truth), most, replace=False))
    return Examples(whole.frame[places], whole.inputs[places], whole.truth[places])


def main() -> None:
    """Print the whole way of one record, or what the model goes by."""
    product = load()
    if not sys.argv[1:]:
        print("\n".join(importance(product)))
        return
    record = find(sys.argv[1])
    told = [*collected(record, product), *labelled(record), *scored(record, product), *contributions(record, product)]
    print("\n".join(told))


if __name__ == "__main__":
    guard(main)
