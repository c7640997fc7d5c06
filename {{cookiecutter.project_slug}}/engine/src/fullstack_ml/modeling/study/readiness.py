"""What is missing on the way to a first model: labels, test records, calibration records for the rule to abstain.

Reads ``product.yaml``, ``conf/split.yaml``, what ``label`` wrote, rounds, labels and ``dvc.lock``; writes nothing.
"""

import math
from dataclasses import dataclass
from typing import Any

import polars as pl
import yaml

from fullstack_ml.answers import answer_of
from fullstack_ml.pipeline.compose import keys_of_contract
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.files import read_json
from fullstack_ml.workspace.paths import AGREEMENT, CONF, CONTRACT, LABELLED, LABELS, LOCK, ROUNDS

TESTED = 20  # test records, below which a metric says nothing and the frozen split would stay that small for long
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


def came_home() -> int:
    """Count the labels of people that stage label has not seen yet."""
    there: int = sum(pl.scan_parquet(file).select(pl.len()).collect().item() for file in LABELS.glob("*.parquet"))
    counted: int = read_json(AGREEMENT)["labels"] if AGREEMENT.exists() else 0
    return max(0, there - counted)


def how_to_label() -> str:
    """Say which commands give labels: those that open a round, or that go on with one that has no labels yet."""
    waiting = {path.stem for path in ROUNDS.glob("*.json")} - {path.stem for path in LABELS.glob("*.parquet")}
    if waiting:
        return f"label round {max(waiting)}: make annotate, then make labels"
    return "label more: make round NAME=<name> N=<records>, make annotate, make labels"


def split_shares(chosen: int | None = None) -> dict[str, float]:
    """Return the shares of conf/split.yaml; of folds, there or ``chosen``, what calibrates and what is tested."""
    settings = yaml.safe_load((CONF / "split.yaml").read_text(encoding="utf-8"))
    folds: int = settings.get("folds", 0) if chosen is None else chosen
    shares: dict[str, float] = settings["shares"]
    return shares | {"calibration": 1 - 1 / folds, "test": 1.0} if folds > 1 else shares


def shortfalls(counts: dict[str, int], product: Product, shares: dict[str, float]) -> list[Shortfall]:
    """List what keeps ``counts`` labelled records from a first model."""
    total, collect = sum(counts.values()), how_to_label()
    if not total:
        return [Shortfall("no record has a label yet", collect)]
    known = {name for text, count in counts.items() if count for name in answer_of(product).named(text)}
    missing = [name for name in product.formulation.label_names if name not in known]
    found = []
    if missing:
        fix = "label some, or take the label out of product.yaml"
        found.append(Shortfall(f"no record has the label {', '.join(missing)}", fix))
    abstain = product.formulation.abstain
    folded = "" if shares["test"] == 1 else "set folds: 5 in conf/split.yaml, which tests and calibrates on all; or "
    if abstain:
        wanted = math.ceil(abstain.fewest / shares["calibration"])
        if total < wanted:
            rule = f"the rule to abstain wants {abstain.fewest} calibration records"
            what = f"{total} labels; {rule}, about {wanted} labels"
            relax = (
                f"{folded}relax coverage or false_alarms of formulation.abstain in product.yaml, or leave abstain out"
            )
            found.append(Shortfall(what, f"{collect}; or {relax}"))
    if total * shares["test"] < TESTED:
        held, wanted = round(total * shares["test"]), math.ceil(TESTED / shares["test"])
        what = f"{total} labels; about {held} would be the frozen test split, which wants {TESTED}: {wanted} labels"
        found.append(Shortfall(what, f"{collect}; or {folded}raise the share of test there, before the first run"))
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
