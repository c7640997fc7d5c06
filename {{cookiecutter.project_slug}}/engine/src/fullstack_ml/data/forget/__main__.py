"""Forget a record, or a group such as a person: out of raw data, labels, rounds and splits, for good.

Reads and writes everything below ``data``, and ``data/tombstones.json``, which keeps the record from being collected
again; deletes its rows of the prediction log; names the registered models that learned from it. Killed half-way, the
same command finishes the work.
Run: ``make forget ID=<id, or its first characters>`` or ``make forget GROUP=<group>``.
"""

import argparse
from pathlib import Path
from typing import Any

import polars as pl

from fullstack_ml.data.forget.keep import keep
from fullstack_ml.data.forget.log import forget_predictions
from fullstack_ml.data.forget.trained import trained_on
from fullstack_ml.data.store import lineage, manifest, tombstones
from fullstack_ml.data.store.identity import WHOLE, named
from fullstack_ml.data.store.shards import purge
from fullstack_ml.pipeline.tables import read_batches, write_parquet
from fullstack_ml.workspace.errors import UserError, guard
from fullstack_ml.workspace.files import read_json, sha256, write_json
from fullstack_ml.workspace.paths import (
    EXPORTS,
    LABELLED,
    LABELS,
    NEAR_DUPLICATES,
    OUT_OF_SCOPE,
    PULLED,
    RAW,
    REJECTED,
    REVIEW,
    ROUNDS,
    SPLITS,
    TOMBSTONES,
)

SHORTEST = 8  # characters of an id that may stand for it
ROWS = 50_000


def find(draft: manifest.Manifest, record: str | None, group: str | None) -> list[str]:
    """Return the ids of the stored and of the already forgotten records that are meant.

    Raises:
        UserError: if there is none, or if the first characters of an id fit several.
    """
    wanted = pl.col("group") == group if group else named(record or "")
    found: set[str] = set()
    for entry in draft["shards"]:
        for batch in read_batches(manifest.locate(entry["shard"]), ROWS, ["id", "group"]):
            found |= set(batch.filter(wanted)["id"])
    stones = tombstones.load()
    if group:
        known = tombstones.group_hash(group) in stones.groups
    else:
        found |= set(pl.DataFrame({"id": list(stones.ids)}, schema={"id": pl.String}).filter(wanted)["id"])
        known = False
    if record and len(found) > 1 and record in found:
        found = {record}
    if record and len(found) > 1 and len(record) < WHOLE:
        several = ", ".join(sorted(found)[:5])
        fix = f"give one of {several}; or all {WHOLE} digits of a content, to forget every record of it"
        raise UserError(f"{record} is the beginning of {len(found)} ids", "ID", fix)
    if not found and not known:
        what = f"no record has the {'group' if group else 'id'} {group or record!r}"
        raise UserError(what, str(RAW), "look it up in data/raw; an id is the SHA-256 of the content")
    return sorted(found)


def rewrite_tables(ids: list[str], group: str | None) -> None:
    """Take the records out of every table beside the raw shards."""
    files = [LABELLED, OUT_OF_SCOPE, REVIEW, NEAR_DUPLICATES]
    files += [path for folder in (LABELS, PULLED, SPLITS, REJECTED) for path in sorted(folder.glob("*.parquet"))]
    for path in [*REJECTED.glob("*import-*.csv*"), *EXPORTS.glob("*.zip*")]:
        path.unlink()  # a copy, also one that a killed command left; made again by the command
    for path in filter(Path.exists, files):
        frame = pl.read_parquet(path)
        gone = pl.any_horizontal(pl.col(name).is_in(ids) for name in ("id", "other") if name in frame.columns)
        if group and "group" in frame.columns:
            gone |= pl.col("group") == group
        kept = frame.filter(~gone.fill_null(False))
        if len(kept) < len(frame):
            write_parquet(path, [kept])


