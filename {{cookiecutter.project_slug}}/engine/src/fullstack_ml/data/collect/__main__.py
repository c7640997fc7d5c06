"""Stage ``collect``: bring raw records in as Parquet shards with stable ids; a second run adds only what is new.

Reads the source that ``conf/source/`` names, ``data/raw.lock`` and ``data/tombstones.json``; writes
``data/raw/*.parquet``, ``data/raw/manifest.json``, ``data/raw.lock`` and ``data/rejected/collect.parquet``. Killed at
any moment, the next run goes on where the last finished shard ends. Memory follows the size of a shard.
Run: ``python -m fullstack_ml.data.collect source=files``.
"""

import hashlib
import inspect
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import polars as pl

from fullstack_ml.data.collect.intake import CURSOR, Intake
from fullstack_ml.data.collect.rejects import FILE, Rejects
from fullstack_ml.data.store import lineage, manifest, tombstones
from fullstack_ml.data.store.index import Index, contents_of, keys, marks
from fullstack_ml.data.store.shards import label_late, purge, rechunk, write_shard
from fullstack_ml.pipeline.config import Config, Source
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.pipeline.tables import read_batches
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError, check_arguments
from fullstack_ml.workspace.files import sha256
from fullstack_ml.workspace.paths import RAW, RAW_LOCK, TOMBSTONES
from fullstack_ml.workspace.seams import find_choice

ROWS = 250_000
ADDED = ("label",)  # columns that a table may get, or lose, after it was collected


def open_source(
    name: str, options: dict[str, Any], product: Product, state: dict[str, Callable[[], Any]] | None = None
) -> Iterator[pl.DataFrame]:
    """Return the batches of the source module ``data/sources/<name>.py``.

    A source that goes on where it ended has a parameter ``cursor`` or ``seen``, which is filled from ``state``.
    """
    read = find_choice("data.collect.sources", name, "source.name in conf/source/").read
    check_arguments(read, options, f"source.options in conf/source/{name}.yaml", ("product", "cursor", "seen"))
    asked = inspect.signature(read).parameters
    return iter(read(product, **options, **{key: give() for key, give in (state or {}).items() if key in asked}))


def settle(draft: manifest.Manifest, source: Source, row_key: str | None) -> None:
    """Remember from which columns label and group come, and which one names a row.

    Raises:
        UserError: if a table that is stored is read with others: its rows would be stored once more.
    """
    columns = {name: source.options.get(name) for name in ("group", "label")} | {"row_key": row_key}
    place = {
        name: value for name, value in source.options.items() if name in ("path", "url", "query", "urls", "sitemap")
    }
    key = f"{source.name} {json.dumps(place, sort_keys=True, default=str)}"
    before = draft["columns"].setdefault(key, columns)
    for name, column in columns.items() if row_key is None else [("row_key", row_key)]:  # a key names it under any
        was = before.get(name, column)  # an older engine did not remember the row_key
        if draft["shards"] and was != column and (name not in ADDED or None not in (was, column)):
            what = f"{name} was {was!r} when this table was collected, and is {column!r}"
            where = "data in product.yaml" if name == "row_key" else f"source.options in conf/source/{source.name}.yaml"
            raise UserError(what, where, f"set it back; to read the table anew: rm -r {RAW} {RAW_LOCK}, then make")
    draft["columns"][key] = columns


def alike(frames: Iterator[pl.DataFrame], draft: manifest.Manifest) -> Iterator[pl.DataFrame]:
    """Yield frames in the columns of what is stored; ``draft`` names it.

    The id of a row is made from its features: under a contract of others every row would be stored a second time, under
    another id, and could stand in the train split and in the test split.

    Raises:
        UserError: for other columns, with their names and how to read the source anew.
    """
    held = list(pl.read_parquet_schema(manifest.locate(draft["shards"][0]["shard"]))) if draft["shards"] else []
    for frame in frames:
        now = [name for name in frame.columns if name != CURSOR]
        if held and (other := sorted({*held} ^ {*now})):
            what = f"{RAW} holds records with other columns than those that product.yaml asks for: {', '.join(other)}"
            fix = f"set them back in product.yaml; to read the source anew: rm -r {RAW} {RAW_LOCK}, then make"
            raise UserError(what, "formulation.input or data.columns in product.yaml", fix)
        yield frame.select(*held, *({*frame.columns} - {*held})) if held else frame


def stored(draft: manifest.Manifest, *columns: str) -> Iterator[pl.DataFrame]:
    """Read columns of what is stored, batch by batch."""
    for entry in draft["shards"]:
        yield from read_batches(manifest.locate(entry["shard"]), ROWS, columns)


def seen(draft: manifest.Manifest, finished: bool) -> set[str]:
    """Name the sources that are stored; of an unfinished run not the last one, of which a part may be missing."""
    frames = [frame["source"] for frame in stored(draft, "source")]
    last = {frames[-1][-1]} if frames and not finished else set()
    return set().union(*frames) - last - {None}


