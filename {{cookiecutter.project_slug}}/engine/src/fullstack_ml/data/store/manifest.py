"""The manifest of ``data/raw``: which shards count, where they come from, and where each source goes on.

Reads and writes ``data/raw/manifest.json``; a run works in ``data/.collecting`` and publishes at its end. A run that
was killed leaves ``data/raw`` as it was, and the next run goes on with the shards that are finished.

States, in order: shards and a manifest in ``data/.collecting`` (grows); shards moved to ``data/raw`` (not listed there
yet, so no reader sees them); the manifest of ``data/raw`` replaced (this is the moment that counts); its MD5 written to
``data/raw.lock``, which git keeps, see ``lineage.py``; the rest removed.
"""

import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from fullstack_ml.pipeline.tables import shard_file
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import digest, read_json, write_json, write_text
from fullstack_ml.workspace.paths import RAW, RAW_LOCK

WORK = Path("data/.collecting")
MANIFEST = RAW / "manifest.json"
DRAFT = WORK / "draft.json"
Manifest = dict[str, Any]


def empty() -> Manifest:
    """Return a manifest of nothing."""
    return {"shards": [], "gone": [], "cursors": {}, "rejected": [], "tombstones": None, "columns": {}}


def published() -> Manifest:
    """Return what ``data/raw`` holds."""
    return {**empty(), **(read_json(MANIFEST) if MANIFEST.exists() else {})}


def version(manifest: Manifest) -> str:
    """Name a manifest by its content."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def listed() -> list[str]:
    """Return the MD5 of every manifest that ``data/raw.lock`` names: one, or after a merge that of each side."""
    lines = RAW_LOCK.read_text(encoding="utf-8").splitlines() if RAW_LOCK.exists() else []
    named = [line.split()[0] for line in lines if line and line[0] not in "<=>|#"]  # marks of git and comments
    return list(dict.fromkeys(named))


def list_published() -> None:
    """Let ``data/raw.lock`` name the manifest of ``data/raw``."""
    if MANIFEST.exists() and listed() != [digest(MANIFEST)]:
        rows = sum(entry["rows"] for entry in published()["shards"])
        write_text(RAW_LOCK, f"{digest(MANIFEST)} {rows} records\n")


@contextmanager
def exclusive() -> Iterator[None]:
    """Let one process at a time change ``data/raw``; the system opens the lock of a process that was killed.

    Raises:
        UserError: if another process is at it, such as the orphan of a killed ``dvc repro``.
    """
    WORK.mkdir(parents=True, exist_ok=True)
    with (WORK / "lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            fix = "wait for its end, or find it with: fuser data/.collecting/lock"
            raise UserError("another process is changing data/raw", str(WORK / "lock"), fix) from error
        yield


def begin(run: str) -> Manifest:
    """Go on with the manifest of an unfinished ``run``, or start from the published one; remove what neither names."""
    current = published()
    unfinished = read_json(DRAFT) if DRAFT.exists() else {}
    same = unfinished.get("listed") == listed()
    if same and unfinished["manifest"] == current:
        list_published()  # killed just before it
    # Of another source or other options, or older than a checkout or forget: its records come again where they belong.
    if not same or (unfinished.get("run"), unfinished.get("base")) != (run, version(current)):
        shutil.rmtree(WORK / "shards", ignore_errors=True)
        DRAFT.unlink(missing_ok=True)
        unfinished = {}
    draft: Manifest = unfinished.get("manifest", current)
    known = {f"{entry['shard']}.parquet" for entry in (*current["shards"], *draft["shards"])}
    for folder in (RAW, WORK, WORK / "shards"):
        for path in folder.glob("*"):
            unlisted = path.match("shard-*.parquet") and path.name not in known
            if unlisted or path.match(".*.tmp"):
                path.unlink()
    return draft


def save(draft: Manifest, run: str) -> None:
    """Make the draft's shards safe from a kill."""
    write_json(DRAFT, {"run": run, "base": version(published()), "listed": listed(), "manifest": draft})


def publish(draft: Manifest) -> None:
    """Make the draft the manifest of ``data/raw``. Readers see the old state or the new one."""
    if draft != published():
        if not MANIFEST.exists():
            write_json(MANIFEST, empty())  # from here on a shard counts only when it is listed
        for path in sorted((WORK / "shards").glob("shard-*.parquet")):
            path.replace(RAW / path.name)
        write_json(MANIFEST, draft)
    list_published()
    DRAFT.unlink(missing_ok=True)
    begin("")


def locate(shard: str) -> Path:
    """Return the path of a shard of the draft."""
    waiting = WORK / "shards" / shard_file(shard)
    return waiting if waiting.exists() else RAW / waiting.name


def next_number(draft: Manifest) -> int:
    """Return a shard number that neither the published manifest nor the draft uses."""
    entries = [*published()["shards"], *draft["shards"]]
    return 1 + max((int(entry["shard"].split("-")[1]) for entry in entries), default=-1)


def encode_cursor(value: Any) -> Any:
    """Write a cursor as JSON; what JSON has no word for becomes a one-key mapping, and comes back as what it was."""
    if isinstance(value, datetime | date):
        return {type(value).__name__: value.isoformat()}
    return {type(value).__name__: str(value)} if isinstance(value, Decimal | UUID) else value


def decode_cursor(value: Any) -> Any:
    """Undo ``encode_cursor``."""
    if isinstance(value, dict):
        kind, text = next(iter(value.items()))
        types: dict[str, Callable[[str], Any]] = {"Decimal": Decimal, "UUID": UUID}
        types |= {"datetime": datetime.fromisoformat, "date": date.fromisoformat}
        return types[kind](text)
    return value
