"""What stage ``validate`` found, counted shard by shard, and the report of it.

Reads ``data/raw``; writes nothing. Memory is bounded: of every rule some examples are kept.
"""

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import polars as pl

from fullstack_ml.answers import answer_of
from fullstack_ml.data.validate.checks import schema_fault, violations
from fullstack_ml.data.validate.personal import personal_data
from fullstack_ml.inputs import input_of
from fullstack_ml.pipeline.config import Validate
from fullstack_ml.pipeline.tables import read_batches
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import read_json
from fullstack_ml.workspace.paths import RAW

ROWS = 50_000


class Findings:
    """Counts and examples of what the shards hold; ``prints`` are the fingerprints of images."""

    def __init__(self, product: Product, settings: Validate) -> None:
        """Begin with nothing."""
        self.product, self.settings = product, settings
        self.broken: Counter[str] = Counter()
        self.personal: Counter[str] = Counter()
        self.examples: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
        self.counts: dict[str, Counter[str]] = {"source_label": Counter(), "kind": Counter()}
        self.total = self.faulty = self.ungrouped = 0
        self.prints = pl.DataFrame(schema={"id": pl.String, "group": pl.String, "fingerprint": pl.UInt64})

    def add(self, frame: pl.DataFrame) -> None:
        """Count a batch."""
        self.total += len(frame)
        self.ungrouped += frame["group"].null_count()
        for column, counter in self.counts.items():
            values = frame[column].drop_nulls().replace(self.product.formulation.renames)
            counter.update(dict(values.value_counts().iter_rows()))
        prints = input_of(self.product).fingerprints(frame, self.product)
        doubtful = frame if prints is None else frame.filter(prints.is_null())  # what has a fingerprint was read for it
        found, personal = violations(frame, doubtful, self.product), personal_data(frame)
        self.personal.update(f"{kind} in {column}" for _, column, kind in personal)
        if self.product.data.privacy != "personal":
            found += [("personal", record, f"{kind} in {column}") for record, column, kind in personal]
        faulty = {record for _, record, _ in found}
        self.faulty += len(faulty)
        place = pl.coalesce(pl.format("{} row {}", "source", "source_row"), "source")
        sources = dict(frame.filter(pl.col("id").is_in(list(faulty))).select("id", place).iter_rows())
        sources |= {record: None for record, column, _ in personal if column == "source"}  # which is not repeated
        for rule, record, what in found:
            self.violation(rule, what, record, sources[record] or "")
        if prints is not None:
            self.prints.vstack(frame.select("id", "group").with_columns(prints), in_place=True)

    def violation(self, rule: str, what: str, record: str = "", source: str = "") -> None:
        """Count one, of a record or of all together."""
        self.broken[rule] += 1
        if len(self.examples[rule]) < self.settings.max_reported:
            self.examples[rule].append((record, what, source))

    def merge(self, later: "Findings") -> None:
        """Add what another shard holds; the examples of this one go first."""
        self.total += later.total
        self.faulty += later.faulty
        self.ungrouped += later.ungrouped
        self.broken.update(later.broken)
        self.personal.update(later.personal)
        for column, counter in later.counts.items():
            self.counts[column].update(counter)
        for rule, rows in later.examples.items():
            self.examples[rule] += rows[: self.settings.max_reported - len(self.examples[rule])]
        self.prints = self.prints.vstack(later.prints)

    def too_few(self) -> None:
        """Count what the records are too few of, where conf/validate.yaml makes that a violation."""
        labels, kinds = by_label(self.counts["source_label"], self.product), self.counts["kind"]
        for kind in self.product.data.kinds:
            if self.settings.stop_below_wanted and kinds[kind.name] < kind.wanted:
                self.violation("wanted", f"{kinds[kind.name]} records of kind {kind.name}, wanted {kind.wanted}")
        for label in self.product.formulation.label_names:
            share, least = labels[label] / max(1, self.counts["source_label"].total()), self.settings.min_label_share
            if share < least:
                self.violation("balance", f"label {label} has the share {share:.3g}, wanted {least:g}")

    def report(self, near: pl.DataFrame) -> dict[str, Any]:
        """Return everything in the form of reports/validation.json; ``near`` are the near-duplicates."""
        most, labels, kinds = self.settings.max_reported, self.counts["source_label"], self.counts["kind"]
        wanted = {k.name: {"wanted": k.wanted, "found": kinds[k.name]} for k in self.product.data.kinds}
        refused = rejected()
        known, costs = [row for row in refused if row["id"]], self.product.data.costs.values()
        return {
            "valid": not self.broken,
            "metrics": {"records": self.total, "input_cost": sum(costs) if costs else None},
            **answers(labels, self.product),
            "kinds": wanted,
            "without_group": self.ungrouped,
            "violations": dict(self.broken.most_common()),
            "examples": {rule: self.examples[rule] for rule, _ in self.broken.most_common()},
            "personal_data": dict(self.personal),
            "exact_duplicates": {"under_another_group_or_label": len(known), "examples": known[:most]},
            "near_duplicates": {
                "pairs": len(near),
                "across_groups": int(near["group"].ne_missing(near["other_group"]).sum()),
                "examples": near.select("id", "other", "distance").head(most).rows(),
            },
            "rejected": dict(Counter(row["reason"] for row in refused).most_common(most)),
        }


def by_label(counts: Counter[str], product: Product) -> Counter[str]:
    """Count the records of every label, of which an answer may name several; what is none of them stays."""
    found, answer = Counter[str](), answer_of(product)
    for text, records in counts.items():
        for name in answer.named(text) or [text]:
            found[name] += records
    return found


def answers(counts: Counter[str], product: Product) -> dict[str, Any]:
    """Describe the answers of the source: how often each label is there, or between which numbers all lie."""
    if answer_of(product).SCALE != "interval" or not counts:
        counts = by_label(counts, product)
        balance = min(counts.values()) / max(counts.values()) if counts else None
        return {"labels": dict(sorted(counts.items())), "balance": balance, "numbers": None}
    known = pl.DataFrame({"text": list(counts), "count": list(counts.values())}).select(
        value=pl.col("text").cast(pl.Float64, strict=False), count="count"
    )
    ordered = known.drop_nulls().sort("value")
    half = ordered["count"].cum_sum() * 2 >= ordered["count"].sum()
    ends = {
        "low": ordered["value"].min(),
        "median": ordered["value"].filter(half).first(),
        "high": ordered["value"].max(),
    }
    found = {"records": counts.total(), "different": len(counts), **ends}
    return {"labels": {}, "balance": None, "numbers": found}


def check_shard(shard: Path, product: Product, settings: Validate) -> Findings:
    """Check one shard of raw records.

    Raises:
        UserError: if it is not there, or has another schema.
    """
    if not shard.exists():
        raise UserError(f"{shard.name} is listed and not there", str(RAW), "run dvc checkout, or collect again")
    findings = Findings(product, settings)
    for frame in read_batches(shard, ROWS):
        fault = schema_fault(frame, product)
        if fault:
            raise UserError(fault, str(shard), "rm -r data/raw data/raw.lock, then collect again")
        findings.add(frame)
    return findings


def rejected() -> list[dict[str, Any]]:
    """Return what stage ``collect`` could not store, from its manifest."""
    manifest = RAW / "manifest.json"
    found: list[dict[str, Any]] = read_json(manifest).get("rejected", []) if manifest.exists() else []
    return found
