"""Make the next round: which records people should label now, and why each of them.

Reads ``data/raw``, ``data/labels``, ``data/review.parquet`` and the model; writes
``data/rounds/<name>.json``. A pilot is random. A production round mixes what the model is unsure of, what is novel to
it and random records, with a quota per slice. A review takes labels made under an old guide, labels that were split
and likely errors, an adjudication takes what people differ on; with a filter (``annotation.only``) both take what it
lets through. No round takes two records that look alike, or one that another round still asks about.
Run: ``make round NAME=second KIND=production N=200``.
"""

import re
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl
from numpy.random import Generator

from fullstack_ml.annotation.choose import choose, draw, sample
from fullstack_ml.annotation.opinion import ask
from fullstack_ml.annotation.pool import alike, by_ids, selected
from fullstack_ml.annotation.server import OWNER
from fullstack_ml.annotation.suspects import SUSPECT
from fullstack_ml.answers import answer_of
from fullstack_ml.data.label.aggregate import guide_major, majority, votes
from fullstack_ml.data.label.rounds import NAME, Kind, Round, adjudications, read_all, waiting, write
from fullstack_ml.data.label.standing import annotations, illegal, of_source, standing
from fullstack_ml.data.label.users import OF_USERS
from fullstack_ml.data.split.when import COLUMNS, Plan, placed, plan_of
from fullstack_ml.pipeline.config import Annotation, Config
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.pipeline.tables import raw, rewritten, slice_mask
from fullstack_ml.product.contract import load
from fullstack_ml.product.guide import guide_version, major
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError, first_line, suggest
from fullstack_ml.workspace.files import read_json
from fullstack_ml.workspace.paths import REVIEW, ROUNDS, SUSPECTS

# What a round of flagged records takes, by the reason in data/review.parquet.
FLAGGED = {"review": ["old guide", "split label"], "adjudication": ["tie", "unsure"]}
RANDOM = {"uncertain": 0.0, "novel": 0.0, "random": 1.0}


@dataclass
class Known:
    """What is known before a round is chosen: labels that stand, what is asked for now, and the filter."""

    said: pl.DataFrame
    rounds: dict[str, Round]
    waits: set[str]
    only: set[str] | None

    @property
    def asked(self) -> set[str]:
        """Return the records that annotators have labelled or are being asked about; users decide nothing alone."""
        return self.waits | set(self.said.filter(~OF_USERS)["id"])


def look(config: Config, settings: Annotation, product: Product) -> Known:
    """Read the labels that stand and the rounds."""
    rounds, guide = read_all(), guide_version()
    said, _ = standing(annotations(), config.label.withdrawn, rounds, product)
    waits = waiting(rounds.values(), said, guide, product.formulation.label_names)
    return Known(said, rounds, waits, selected(settings.only, product))


def candidates(product: Product, plan: Plan, size: int, seed: int, known: Known) -> pl.DataFrame:
    """Return a random pool of ``size`` records that nobody was asked about, with what ``choose`` reads.

    Where records have no label at all, the pool has as many of them as there are, then those that the source labels.
    """
    parts = product.data.slices
    inside = raw().filter(~pl.col("kind").is_in(product.data.out_of_scope))  # no label fits the others
    fresh = inside.select(sorted({*COLUMNS, "source_label", *(part.column for part in parts)}))
    fresh = fresh.with_columns(stratum=of_source(product)).filter(~pl.col("id").is_in(list(known.asked)))
    if known.only is not None:
        fresh = fresh.filter(pl.col("id").is_in(list(known.only)))
    bare = pl.col("source_label").is_null()
    without = draw(fresh.filter(bare), size, seed)
    frame = pl.concat([without, draw(fresh.filter(~bare), size - len(without), seed)])
    slices = [slice_mask(part).alias(f"slice {part.id}") for part in parts]
    return frame.with_columns(slices).with_columns(bare=bare, in_train=placed(frame, plan)["train"])


