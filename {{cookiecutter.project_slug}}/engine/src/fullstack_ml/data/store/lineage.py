"""Hold ``data/raw`` against what git says that it is, and bring it in line, before a stage adds to it.

``data/raw.lock``, which git keeps, names the manifest of ``data/raw`` by its MD5, as DVC does, and a manifest names its
shards likewise. Git merges the file line by line (``.gitattributes``): after a merge it names the manifest of each
side, and the records of both come together here, each once. After ``git switch`` or in a clone it names another one
than lies here: its shards come from DVC's cache, or else from its remote.

Reads ``data/raw.lock`` and DVC's cache; writes ``data/.collecting``.
"""

import shutil
from pathlib import Path
from typing import Any

import polars as pl

from fullstack_ml.data.store import manifest
from fullstack_ml.data.store.index import Index, keys, marks
from fullstack_ml.data.store.manifest import MANIFEST, WORK, Manifest
from fullstack_ml.data.store.shards import label_late, write_shard
from fullstack_ml.pipeline.tables import read_batches, shard_file
from fullstack_ml.workspace.errors import UserError, first_line
from fullstack_ml.workspace.files import digest, read_json
from fullstack_ml.workspace.paths import RAW, RAW_LOCK

ROWS = 250_000


def agreed(draft: Manifest) -> Manifest:
    """Return the manifest to go on with: ``draft``, which ``begin`` gave, where it is what git names, or else that.

    Raises:
        UserError: if what git names is nowhere, or what lies here is kept nowhere else and would be lost.
    """
    wanted = manifest.listed()
    here = digest(MANIFEST) if MANIFEST.exists() else None
    lacking = [entry for entry in draft["shards"] if not manifest.locate(entry["shard"]).exists()]
    if manifest.DRAFT.exists() or not wanted or (wanted == [here] and not lacking):
        return draft
    if here and here not in wanted:
        check_kept([here, *(entry["md5"] for entry in draft["shards"] if entry not in lacking)])
    found = kept(wanted)
    check_found([name for name in wanted if name not in found], "manifest")
    # What lies here comes first, so that the fewest shards are fetched.
    states: list[Manifest] = [read_json(found[name]) for name in sorted(wanted, key=lambda name: name != here)]
    merged, *others = states
    fetch({entry["shard"]: entry for one in (*others, merged) for entry in one["shards"]})
    for other in others:
        merge(merged, other)
    print(f"collect: {RAW} is now what {RAW_LOCK} names: {sum(entry['rows'] for entry in merged['shards'])} records")
    return merged


def kept(names: list[str], needed: bool = True) -> dict[str, Path]:
    """Return the files in DVC's cache by MD5; those that are ``needed`` and not there come from its remote."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc_data.hashfile.hash_info import HashInfo

    try:
        repo = Repo()
    except DvcException:  # not a project of DVC: nothing is kept
        return {}
    with repo:
        cache: Any = repo.cache.local
        lacking = [name for name in names if not cache.exists(name)]
        if lacking and needed:
            try:
                repo.cloud.pull([HashInfo("md5", name) for name in lacking])
            except (DvcException, OSError) as error:
                print(f"the remote of DVC: {first_line(error)}")
        return {name: Path(cache.oid_to_path(name)) for name in names if cache.exists(name)}


def check_kept(names: list[str]) -> None:
    """Refuse to replace what no commit and no cache holds, such as after a run that was killed and a switch."""
    if len(kept(names, needed=False)) < len({*names}):
        what = f"{RAW} is not what git names here, and DVC keeps no copy of it"
        fix = f"to keep what lies there: rm {RAW_LOCK}; to take what git names: rm -r {RAW}; then make"
        raise UserError(what, str(RAW_LOCK), fix)


def check_found(missing: list[str], what: str) -> None:
    """Refuse to go on without what git names."""
    if missing:
        fix = f"dvc push where it was made, then make here; to begin without it: rm -rf {RAW} {RAW_LOCK}, then make"
        said = f"{len(missing)} {what}(s) of {RAW} that git names are neither here nor in DVC's cache and remote"
        raise UserError(said, str(RAW_LOCK), fix)


def fetch(entries: dict[str, dict[str, Any]]) -> None:
    """Bring shards that are not here into the work folder."""
    lacking = {entry["md5"]: shard for shard, entry in entries.items() if not holds(RAW / shard_file(shard), entry)}
    found = kept(list(lacking)) if lacking else {}
    check_found([name for name in lacking if name not in found], "shard")
    (WORK / "shards").mkdir(parents=True, exist_ok=True)
    for name, shard in lacking.items():
        shutil.copyfile(found[name], WORK / "shards" / shard_file(shard))


def holds(path: Path, entry: dict[str, Any]) -> bool:
    """Say whether a file is the shard of an entry."""
    return path.exists() and digest(path) == entry["md5"]


def merge(mine: Manifest, other: Manifest) -> None:
    """Take what ``other`` holds into ``mine``: shards as they are where all their records are new.

    A record stays forgotten, and replaced shards stay replaced, whoever did it. A cursor that the two do not agree on
    is dropped: what is read again is known.
    """
    gone = {*mine["gone"], *other["gone"]}
    mine["shards"] = [entry for entry in mine["shards"] if entry["shard"] not in gone]
    mine["gone"] = sorted(gone)
    mine["cursors"] = {
        key: value
        for key, value in {**other["cursors"], **mine["cursors"]}.items()
        if other["cursors"].get(key, value) == value
    }
    mine["columns"] = {**other["columns"], **mine["columns"]}
    mine["rejected"] += [row for row in other["rejected"] if row not in mine["rejected"]]
    mine["tombstones"] = None  # both sides may have forgotten: looked at anew
    index, late = Index(WORK), dict[str, str]()
    for entry in mine["shards"]:
        for frame in read_batches(manifest.locate(entry["shard"]), ROWS, ["id", "group", "source_label"]):
            index.sort_out(keys(frame["id"]), marks(frame))
    held = {entry["shard"] for entry in mine["shards"]}
    for entry in other["shards"]:
        if entry["shard"] in held | gone:
            continue
        frame = pl.read_parquet(manifest.locate(entry["shard"]))
        new = pl.Series(index.sort_out(keys(frame["id"]), marks(frame))[0])
        late |= dict(frame.filter(~new & frame["source_label"].is_not_null()).select("id", "source_label").iter_rows())
        if new.all():
            mine["shards"].append(entry)
        elif new.any():
            mine["gone"].append(entry["shard"])
            mine["shards"].append(write_shard(frame.filter(new), manifest.next_number(mine), WORK / "shards"))
    label_late(mine, late)
