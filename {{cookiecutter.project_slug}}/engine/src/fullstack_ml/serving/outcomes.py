"""What became of the predictions, from the log: right or wrong, answered or not, how fast.

Reads the prediction log; writes nothing.
"""

from typing import Any

import numpy as np
from sqlalchemy import select

from fullstack_ml.serving.comparison import Difference, Outcome
from fullstack_ml.serving.schema import ABSTAIN
from fullstack_ml.serving.settings import Settings
from fullstack_ml.serving.tables import FEEDBACK, PREDICTIONS, make_engine

# Each measure, and whether more of it is better.
MEASURES = {"accuracy": 1, "abstain_rate": -1, "latency_ms": -1}


def rows(settings: Settings) -> list[dict[str, Any]]:
    """Return every row of the log, with the latest word of people on it, or None."""
    log, word = PREDICTIONS.c, FEEDBACK.c
    wanted: list[Any] = [log.prediction_id, log.arm, log.model_version, log.served, log.caller, log.requested_at]
    wanted += [log.label, log.decision, log.latency_ms, word.label.label("truth")]
    joined = PREDICTIONS.outerjoin(FEEDBACK, word.prediction_id == log.prediction_id)
    with make_engine(settings).connect() as connection:
        found = connection.execute(select(*wanted).select_from(joined).order_by(word.received_at)).mappings()
        return list({(row["prediction_id"], row["arm"]): dict(row) for row in found}.values())


def measured(found: list[dict[str, Any]], measure: str) -> Outcome:
    """Return one measure of the rows that have it; only labelled rows have an accuracy."""
    if measure == "accuracy":
        found = [row for row in found if row["truth"] is not None]
        values = [row["label"] == row["truth"] for row in found]
    elif measure == "abstain_rate":
        values = [row["decision"] == ABSTAIN for row in found]
    else:
        values = [row["latency_ms"] for row in found]
    return Outcome(np.array(values, dtype=float), np.array([row["caller"] for row in found], dtype=str))


def spelled(difference: Difference, sign: int) -> dict[str, Any]:
    """Return a difference for a report; what is not measurable is null."""
    numbers = {"difference": difference.value, "low": difference.low, "high": difference.high}
    return {**{name: number(value) for name, value in numbers.items()}, "verdict": difference.verdict(sign)}


def number(value: float) -> float | None:
    """Return what JSON has a word for."""
    return value if np.isfinite(value) else None
