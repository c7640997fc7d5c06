"""What is missing on the way to a first model: records, labels, calibration records for the rule to abstain.

Reads ``product.yaml``, ``conf/split.yaml``, ``data/labelled.parquet`` and ``dvc.lock``; writes nothing.
"""

import math
from dataclasses import dataclass
from typing import Any

import polars as pl
import yaml

from fullstack_ml.answers.label.rule import least_records
from fullstack_ml.pipeline.compose import keys_of_contract
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.paths import CONF, CONTRACT, LABELLED, LOCK

CHECKED = ("formulation.input", "formulation.answer")  # what makes two contracts different problems


@dataclass(frozen=True)
class Shortfall:
    """What is too little, and what to do: a sentence each."""

    what: str
    fix: str


def labelled() -> dict[str, int] | None:
    """Count the labelled records by label; None before stage label has run."""
    if not LABELLED.exists():
        return None
    counts = pl.scan_parquet(LABELLED).group_by("label").len().collect()
    return {str(label): int(count) for label, count in counts.iter_rows()}


def split_shares() -> dict[str, float]:
    """Return the shares of conf/split.yaml."""
    shares: dict[str, float] = yaml.safe_load((CONF / "split.yaml").read_text(encoding="utf-8"))["shares"]
    return shares


def shortfalls(counts: dict[str, int], product: Product, shares: dict[str, float]) -> list[Shortfall]:
    """List what keeps ``counts`` labelled records from a first model."""
    total, collect = sum(counts.values()), "label more: make round, make annotate, make labels"
    if not total:
        return [Shortfall("no record has a label yet", collect)]
    missing = [name for name in product.formulation.label_names if not counts.get(name)]
    found = []
    if missing:
        fix = "label some, or take the label out of product.yaml"
        found.append(Shortfall(f"no record has the label {', '.join(missing)}", fix))
    abstain = product.formulation.abstain
    if abstain:
        needed = least_records(max(abstain.coverage, 1 - abstain.false_alarms))
        wanted = math.ceil(needed / shares["calibration"])
        if total < wanted:
            what = f"{total} labels; the rule to abstain wants {needed} calibration records, about {wanted} labels"
            relax = "relax coverage or false_alarms of formulation.abstain in product.yaml, or leave abstain out"
            found.append(Shortfall(what, f"{collect}; or {relax}"))
    return found


def of_another_contract(acceptance: dict[str, Any], product: Product) -> bool:
    """Say whether verdicts were reached for other requirements, another input or other answers than the contract's."""
    keys = ("id", "metric", "slice", "operator", "threshold")
    judged = [tuple(row[key] for key in keys) for row in acceptance["verdicts"]]
    if judged != [tuple(getattr(row, key) for key in keys) for row in product.requirements]:
        return True
    lock = yaml.safe_load(LOCK.read_text(encoding="utf-8")) if LOCK.exists() else {}
    used = (lock or {}).get("stages", {}).get("evaluate", {}).get("params", {}).get(str(CONTRACT), {})
    now = keys_of_contract()
    return any(key in used and used[key] != now["formulation"][key.partition(".")[2]] for key in CHECKED)