def flagged(kind: str, known: Known) -> dict[str, str]:
    """Return what stage ``label`` or ``make suspects`` flagged for this kind of round, or what the filter lets through.

    What another round asks about now is left out.
    """
    found = pl.read_parquet(REVIEW) if REVIEW.exists() else pl.DataFrame(schema={"id": pl.String, "reason": pl.String})
    chosen = dict(found.filter(pl.col("reason").is_in(FLAGGED[kind])).select("id", "reason").iter_rows())
    if kind == "review" and SUSPECTS.exists():
        chosen |= {row["id"]: SUSPECT for row in read_json(SUSPECTS)["suspects"]}
    if known.only is not None:
        chosen = {record: chosen.get(record, "asked for") for record in sorted(known.only)}
        if waits := known.only & known.waits:
            print(f"round: left out, since an open round asks about them: {len(waits)}")
    return {record: why for record, why in chosen.items() if record not in known.waits}


def known_answers(gold_from: str, count: int, seed: int, known: Known, product: Product) -> dict[str, str]:
    """Draw records whose label is known.

    Decided by an adjudicator (``adjudicated``), that or the same from all of two and more people (``agreed``), stated
    by a source that is known to be right (``source``), or written down by the lead: a CSV file with id and label.
    """
    current = known.said.filter(guide_major() == major(guide_version()))
    ruling = pl.col("round").is_in(adjudications(known.rounds))
    ruled = current.filter(ruling).sort("annotated_at").unique("id", keep="last").select("id", "label")
    if gold_from == "source":
        frame = raw().select("id", label=of_source(product))
    elif gold_from == "adjudicated":
        frame = ruled.lazy()
    elif gold_from == "agreed":
        people = majority(votes(current.filter(~ruling))).filter((pl.col("share") == 1) & (pl.col("votes") > 1))
        frame = pl.concat([ruled, people.join(ruled, on="id", how="anti").select("id", "label")]).lazy()
    elif gold_from.endswith(".csv"):
        frame = of_the_lead(Path(gold_from), product).lazy()
    else:
        fix = suggest(gold_from, ["agreed", "adjudicated", "source", "a .csv file with id and label"])
        raise UserError(f"gold_from is {gold_from!r}", "annotation.gold_from in conf/annotation.yaml", fix)
    free = frame.drop_nulls().filter(~pl.col("id").is_in(list(known.waits)))
    found = dict(draw(free, count, seed).iter_rows())
    if len(found) < count:
        print(f"round: {len(found)} of {count} gold items: no more answers are known from {gold_from}")
    return found


def of_the_lead(file: Path, product: Product) -> pl.DataFrame:
    """Read the answers that the lead wrote down: id (or how it begins) and label.

    Raises:
        UserError: if the file lacks a column, or a row names no record or an answer that product.yaml does not allow.
    """
    where = f"annotation.gold_from: {file}"
    try:
        frame = pl.read_csv(file, infer_schema=False).select("id", "label").drop_nulls()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UserError(first_line(error), where, "give it the columns id and label") from error
    if strange := illegal(frame["label"].unique().to_list(), product):
        text, fault = next(iter(strange.items()))
        raise UserError(f"label {text!r} {fault}", where, "mend it")
    frame = frame.with_columns(rewritten(frame["label"], answer_of(product).written, product.formulation.renames))
    return frame.with_columns(id=pl.Series(by_ids(frame["id"].to_list()), dtype=pl.String)).unique("id")


def fresh(config: Config, settings: Annotation, product: Product, rng: Generator, known: Known) -> dict[str, Any]:
    """Choose the items of a pilot or production round, and the gold items among them.

    A pilot takes as many records of each label as it can: of that which the source states, else of the model's, which
    speaks of records of the training split only.
    """
    seed = zlib.crc32((settings.round or "").encode())
    pool = candidates(product, plan_of(config.split), settings.pool, seed, known)
    opinion = ask(pool["id"], product)
    if opinion is not None:
        pool = pool.join(opinion, on="id", maintain_order="left")
    if settings.kind == "pilot":
        if opinion is not None:
            pool = pool.with_columns(stratum=pl.coalesce("stratum", pl.when("in_train").then("says")))
        items = choose(pool, settings.items, RANDOM, settings.quota, rng, alike(pool["id"]))
        return {"items": items, "gold": {}}
    if opinion is None:
        print("round: there is no model yet, so chance chooses")
    gold = known_answers(settings.gold_from, round(settings.items * settings.gold), seed, known, product)
    pool, wanted = pool.drop("stratum").filter(~pl.col("id").is_in(list(gold))), settings.items - len(gold)
    items = choose(pool, wanted, settings.shares, settings.quota, rng, alike(pool["id"]))
    return {"items": items | dict.fromkeys(gold, "gold"), "gold": gold}


