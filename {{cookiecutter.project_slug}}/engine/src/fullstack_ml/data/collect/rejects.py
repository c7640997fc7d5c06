"""Records that a source gave and that could not be stored: kept with the reason, never dropped in silence.

Reads and writes ``data/rejected/collect.parquet``, which stays on this machine; the manifest lists the same without
the content.
"""

import re
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import polars as pl

from fullstack_ml.pipeline.tables import write_parquet
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.paths import REJECTED

FILE = REJECTED / "collect.parquet"
SCHEMA: dict[str, pl.DataType] = {
    "source": pl.String(),
    "reason": pl.String(),
    "id": pl.String(),
    "group": pl.String(),
    "source_label": pl.String(),
    "record": pl.String(),
    "rejected_at": pl.Datetime("us", "UTC"),
}
TOLD = ("source", "reason", "id")  # what tells two rejected records apart
PLACE = re.compile(r"#(row|line) \d+$")  # of a row in a table
SHOWN = 10  # rejected records that the terminal names
LISTED = ("source", "reason", "id", "group", "source_label")


class Rejects:
    """What a run rejects until the next shard is safe; stops the run when there is more than ``limit`` in all."""

    def __init__(self, listed: list[dict[str, Any]], limit: int) -> None:
        """Go on with what the manifest lists."""
        self.listed = {tuple(entry[name] for name in TOLD): entry for entry in listed}
        self.before = set(self.listed)  # and not seen again in this run
        self.limit = limit
        self.new: list[pl.DataFrame] = []

    def add(self, frame: pl.DataFrame, reason: pl.Expr) -> None:
        """Take records with the reason for each.

        Raises:
            UserError: beyond the limit, since then the source or its options are wrong, not a few records.
        """
        if not len(frame):
            return
        missing = [pl.lit(None, kind).alias(name) for name, kind in SCHEMA.items() if name not in frame.columns]
        frame = frame.with_columns(missing)
        now = pl.lit(datetime.now(UTC), SCHEMA["rejected_at"])
        frame = frame.with_columns(reason=reason, rejected_at=now).select(*SCHEMA).cast(pl.Schema(SCHEMA))
        self.new.append(frame)
        for entry in frame.select(LISTED).iter_rows(named=True):
            key = tuple(entry[name] for name in TOLD)
            self.listed[key] = entry
            self.before.discard(key)
        if len(self.listed) > self.limit:
            self.save()
            what = f"more than {self.limit} records are rejected, the last one because {frame['reason'][-1]}"
            fix = "mend the source or its options, or raise max_rejected in conf/collect.yaml"
            raise UserError(what, str(FILE), fix)

    def accept(self, sources: pl.Series) -> None:
        """Strike what has come in after all, from the list of the manifest: files, and rows of a table read anew."""
        if any(self.listed[key]["id"] is None for key in self.before):
            arrived = set(sources.drop_nulls().unique())
            for key in list(self.before):
                if self.listed[key]["id"] is None and PLACE.sub("", self.listed[key]["source"] or "") in arrived:
                    del self.listed[key]
                    self.before.discard(key)

    def told(self) -> list[str]:
        """Name the first ``SHOWN`` that this run has rejected, a line each, and how many more there are."""
        now = [entry for key, entry in self.listed.items() if key not in self.before]
        lines = [f"  {entry['source']}: {entry['reason']}" for entry in now[:SHOWN]]
        return [*lines, f"  and {len(now) - SHOWN} more"] if len(now) > SHOWN else lines

    def summary(self) -> str:
        """Say how many there are, why most of them, and which one is the first; reasons are counted without values."""
        entries = list(self.listed.values())
        reasons = Counter(re.sub(r" is .*, which", ", which", entry["reason"]) for entry in entries)
        most, count = reasons.most_common(1)[0]
        first = f"the first is {entries[0]['source']}: {entries[0]['reason']}"
        return f"{len(entries)} rejected, {count} of them because of {most}; {first}"

    def save(self) -> list[dict[str, Any]]:
        """Write the new ones to the file, each once, and return the list for the manifest."""
        if self.new:
            old = [pl.read_parquet(FILE)] if FILE.exists() else []
            every = pl.concat([*old, *self.new]).unique(TOLD, keep="first", maintain_order=True)
            write_parquet(FILE, [every])
            self.new = []
        return [self.listed[key] for key in sorted(self.listed, key=str)]
