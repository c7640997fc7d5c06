"""Records that were forgotten, so that they are never collected again.

Reads and writes ``data/tombstones.json``, which git keeps: a record stays forgotten in every clone and after every
``dvc checkout``. It holds ids, contents of which every record is to be forgotten, and groups by their SHA-256, since
the name of a group may be a person's.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime

import polars as pl

from fullstack_ml.data.store.index import HALF, content_of
from fullstack_ml.workspace.files import read_json, write_json
from fullstack_ml.workspace.paths import TOMBSTONES


def group_hash(group: str) -> str:
    """Return the hex SHA-256 under which a group is kept."""
    return hashlib.sha256(group.encode()).hexdigest()


@dataclass
class Tombstones:
    """``ids``, ``contents`` and ``groups`` (hashed) with the day on which each was forgotten."""

    ids: dict[str, str] = field(default_factory=dict)
    contents: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)

    def mask(self, frame: pl.DataFrame) -> pl.Series:
        """Select the forgotten records of a frame with the columns ``id`` and ``group``."""
        named = [group for group in frame["group"].drop_nulls().unique() if group_hash(group) in self.groups]
        # By the half that names the record: of a row with a key, the other changes with its values.
        chosen = pl.col("id").str.slice(HALF).is_in([record[HALF:] for record in self.ids])
        chosen |= content_of(pl.col("id")).is_in([content[:HALF] for content in self.contents])
        chosen |= pl.col("group").is_in(named).fill_null(False)
        return frame.select(forgotten=chosen)["forgotten"]

    def __bool__(self) -> bool:
        """Say whether anything was forgotten."""
        return bool(self.ids or self.contents or self.groups)


def load() -> Tombstones:
    """Read the tombstones; none where there is no file."""
    return Tombstones(**read_json(TOMBSTONES)) if TOMBSTONES.exists() else Tombstones()


def add(ids: list[str], group: str | None, content: str | None = None) -> Tombstones:
    """Write a tombstone for every id, for the group and for the content."""
    stones, today = load(), datetime.now(UTC).date().isoformat()
    for record in ids:
        stones.ids.setdefault(record, today)
    if group is not None:
        stones.groups.setdefault(group_hash(group), today)
    if content is not None:
        stones.contents.setdefault(content, today)
    parts = {"ids": stones.ids, "contents": stones.contents, "groups": stones.groups}
    write_json(TOMBSTONES, {name: dict(sorted(part.items())) for name, part in parts.items()})
    return stones
