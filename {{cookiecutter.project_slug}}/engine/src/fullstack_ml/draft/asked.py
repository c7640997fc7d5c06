"""The requirements that a draft asks for, each with its reason and what the quick model said of it.

Reads and writes nothing.
"""

from dataclasses import dataclass, field
from typing import Any

from fullstack_ml.draft.numbers import room
from fullstack_ml.pages.words import words

# Why a metric is asked for, whatever the answer is.
REASONS = {
    "accuracy": "ask what a person reaches",
    "answered_error": "users must be able to rely on an answer",
    "answered_share": "a model that always asks saves no work",
    "artefact_kib": "the page in the browser loads it",
    "collapse": "a model that never answers with one of the labels is useless",
    "ece": "its probabilities are used",
    "group_gap": "no part may be served much worse than another",
    "interval_coverage": "both ends of the interval are used",
    "interval_width": "a wide interval says nothing",
    "latency_p99_ms": "somebody waits for it",
    "macro_f1": "a model that never finds the rare labels must not ship",
    "mae": "ask how far off a person is",
    "margin_over_baseline": "a model that learned nothing must not ship",
    "micro_f1": "ask what a person reaches",
    "novelty_auroc": "what is no record of this product must be noticed",
    "novelty_false_alarms": "an alarm on a good record costs a look",
    "r2": "a model that learned nothing must not ship",
    "records": "fewer say little in the test split",
    "set_coverage": "the model answers where the candidates leave no doubt, so they may rarely miss the right label",
    "within_tolerance": "most answers have to be right",
    "worst_label_recall": "no label may be forgotten",
    "worst_slice_accuracy": "no part may be served badly",
    "worst_slice_mae": "no part may be served badly",
    "worst_slice_subset_accuracy": "no part may be served badly",
}


@dataclass
class Asked:
    """The rows of the contract, each with its reason, and what is not asked and why."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)

    def ask(self, metric: str, operator: str, threshold: float, unit: str, why: str) -> None:
        """Add a requirement, with the reason that its metric has."""
        number = f"R{len(self.rows) + 1}"
        owner = words("product owner") if unit in ("share", "units") else words("platform engineer")
        row = {"id": number, "metric": metric, "operator": operator, "threshold": threshold, "unit": unit}
        self.rows.append({"row": {**row, "owner": owner, "reason": words(REASONS[metric])}, "why": why})

    def leave(self, metrics: str, why: str) -> None:
        """Say why metrics are not asked for."""
        self.unasked.append(f"{metrics}: {why}")

    def at_least(self, metric: str, value: float, records: float, floor: float = 0.0) -> None:
        """Ask for a share that the quick model reached, less the room, and not below ``floor``."""
        threshold = round(max(floor, value - room(value, records)), 2)
        self.ask(metric, ">=", threshold, "share", words("the quick model reached %(value)s", value=f"{value:.3f}"))

    def at_most(self, metric: str, value: float, records: float) -> None:
        """Ask for a share that the quick model stayed below, with room."""
        threshold = round(min(1.0, value + room(value, records)), 2)
        self.ask(metric, "<=", threshold, "share", words("the quick model had %(value)s", value=f"{value:.3f}"))