def keep_labels() -> None:
    """Hand all labels to DVC, also those of an earlier run that was killed; else its cache brings the old ones back."""
    files = [path for path in sorted(LABELS.glob("*.parquet")) if Path(f"{path}.dvc").exists()]
    fault = keep(*files) if files else None
    if fault:
        fix = "mend it and give the same command again: until then dvc checkout brings the old labels back"
        raise UserError(f"the labels are rewritten, and dvc add did not work: {fault}", str(LABELS), fix)


def rewrite_rounds(ids: set[str]) -> None:
    """Take the records out of what annotators were asked."""
    for path in sorted(ROUNDS.glob("*.json")):
        before = read_json(path)
        after = without(before, ids)
        if after != before:
            write_json(path, after)


def without(value: Any, ids: set[str]) -> Any:
    """Return a JSON value without the keys and list items that are in ``ids``."""
    if isinstance(value, dict):
        return {key: without(part, ids) for key, part in value.items() if key not in ids}
    if isinstance(value, list):
        return [without(part, ids) for part in value if not (isinstance(part, str) and part in ids)]
    return value


def mend_split_manifest() -> None:
    """Make the manifest of the splits state what they hold now."""
    path = SPLITS / "manifest.json"
    splits = read_json(path) if path.exists() else {}
    for name, entry in splits.items():
        file = SPLITS / f"{name}.parquet"
        labels = dict(pl.read_parquet(file, columns=["label"])["label"].value_counts().iter_rows())
        counts = {label: labels.get(label, 0) for label in entry["labels"]}
        entry |= {"rows": sum(labels.values()), "labels": counts, "sha256": sha256(file)}
    if splits:
        write_json(path, splits)


def forget(record: str | None, group: str | None) -> list[str]:
    """Do it all, the tombstone first, so that a kill leaves nothing that could come back; return the ids.

    Raises:
        UserError: if there is nothing to forget, or DVC does not take the labels that are left.
    """
    with manifest.exclusive():
        draft = lineage.agreed(manifest.begin("forget"))
        ids = find(draft, record, group)
        content = record if record and len(record) == WHOLE and record not in ids else None
        stones = tombstones.add(ids, group, content)
        forget_predictions([*stones.ids, *stones.contents])
        purge(draft, stones)
        listed = [row for row in draft["rejected"] if row["id"] not in ids and (not group or row["group"] != group)]
        draft |= {"rejected": listed, "tombstones": sha256(TOMBSTONES)}
        if draft != manifest.published():
            manifest.save(draft, "forget")
            manifest.publish(draft)
        rewrite_tables(list(stones.ids), group)  # all of them: an earlier run may have been killed
        rewrite_rounds(set(stones.ids))
        mend_split_manifest()
        keep_labels()
    return ids


def main() -> None:
    """Forget, then say what is left to do."""
    parser = argparse.ArgumentParser(description="Forget a record or a group.")
    parser.add_argument("--id", default="")
    parser.add_argument("--group", default="")
    asked = parser.parse_args()
    if bool(asked.id) == bool(asked.group) or 0 < len(asked.id) < SHORTEST:
        fix = f"make forget ID=<at least {SHORTEST} characters of an id>, or make forget GROUP=<group>"
        raise UserError("one record or one group has to be named", "make forget", fix)
    ids = forget(asked.id or None, asked.group or None)
    print(f"forget: {len(ids)} record(s) are out of data/ and will not be collected again: {', '.join(ids[:10])}")
    for line in trained_on(ids, asked.group or None):
        print(f"forget: {line}")
    print("next: git add data/tombstones.json data/raw.lock data/rounds data/labels, git commit, make repro;")
    print("      then the copies: in the cache and the remote, dvc gc --workspace --cloud (keeps what is checked out);")
    print("      in MLflow, delete the runs of versions that used it (analysis.html shows records); backups are yours")


if __name__ == "__main__":
    guard(main)
