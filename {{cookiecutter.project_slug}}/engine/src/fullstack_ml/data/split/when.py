"""Split by time, or as the source says: who stands where, and which moments part the splits.

Reads ``data/labelled.parquet`` once to find the moments, and ``reports/frozen.json``, where they stay: new data never
moves an old record, and what comes later is test. A record of a group stands in the split of its time only where that
is the split of its group's hash too, so that no group is in two splits; its other records are left out.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from fullstack_ml.data.split import rare
from fullstack_ml.data.split.place import NAMES, bounds, masks
from fullstack_ml.pipeline.config import Split
from fullstack_ml.product.contract import load
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import read_json
from fullstack_ml.workspace.paths import FROZEN, LABELLED

COLUMNS = ("id", "group", "happened_at", "given_split")  # by which a record is placed
WHERE = "conf/split.yaml"


@dataclass
class Plan:
    """``edges`` are the intervals of the hash; ``moments``, by time, part train, validation, calibration and test.

    ``moved`` holds the split of those that do not stand where their hash says: see ``rare.py``.
    """

    edges: dict[str, tuple[float, float]]
    moments: list[datetime] = field(default_factory=list)
    gap: timedelta = timedelta()
    moved: dict[str, str] = field(default_factory=dict)

    @property
    def windows(self) -> dict[str, tuple[datetime, datetime]]:
        """Return from when (included) until when each split lasts; what lies in the gap before the next is left out."""
        ends = [datetime.min, *self.moments, datetime.max]
        gaps = [self.gap] * len(self.moments) + [timedelta()]
        return {name: (ends[i], ends[i + 1] - gaps[i]) for i, name in enumerate(NAMES)}


def plan_of(settings: Split) -> Plan:
    """Return how records are placed: by the moments that are frozen, or else by those that give the shares.

    Raises:
        UserError: if the shares make no sense, no record has a time, or the first split was made in another way.
    """
    edges = bounds(settings.shares)
    frozen: dict[str, Any] = read_json(FROZEN) if FROZEN.exists() else {}
    by = frozen.get("by", "hash") if frozen else settings.by
    if by != settings.by:
        fix = f"set it back to {by}; to begin anew, with new models, delete {FROZEN} and data/splits"
        raise UserError(f"by was {by} and is {settings.by}", WHERE, fix)
    if by == "hash" or not (frozen or LABELLED.exists()):
        few = frozen.get("moved", {}) if frozen or not LABELLED.exists() else rare.moved(edges, load())
        return Plan(edges, moved=few)
    moments = [datetime.fromisoformat(text) for text in frozen["moments"]] if frozen else moments_of(settings.shares)
    return Plan(edges, moments, timedelta(days=settings.gap))


def moments_of(shares: dict[str, float]) -> list[datetime]:
    """Return the three moments at which the labelled records reach the shares of train, validation, calibration.

    Raises:
        UserError: if no record has a time, or all have nearly the same.
    """
    times = pl.scan_parquet(LABELLED).select("happened_at").drop_nulls().collect()["happened_at"].sort()
    moments, reached = [], 0.0
    for name in NAMES[:-1]:
        reached += shares[name]
        moments += [times[min(round(reached * len(times)), len(times) - 1)]] if len(times) else []
    if len(set(moments)) < len(NAMES) - 1:
        what = f"{len(times)} records have a time, at {times.n_unique()} different moments"
        raise UserError(f"by is time, and {what}", WHERE, "name the column with the time in product.yaml: data.time")
    return moments


def placed(frame: pl.DataFrame, plan: Plan) -> dict[str, pl.Series]:
    """Return for every split which records stand in it; a record may stand in none.

    A source that says train or test is believed: ``test`` is test, and the rest of the splits share ``train`` by hash.
    """
    chosen = masks(frame, plan.edges, plan.moved)
    if plan.moments:
        time, alone = frame["happened_at"], frame["group"].is_null()
        within = {name: ((time >= low) & (time < high)).fill_null(False) for name, (low, high) in plan.windows.items()}
        chosen = {name: mask & (alone | chosen[name]) for name, mask in within.items()}
    given = frame["given_split"]
    if given.null_count() < len(given):
        chosen = {
            name: pl.select(pl.when(given.is_null()).then(mask).otherwise(other)).to_series()
            for (name, mask), other in zip(chosen.items(), as_given(frame, plan).values(), strict=True)
        }
    return {name: chosen[name] for name in plan.edges}


def as_given(frame: pl.DataFrame, plan: Plan) -> dict[str, pl.Series]:
    """Return the masks of records whose source says train or test: the interval of test is shared by the others."""
    low = plan.edges["test"][1]
    inside = {n: (a - low, b - low) for n, (a, b) in plan.edges.items() if n != "test"}
    scaled = {name: (a / (1 - low), 1.0 if name == NAMES[0] else b / (1 - low)) for name, (a, b) in inside.items()}
    test = (frame["given_split"] == "test").fill_null(False)
    found = {name: mask & ~test for name, mask in masks(frame, scaled).items()}
    return {name: test if name == "test" else found[name] for name in plan.edges}
