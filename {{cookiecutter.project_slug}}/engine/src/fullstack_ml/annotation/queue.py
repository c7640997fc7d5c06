"""Make the next round: which records people should label now, and why each of them.

Reads ``data/raw``, ``data/labels``, ``data/review.parquet`` and the model; writes
``data/rounds/<name>.json``. A pilot is random. A production round mixes what the model is unsure of, what is novel to
it and random records, with a quota per slice. A review takes labels made under an old guide and likely errors, an
adjudication takes ties and unsure labels. Run: ``make round NAME=second KIND=production N=200``.
"""

import re
import zlib
from datetime import UTC, datetime
from typing import Any, get_args

import numpy as np
import polars as pl
from numpy.random import Generator

from fullstack_ml.annotation.choose import choose, draw, sample
from fullstack_ml.annotation.opinion import ask
from fullstack_ml.annotation.server import OWNER
from fullstack_ml.data.label.__main__ import annotations
from fullstack_ml.data.label.rounds import NAME, Kind, Round, adjudications, read_all, write
from fullstack_ml.data.split.when import COLUMNS, Plan, placed, plan_of
from fullstack_ml.pipeline.config import Annotation, Config
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.pipeline.tables import raw, slice_mask
from fullstack_ml.product.contract import load
from fullstack_ml.product.guide import guide_version
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError, suggest
from fullstack_ml.workspace.files import read_json
from fullstack_ml.workspace.paths import REVIEW, ROUNDS, SUSPECTS

# What a round of flagged records takes, by the reason in data/review.parquet.
FLAGGED = {"review": ["old guide"], "adjudication": ["tie", "unsure"]}
RANDOM = {"uncertain": 0.0, "novel": 0.0, "random": 1.0}


def candidates(product: Product, plan: Plan, size: int, seed: int) -> pl.DataFrame:
    """Return a random pool of ``size`` records that nobody was asked about, with what ``choose`` reads.

    Where records have no label at all, the pool has as many of them as there are, then those that the source labels.
    """
    parts = product.data.slices
    asked = {record for one in read_all().values() for record in one.items} | set(annotations()["id"])
    fresh = raw().select(sorted({*COLUMNS, "source_label", *(part.column for part in parts)}))
    fresh = fresh.filter(~pl.col("id").is_in(list(asked)))
    bare = pl.col("source_label").is_null()
    without = draw(fresh.filter(bare), size, seed)
    frame = pl.concat([without, draw(fresh.filter(~bare), size - len(without), seed)])
    slices = [slice_mask(part).alias(f"slice {part.id}") for part in parts]
    return frame.with_columns(slices).with_columns(bare=bare, in_train=placed(frame, plan)["train"])


def flagged(kind: str) -> dict[str, str]:
    """Return the records that stage ``label`` or ``make suspects`` flagged for this kind of round, with the reason."""
    found = pl.read_parquet(REVIEW) if REVIEW.exists() else pl.DataFrame(schema={"id": pl.String, "reason": pl.String})
    chosen = dict(found.filter(pl.col("reason").is_in(FLAGGED[kind])).select("id", "reason").iter_rows())
    if kind == "review" and SUSPECTS.exists():
        chosen |= {row["id"]: "likely error" for row in read_json(SUSPECTS)["suspects"]}
    return chosen


def known_answers(gold_from: str, count: int, seed: int) -> dict[str, str]:
    """Draw records whose label is known: decided by an adjudicator, or stated by a source that is known to be right."""
    if gold_from == "source":
        frame = raw().select("id", label="source_label")
    elif gold_from == "adjudicated":
        ruled = pl.col("round").is_in(adjudications(read_all()))
        said = annotations().filter(ruled).sort("annotated_at")
        frame = said.unique("id", keep="last").select("id", "label").lazy()
    else:
        fix = suggest(gold_from, ["adjudicated", "source"])
        raise UserError(f"gold_from is {gold_from!r}", "annotation.gold_from in conf/annotation.yaml", fix)
    return dict(draw(frame.drop_nulls(), count, seed).iter_rows())


def fresh(config: Config, settings: Annotation, product: Product, rng: Generator) -> dict[str, dict[str, str]]:
    """Choose the items of a pilot or production round, and the gold items among them."""
    seed = zlib.crc32((settings.round or "").encode())
    pool = candidates(product, plan_of(config.split), settings.pool, seed)
    if settings.kind == "pilot":
        return {"items": choose(pool, settings.items, RANDOM, settings.quota, rng), "gold": {}}
    opinion = ask(pool["id"], product)
    if opinion is None:
        print("round: there is no model yet, so chance chooses")
    else:
        pool = pool.join(opinion, on="id", maintain_order="left")
    gold = known_answers(settings.gold_from, round(settings.items * settings.gold), seed)
    items = choose(pool, settings.items - len(gold), settings.shares, settings.quota, rng)
    return {"items": items | dict.fromkeys(gold, "gold"), "gold": gold}


def suggestions(items: list[str], settings: Annotation, product: Product, rng: Generator) -> Any:
    """Say what the model thinks of ``items`` (``model``), and on which of them annotators see it (``shown``)."""
    opinion = ask(items, product) if settings.prelabel and settings.kind == "production" else None
    if opinion is None:
        return {}
    blind = set(sample(items, settings.blind, rng))
    return {"model": dict(opinion.select("id", "says").iter_rows()), "shown": [r for r in items if r not in blind]}


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
    rng = np.random.default_rng([config.seed, zlib.crc32(name.encode())])
    if kind in FLAGGED:
        parts = {"items": dict(list(flagged(kind).items())[: settings.items]), "gold": {}}
    else:
        parts = fresh(config, settings, product, rng)
    if not parts["items"]:
        fix = "make labels, then dvc repro label, which flags them" if kind in FLAGGED else "collect more records"
        raise UserError(f"there is no record for a round of kind {kind}", "data/", fix)
    ids, everyone = sorted(parts["items"]), [OWNER] if kind == "adjudication" else settings.annotators
    share = {"pilot": 1.0, "production": settings.overlap}.get(kind, 0.0) if len(everyone) > 1 else 0.0
    shared = sorted({*sample(ids, share, rng), *parts["gold"]})
    alone = [record for record in ids if record not in shared]
    details = suggestions(alone, settings, product, rng)
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    return Round.model_validate(
        {"name": name, "kind": kind, "guide_version": guide_version(), "made_at": made_at, "annotators": everyone}
        | {**parts, "overlap": shared, **details}
    )


def run(config: Config) -> None:
    """Write the round and say what to do next."""
    made = plan(config, load())
    write(made)
    counts = pl.Series(list(made.items.values())).value_counts(sort=True).iter_rows()
    print(f"round: {made.name} has {len(made.items)} items: " + ", ".join(f"{n} {why}" for why, n in counts))
    print(f"next: git add {ROUNDS}/{made.name}.json, then make annotate")


if __name__ == "__main__":
    stage(run, "annotation")
