"""Stage ``validate``: stop the pipeline at the first raw record that ``product.yaml`` does not allow.

Reads ``data/raw`` and ``product.yaml``; writes ``reports/validation.json`` and fails when a rule is violated.
Run: ``python -m PACKAGE.data.validate``.
"""

from collections import Counter, defaultdict
from typing import Any

import polars as pl

from .. import task
from ..config import Config
from ..contract import load
from ..errors import UserError
from ..files import write_json
from ..paths import RAW, VALIDATION
from ..product import Product
from ..records import RECORD, read_batches, shards
from ..stage import stage

ROWS = 50_000


def violations(frame: pl.DataFrame, product: Product) -> list[tuple[str, str, str]]:
    """List (rule, record id, what is wrong) for a batch of raw records."""
    found: list[tuple[str, str, str]] = []
    allowed = {
        "source_label": product.formulation.label_names,
        "kind": [kind.name for kind in product.data.kinds],
        "licence": product.data.licences,
    }
    for column, values in allowed.items():
        bad = frame.filter(pl.col(column).is_not_null() & ~pl.col(column).is_in(values))
        found += [(column, i, f"{column} {v!r} is not in {values}") for i, v in bad.select("id", column).iter_rows()]
    out = [kind.name for kind in product.data.kinds if kind.scope == "out"]
    found += [("scope", i, f"kind {k!r} is out of scope") for i, k in _rows(frame, pl.col("kind").is_in(out), "kind")]
    for column in ("kind", "licence", "source"):
        found += [("missing", i, f"{column} is missing") for i, _ in _rows(frame, pl.col(column).is_null(), column)]
    return found + [("payload", record, what) for record, what in task.faults(frame, product)]


def _rows(frame: pl.DataFrame, mask: pl.Expr, column: str) -> list[tuple[Any, ...]]:
    """Return (id, value of ``column``) of the records that ``mask`` selects."""
    return frame.filter(mask).select("id", column).rows()


def schema_fault(frame: pl.DataFrame, product: Product) -> str | None:
    """Say which column of a shard is missing or has another type than the record schema states."""
    for name, kind in {**RECORD, **task.columns(product)}.items():
        if name not in frame.columns:
            return f"column {name!r} is missing"
        if frame.schema[name] != kind:
            return f"column {name!r} is {frame.schema[name]}, not {kind}"
    return None


def run(config: Config) -> None:
    """Check every shard; report counts per label and kind; fail with the record ids."""
    product = load()
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    counts: dict[str, Counter[str]] = {"source_label": Counter(), "kind": Counter()}
    total = 0
    for shard in shards(RAW):
        for frame in read_batches(shard, ROWS):
            fault = schema_fault(frame, product)
            if fault:
                raise UserError(fault, str(shard), "delete the folder data/raw and collect again")
            total += len(frame)
            for column, counter in counts.items():
                counter.update(str(value) for value in frame[column].drop_nulls())
            for rule, record, what in violations(frame, product):
                found[rule].append((record, what))
    wanted = {kind.name: kind.wanted for kind in product.data.kinds}
    report = {
        "valid": not found,
        "metrics": {"records": total},
        "labels": dict(sorted(counts["source_label"].items())),
        "kinds": {name: {"wanted": n, "found": counts["kind"][name]} for name, n in wanted.items()},
        "violations": {rule: len(rows) for rule, rows in found.items()},
        "examples": {rule: rows[: config.validate.max_reported] for rule, rows in found.items()},
    }
    write_json(VALIDATION, report)
    if found:
        rule, rows = next(iter(found.items()))
        ids = ", ".join(record[:12] for record, _ in rows[: config.validate.max_reported])
        what = f"{sum(map(len, found.values()))} violation(s) in {total} records; {rule}: {rows[0][1]}; records {ids}"
        raise UserError(what, f"{RAW}, see {VALIDATION}", "mend the source, or allow it in product.yaml")
    print(f"validate: {total} records keep product.yaml")


if __name__ == "__main__":
    stage(run)