def labelled_contents(draft: manifest.Manifest) -> Index:
    """Return the contents of what is stored with a label."""
    index = Index(manifest.WORK)
    for frame in stored(draft, "id", "source_label"):
        found = contents_of(frame.filter(pl.col("source_label").is_not_null())["id"])
        index.sort_out(found, np.zeros(len(found), dtype=np.uint64))
    return index


def forget_buried(draft: manifest.Manifest, stones: tombstones.Tombstones, key: str) -> None:
    """Take forgotten records out of ``draft``, such as those that ``dvc checkout`` brought back."""
    version = sha256(TOMBSTONES) if stones else None
    if draft["tombstones"] != version:
        purge(draft, stones)
        draft["tombstones"] = version
        manifest.save(draft, key)


def write_all(frames: Iterator[pl.DataFrame], draft: manifest.Manifest, key: str, rejects: Rejects) -> None:
    """Write frames as shards; a thread writes one while the next is prepared. Each is listed once it is on disk."""
    number, waiting = manifest.next_number(draft), None
    with ThreadPoolExecutor(1) as writer:
        try:
            for frame in frames:
                if waiting:
                    list_shard(*waiting, draft, key, rejects)
                    waiting = None
                cursor = frame[CURSOR][-1] if CURSOR in frame.columns else None
                payload = frame.drop(CURSOR, strict=False)
                waiting = (writer.submit(write_shard, payload, number, manifest.WORK / "shards").result, cursor)
                number += 1
        finally:  # also when the source breaks off
            if waiting:
                list_shard(*waiting, draft, key, rejects)


def list_shard(
    entry: Callable[[], dict[str, Any]], cursor: Any, draft: manifest.Manifest, key: str, rejects: Rejects
) -> None:
    """Wait for a shard, then list it with the cursor of its last record."""
    draft["shards"].append(entry())
    checkpoint(draft, key, cursor, rejects)


def checkpoint(draft: manifest.Manifest, key: str, cursor: Any, rejects: Rejects) -> None:
    """Make what was done so far safe from a kill."""
    if cursor is not None:
        draft["cursors"][key] = manifest.encode_cursor(cursor)
    draft["rejected"] = rejects.save()
    manifest.save(draft, key)


def run(config: Config) -> None:
    """Append the records that are not yet in ``data/raw``."""
    product, source = load(), config.source
    options = json.dumps(source.options, sort_keys=True, default=str)
    key = f"{source.name}-{hashlib.sha256(options.encode()).hexdigest()[:12]}"
    with manifest.exclusive():
        draft, stones = lineage.agreed(manifest.begin(key)), tombstones.load()
        forget_buried(draft, stones, key)
        index, rejects = Index(manifest.WORK), Rejects(draft["rejected"], config.collect.max_rejected)
        for frame in stored(draft, "id", "group", "source_label"):
            index.sort_out(keys(frame["id"]), marks(frame))
        before, finished = index.count, not manifest.DRAFT.exists()
        held = list(draft["shards"])
        intake = Intake(product, index, stones, rejects, lambda: labelled_contents({**draft, "shards": held}))
        if intake.names.rows or intake.names.keyed:
            settle(draft, source, product.data.row_key)
        state = {
            "cursor": lambda: manifest.decode_cursor(draft["cursors"].get(key)),
            "seen": lambda: seen(draft, finished),
        }
        fresh = alike(intake.records(open_source(source.name, source.options, product, state)), draft)
        write_all(rechunk(fresh, config.collect.shard_rows, config.collect.shard_mib), draft, key, rejects)
        label_late(draft, intake.late)
        checkpoint(draft, key, intake.cursor, rejects)
        if not index.count:
            raise nothing_stored(intake, f"conf/source/{source.name}.yaml")
        manifest.publish(draft)
    said = f"collect: {index.count} records in {RAW}; {account(intake, index.count - before)}"
    print("\n".join([said, *rejects.told()]))


def nothing_stored(intake: Intake, where: str) -> UserError:
    """Say why there is no record."""
    if intake.rejects.listed:
        fix = f"see {FILE}; mend the source, its options or the contract"
        return UserError(f"0 records: {intake.rejects.summary()}", where, fix)
    if intake.forgotten:
        return UserError(f"0 records: all {intake.forgotten} were forgotten before", str(TOMBSTONES), "give others")
    return UserError("the source gave no record", where, "see whether there is anything at the place that it names")


def account(intake: Intake, new: int) -> str:
    """Account for every row that was read."""
    parts = {
        "known": intake.known,
        "got the label that they lacked": intake.labelled,
        f"rejected (see {FILE})": intake.rejected,
        "forgotten before": intake.forgotten,
    }
    said = [f"{count} {words}" for words, count in {"new": new, **parts}.items() if count or words in ("new", "known")]
    return f"{intake.read} read: {', '.join(said)}"


if __name__ == "__main__":
    stage(run)
