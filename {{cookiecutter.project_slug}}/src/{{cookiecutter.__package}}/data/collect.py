"""Stage ``collect``: bring raw records in as Parquet shards with stable ids; a second run adds only what is new.

Reads the source that ``conf/source/`` names; writes ``data/raw/*.parquet`` and ``data/raw/manifest.json``.
Run: ``python -m PACKAGE.data.collect source=files``.
"""

import importlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from .. import task
from ..config import Config
from ..contract import load
from ..errors import UserError, check_arguments, suggest
from ..files import read_json, sha256, write_json
from ..paths import RAW
from ..product import Product
from ..records import RECORD, write_parquet
from ..stage import stage

MANIFEST = RAW / "manifest.json"


def open_source(name: str, options: dict[str, Any], product: Product) -> Iterator[pl.DataFrame]:
    """Return the batches of the source module ``data/sources/<name>.py``."""
    here = Path(__file__).parent / "sources"
    known = [file.stem for file in here.glob("*.py") if file.stem != "__init__"]
    if name not in known:
        raise UserError(f"there is no source {name!r}", "source.name in conf/source/", suggest(name, known))
    module = importlib.import_module(f".sources.{name}", __package__)
    check_arguments(module.read, options, f"source.options in conf/source/{name}.yaml")
    return iter(module.read(product, **options))


def prepare(batch: pl.DataFrame, product: Product, now: datetime) -> pl.DataFrame:
    """Give a batch its ids, its time and its describing columns, in the order of the record schema."""
    batch = batch.with_columns(task.content_id(batch, product), collected_at=pl.lit(now, RECORD["collected_at"]))
    batch = task.describe(batch, product)
    missing = pl.Series([None], dtype=pl.String)
    batch = batch.with_columns(**{n: missing.first() for n in RECORD if n not in batch.columns})
    others = [name for name in batch.columns if name not in RECORD]
    return batch.select([*RECORD, *others])


def new_records(batches: Iterator[pl.DataFrame], known: set[str], product: Product) -> Iterator[pl.DataFrame]:
    """Yield prepared batches without the records whose id is in ``known``; ``known`` grows by what is yielded."""
    now = datetime.now(UTC)
    for batch in batches:
        fresh = prepare(batch, product, now).unique("id", keep="first", maintain_order=True)
        fresh = fresh.filter(~pl.col("id").is_in(list(known)))
        known.update(fresh["id"])
        if len(fresh):
            yield fresh


def rechunk(batches: Iterator[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """Cut a stream of frames into frames of ``rows`` records; only the last may be shorter."""
    held: pl.DataFrame | None = None
    for batch in batches:
        held = batch if held is None else pl.concat([held, batch])
        while len(held) >= rows:
            yield held[:rows]
            held = held[rows:]
    if held is not None and len(held):
        yield held


def write_shard(frame: pl.DataFrame, number: int) -> dict[str, Any]:
    """Write one shard and return its row of the manifest."""
    path = RAW / f"shard-{number:05d}.parquet"
    write_parquet(path, [frame.with_columns(shard=pl.lit(path.stem))])
    times = frame["collected_at"]
    return {
        "shard": path.stem,
        "rows": len(frame),
        "bytes": path.stat().st_size,
        "sha256": sha256(path),
        "sources": sorted(frame["source"].str.replace(r"/[^/]*/[^/]*$", "").unique()),
        "licences": sorted(frame["licence"].unique()),
        "collected": [str(times.min()), str(times.max())],
    }


def run(config: Config) -> None:
    """Append the records that are not yet in ``data/raw``."""
    product = load()
    manifest = read_json(MANIFEST) if MANIFEST.exists() else {"shards": []}
    known: set[str] = set()
    for entry in manifest["shards"]:
        known.update(pl.read_parquet(RAW / f"{entry['shard']}.parquet", columns=["id"])["id"])
    batches = open_source(config.source.name, config.source.options, product)
    before = len(known)
    for frame in rechunk(new_records(batches, known, product), config.collect.shard_rows):
        manifest["shards"].append(write_shard(frame, len(manifest["shards"])))
        write_json(MANIFEST, manifest)
    if not known:
        raise UserError("the source gave no record", f"conf/source/{config.source.name}.yaml", "look at its options")
    print(f"collect: {len(known)} records in {RAW}, {len(known) - before} of them new")


if __name__ == "__main__":
    stage(run)
