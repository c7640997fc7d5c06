"""Which registered models learned from a record.

Reads the MLflow registry, and the splits of each version by its tag ``data.version``: the hash under which DVC keeps
them in its cache or on the remote. Writes nothing.
"""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from fullstack_ml.registry import tracking

# A model learns from train; validation and calibration chose and calibrated it; of test, its run shows the errors.
# From folds it learns all.
USED = ("train", "validation", "calibration", "test", "folds")


def trained_on(ids: list[str], group: str | None) -> Iterator[str]:
    """Yield a sentence per registered version that used one of the records, or whose data is out of reach."""
    store = tracking.local_store()
    if store and not store.exists():
        yield "no model version is registered yet"
        return
    registry = tracking.ClientRegistry()
    aliases = registry.aliases()
    splits: dict[str, list[str] | None] = {}
    for version in registry.versions():
        data = version.tags.get("data.version", "unknown")
        if data not in splits:
            splits[data] = found_in(data, ids, group)
        names = [alias for alias, number in aliases.items() if number == version.number]
        shown = " ".join([registry.name, "version", version.number, *(f"({name})" for name in names)])
        if splits[data] is None:
            yield f"{shown}: its data {data} is neither in the cache nor on the remote, so it may have used the record"
        elif splits[data]:
            yield f"{shown} used it: {', '.join(splits[data] or [])}"
    if not any(splits.values()) and None not in splits.values():
        yield "no registered model version used it"


def found_in(data: str, ids: list[str], group: str | None) -> list[str] | None:
    """Name the splits of a version of the data that hold one of the records; None where the data is out of reach."""
    listing = _cached(f"{data.removesuffix('.dir')}.dir")
    if listing is None:
        return None
    places = {Path(entry["relpath"]).stem: entry["md5"] for entry in json.loads(listing.read())}
    found = []
    for name in USED if "folds" in places else USED[:-1]:
        file = _cached(places.get(name, ""))
        if file is None:
            return None
        frame = pl.read_parquet(file, columns=["id", "group"])
        if len(frame.filter(pl.col("id").is_in(ids) | (pl.col("group") == group if group else pl.lit(False)))):
            found.append(name)
    return found


def _cached(md5: str) -> Any:
    """Open what DVC keeps under a hash, from its cache or from the remote; None where it is in neither."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    with Repo() as repo:
        stores = [repo.cache.local]
        with contextlib.suppress(DvcException):  # no remote is configured
            stores.append(repo.cloud.get_remote_odb())
        for store in stores:
            path = store.oid_to_path(md5)
            if md5 and store.fs.exists(path):
                return store.fs.open(path, "rb")
    return None
