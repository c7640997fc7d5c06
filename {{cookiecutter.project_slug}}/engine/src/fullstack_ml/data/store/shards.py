"""Raw shards: cut a stream of records into them, write them, take forgotten records out.

Reads and writes Parquet below ``data/raw`` and ``data/.collecting``.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from fullstack_ml.data.store import manifest
from fullstack_ml.data.store.tombstones import Tombstones
from fullstack_ml.pipeline.tables import RECORD, read_batches, write_parquet
from fullstack_ml.workspace.files import digest, sha256

MIB = 2**20
UNSAID = ("shard", "collected_at")  # columns that do not tell the records of one shard from those of another
NAMED = 20  # origins that the manifest names per shard


def rechunk(batches: Iterator[pl.DataFrame], rows: int, mib: float) -> Iterator[pl.DataFrame]:
    """Cut a stream of frames into frames of ``rows`` records, or of about ``mib`` MiB; only the last may be shorter."""
    held: pl.DataFrame | None = None
    for batch in batches:
        held = batch if held is None else pl.concat([held, batch], how="vertical_relaxed")
        fit = min(rows, max(1, int(len(held) * mib * MIB / max(1, held.estimated_size()))))
        while len(held) >= fit:
            yield held[:fit]
            held = held[fit:]
    if held is not None and len(held):
        yield held


def origins_of(source: pl.Series) -> list[str]:
    """Name where the records come from; where each has a place of its own, without the last two parts of it."""
    found = source.drop_nulls().unique()
    if len(found) > NAMED:
        found = found.str.replace(r"/[^/]*/[^/]*$", "").unique()
    return found.sort().to_list()


def write_shard(frame: pl.DataFrame, number: int, folder: Path) -> dict[str, Any]:
    """Write one shard and return its row of the manifest; the name ends in a digest of its records.

    So two people who append to the same data on their own give one name only to the same records.
    """
    told = [name for name in frame.columns if name in RECORD and name not in UNSAID]
    said = pl.concat_str(told, separator=" ", ignore_nulls=True)
    content = hashlib.sha256("\n".join(frame.select(said).to_series()).encode()).hexdigest()
    path = folder / f"shard-{number:05d}-{content[:12]}.parquet"
    write_parquet(path, [frame.with_columns(shard=pl.lit(path.stem))])
    times = frame["collected_at"]
    origins = origins_of(frame["source"])
    more = [f"and {len(origins) - NAMED} more"] if len(origins) > NAMED else []
    return {
        "shard": path.stem,
        "rows": len(frame),
        "bytes": path.stat().st_size,
        "sha256": sha256(path),
        "md5": digest(path),  # by which DVC keeps it
        "sources": [*origins[:NAMED], *more],
        "licences": sorted(frame["licence"].drop_nulls().unique()),
        "collected": [str(times.min()), str(times.max())],
    }


def purge(draft: dict[str, Any], stones: Tombstones) -> list[str]:
    """Write every shard of ``draft`` that holds a forgotten record anew, without it; return the ids that went."""
    number, rows, gone = manifest.next_number(draft), [], []
    for entry in draft["shards"]:
        path = manifest.locate(entry["shard"])
        found = [part.filter(stones.mask(part))["id"] for part in read_batches(path, 50_000, ["id", "group"])]
        ids = pl.concat(found)
        if len(ids):
            gone += ids.to_list()
            kept = pl.read_parquet(path).filter(~pl.col("id").is_in(ids.implode()))
            draft["gone"].append(entry["shard"])
            entry = write_shard(kept, number, manifest.WORK / "shards") if len(kept) else None
            number += 1
        rows.append(entry)
    draft["shards"] = [entry for entry in rows if entry]
    return gone


def label_late(draft: dict[str, Any], labels: dict[str, str]) -> None:
    """Write every shard of ``draft`` anew that holds one of these ids without a label, with the label of its source."""
    if not labels:
        return
    late = pl.DataFrame({"id": list(labels), "late": list(labels.values())})
    number = manifest.next_number(draft)
    for place, entry in enumerate(draft["shards"]):
        path = manifest.locate(entry["shard"])
        parts = read_batches(path, 50_000, ["id", "source_label"])
        if any(part.filter(pl.col("source_label").is_null())["id"].is_in(list(labels)).any() for part in parts):
            whole = pl.read_parquet(path).join(late, on="id", how="left", maintain_order="left")
            whole = whole.with_columns(source_label=pl.coalesce("source_label", "late")).drop("late")
            draft["gone"].append(entry["shard"])
            draft["shards"][place] = write_shard(whole, number, manifest.WORK / "shards")
            number += 1
