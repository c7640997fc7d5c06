"""Check that no split knows another: exact duplicates, shared groups, near-duplicate images.

Reads ``data/labelled.parquet`` and ``data/near_duplicates.parquet``, and places their records as stage ``split`` does,
so that the test split stays closed; writes ``reports/leakage.json``. Second command of stage ``split``.
Run: ``python -m fullstack_ml.data.split.leakage``.
"""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from fullstack_ml.data.split.place import NAMES
from fullstack_ml.data.split.when import COLUMNS, Plan, placed, plan_of
from fullstack_ml.data.store.index import Index, keys
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.pipeline.tables import read_batches
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import write_json
from fullstack_ml.workspace.paths import LABELLED, LEAKAGE, NEAR_DUPLICATES, SPLITS

ROWS = 250_000
NAMED = 20


def numbers(frame: pl.DataFrame, plan: Plan) -> np.ndarray:
    """Return the split of every record as the place of its name in ``NAMES``, after them for one in no split."""
    found = np.full(len(frame), len(NAMES), dtype=np.uint64)
    for name, mask in placed(frame, plan).items():
        found[mask.to_numpy()] = NAMES.index(name)
    return found


def shared(plan: Plan, folder: Path) -> dict[str, list[str]]:
    """List ids and groups that stand in more than one split."""
    indexes = {"id": Index(folder), "group": Index(folder)}
    found: dict[str, list[str]] = {name: [] for name in indexes}
    for frame in read_batches(LABELLED, ROWS, COLUMNS):
        split = numbers(frame, plan)
        placed_somewhere = split < len(NAMES)
        frame, split = frame.filter(pl.Series(placed_somewhere)), split[placed_somewhere]
        for name, index in indexes.items():
            present = frame[name].is_not_null().to_numpy()
            if present.any():
                part = frame.filter(pl.Series(present))[name]
                key = keys(part) if name == "id" else part.hash().to_numpy()
                elsewhere = index.sort_out(key, split[present])[1] != split[present]
                found[name] += part.filter(pl.Series(elsewhere)).unique(maintain_order=True).to_list()
    return found


def near(plan: Plan) -> pl.DataFrame:
    """Return the pairs of near-duplicates of which one stands in another split: id, other, distance, splits."""
    if not NEAR_DUPLICATES.exists():
        return pl.DataFrame(schema=["id", "other", "distance", "split", "other_split"])
    pairs = pl.read_parquet(NEAR_DUPLICATES)
    both = pl.col("id").is_in(pairs["id"].unique().to_list()) | pl.col("id").is_in(pairs["other"].unique().to_list())
    known = pl.scan_parquet(LABELLED).select("id").filter(both).collect()  # what has no label is in no split
    pairs = pairs.join(known, on="id", how="semi").join(known, left_on="other", right_on="id", how="semi")
    ends = [pairs.select("id", "group"), pairs.select(id="other", group="other_group")]
    nothing = {"happened_at": pl.lit(None, pl.Datetime("us")), "given_split": pl.lit(None, pl.String)}
    by_hash = Plan(plan.edges, moved=plan.moved)  # pictures have no time
    first, second = (pl.Series(NAMES).gather(numbers(end.with_columns(**nothing), by_hash)) for end in ends)
    return pairs.with_columns(split=first, other_split=second).filter(pl.col("split") != pl.col("other_split"))


def near_folds() -> pl.DataFrame:
    """Return the pairs of near-duplicates of which one stands in another fold, as ``near`` does."""
    fold = pl.read_parquet(SPLITS / "folds.parquet").select("id", split=pl.format("fold {}", "fold"))
    pairs = pl.read_parquet(NEAR_DUPLICATES).join(fold, on="id")
    pairs = pairs.join(fold.rename({"id": "other", "split": "other_split"}), on="other")
    return pairs.filter(pl.col("split") != pl.col("other_split"))


def run(config: Config) -> None:
    """Report what leaks; stop for what must never happen, and for near-duplicates where conf/split.yaml says so."""
    plan = plan_of(config.split)
    exact, pairs = shared(plan, LABELLED.parent), near_folds() if config.split.folds else near(plan)
    report: dict[str, Any] = {
        "exact_duplicates": len(exact["id"]),
        "shared_groups": len(exact["group"]),
        "near_duplicates": len(pairs),
        "near_duplicates_of_test": len(pairs.filter((pl.col("split") == "test") | (pl.col("other_split") == "test"))),
        "examples": {
            "exact_duplicates": exact["id"][:NAMED],
            "near_duplicates": pairs.select("id", "other", "distance", "split", "other_split").head(NAMED).rows(),
        },
    }
    write_json(LEAKAGE, report)
    stops = ["exact_duplicates", "shared_groups"]
    stops += ["near_duplicates"] if config.split.stop_at_near_duplicates else []
    broken = [name for name in stops if report[name]]
    if broken:
        said = ", ".join(f"{report[name]} {name.replace('_', ' ')}" for name in broken)
        fix = "give near-duplicates one group, so that they stand in one split, and collect again"
        raise UserError(f"splits share records: {said}", str(LEAKAGE), fix)
    alike = f"; {len(pairs)} pairs of records in two splits look alike" if len(pairs) else ""
    print(f"leakage: no record or group is in two splits{alike}")


if __name__ == "__main__":
    stage(run)