def apart(chosen: dict[str, str], wanted: int) -> dict[str, str]:
    """Return the first ``wanted`` records, without those that look like one before."""
    names, found = alike(chosen), dict[str, str]()
    for record in chosen:
        found.setdefault(names.get(record, record), record)
    return {record: chosen[record] for record in list(found.values())[:wanted]}


def suggestions(items: list[str], settings: Annotation, product: Product, rng: Generator) -> Any:
    """Say what the model thinks of ``items`` (``model``), and on which of them annotators see it (``shown``)."""
    opinion = ask(items, product) if settings.prelabel and settings.kind == "production" else None
    if opinion is None:
        return {}
    blind = set(sample(items, settings.blind, rng))
    sure = dict(opinion.drop_nulls("certainty").select("id", pl.col("certainty").round(4)).iter_rows())
    said = dict(opinion.select("id", "says").iter_rows())
    return {"model": said, "certainty": sure, "shown": [record for record in items if record not in blind]}


def plan(config: Config, product: Product) -> Round:
    """Choose the records of the round that ``config.annotation`` names, and what is special about some of them.

    Raises:
        UserError: if there is nothing to label.
    """
    settings = config.annotation
    assert settings is not None
    name, kind = settings.round or "", settings.kind
    if kind not in get_args(Kind):
        raise UserError(f"there is no kind of round {kind!r}", "KIND", suggest(kind, get_args(Kind)))
    if not re.fullmatch(NAME, name) or settings.items < 1:
        fix = "make round NAME=pilot N=50: at most 30 of a-z, 0-9 and hyphens, and at least one item"
        raise UserError(f"a round cannot be called {name!r} and have {settings.items} items", "NAME, N", fix)
    rng, known = np.random.default_rng([config.seed, zlib.crc32(name.encode())]), look(config, settings, product)
    if kind in FLAGGED:
        parts = {"items": apart(flagged(kind, known), settings.items), "gold": {}}
    else:
        parts = fresh(config, settings, product, rng, known)
    if not parts["items"] and known.only is not None:
        fix = "widen the filter; a review takes what people know already, the others what nobody was asked about"
        raise UserError(f"no record for a round of kind {kind} passes the filter", "LABEL, SLICE, IDS, FILE", fix)
    if not parts["items"]:
        fix = "make labels, then dvc repro label, which flags them" if kind in FLAGGED else "collect more records"
        raise UserError(f"there is no record for a round of kind {kind}", "data/", fix)
    ids, everyone = sorted(parts["items"]), [OWNER] if kind == "adjudication" else settings.annotators
    share = {"pilot": 1.0, "adjudication": 0.0}.get(kind, settings.overlap) if len(everyone) > 1 else 0.0
    shared = sorted({*sample(ids, share, rng), *parts["gold"]})
    alone = [record for record in ids if record not in shared]
    details = suggestions(alone, settings, product, rng)
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    return Round.model_validate(
        {"name": name, "kind": kind, "guide_version": guide_version(), "made_at": made_at, "annotators": everyone}
        | {**parts, "overlap": shared, **details, "labels": product.formulation.label_names}
    )


def run(config: Config) -> None:
    """Write the round and say what to do next."""
    made = plan(config, load())
    write(made)
    counts = pl.Series(list(made.items.values())).value_counts(sort=True).iter_rows()
    print(f"round: {made.name} has {len(made.items)} items: " + ", ".join(f"{n} {why}" for why, n in counts))
    if config.annotation and len(made.items) == config.annotation.items and config.annotation.kind in FLAGGED:
        print("round: N is reached; what is left waits for the next round, or for a larger N")
    print(f"next: git add {ROUNDS}/{made.name}.json, then make annotate")


if __name__ == "__main__":
    stage(run, "annotation")
