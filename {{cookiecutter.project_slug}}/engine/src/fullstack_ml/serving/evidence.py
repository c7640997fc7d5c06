"""What the prediction log says of champion and challenger: their rows, and a measure of each.

Reads the log; writes nothing. ``online.py`` and ``sites.py`` compare it.
"""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import func, select

from fullstack_ml.answers import Answer
from fullstack_ml.product.types import Plan, Product
from fullstack_ml.serving import comparison
from fullstack_ml.serving.comparison import BURN_IN, Difference, Outcome
from fullstack_ml.serving.schema import ABSTAIN
from fullstack_ml.serving.settings import Settings
from fullstack_ml.serving.store import time_prefix
from fullstack_ml.serving.tables import FEEDBACK, PREDICTIONS, make_engine
from fullstack_ml.workspace.errors import UserError


def measures(answer: Answer) -> dict[str, int]:
    """Name every measure, with 1 where more of it is better and -1 where less is; the answer's own comes first."""
    main = 1 if answer.METRICS[answer.MAIN].better == "higher" else -1
    return {answer.MAIN: main, "abstain_rate": -1, "latency_ms": -1}


def window_of(settings: Settings, arm: str) -> tuple[str, datetime] | None:
    """Return the newest version that ``arm`` served and the moment of its first answer; None where it gave none."""
    log = PREDICTIONS.c
    newest = select(log.model_version).where(log.arm == arm).order_by(log.prediction_id.desc()).limit(1)
    with make_engine(settings).connect() as connection:
        version = connection.execute(newest).scalar()
        mine = (log.arm == arm) & (log.model_version == version)
        start = connection.execute(select(func.min(log.requested_at)).where(mine)).scalar() if version else None
    return (version, start) if version and start else None


def rows(settings: Settings, since: datetime) -> list[dict[str, Any]]:
    """Return the rows of the log from ``since`` on, with the latest word of people on each, or None."""
    log, word = PREDICTIONS.c, FEEDBACK.c
    wanted: list[Any] = [log.prediction_id, log.arm, log.model_version, log.served, log.caller, log.requested_at]
    wanted += [log.answer, log.decision, log.latency_ms, word.answer.label("truth")]
    joined = PREDICTIONS.outerjoin(FEEDBACK, word.prediction_id == log.prediction_id)
    # Ids begin with the time, so that the primary key finds the window.
    recent = select(*wanted).select_from(joined).where(log.prediction_id >= time_prefix(since))
    with make_engine(settings).connect() as connection:
        records = connection.execution_options(yield_per=10_000).execute(recent.order_by(word.received_at)).mappings()
        return list({(row["prediction_id"], row["arm"]): dict(row) for row in records}.values())


def measured(found: list[dict[str, Any]], measure: str, answer: Answer) -> Outcome:
    """Return one measure of the rows that have it; only rows with a late answer have the answer's own."""
    values: Sequence[float] | np.ndarray
    if measure == answer.MAIN:
        found = [row for row in found if row["truth"] is not None]
        values = answer.judge([row["answer"] for row in found], [row["truth"] for row in found])
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


def plan_of(product: Product) -> Plan:
    """Return the plan of the contract.

    Raises:
        UserError: if the cell online-quantitative has none.
    """
    plans = [cell.plan for cell in product.evaluation if cell.cell == "online-quantitative" and cell.plan]
    if not plans:
        fix = "add plan: {test: sequential, detect: 0.03} to the cell online-quantitative"
        raise UserError("no plan says how an online comparison ends", "product.yaml, evaluation", fix)
    return plans[0]


def planned_size(old: list[dict[str, Any]], answer: Answer, plan: Plan) -> int:
    """Return how many records with a late answer the comparison needs, by what the champion's tell so far."""
    known = measured(old, answer.MAIN, answer).value
    if answer.METRICS[answer.MAIN].unit == "share":
        return comparison.sample_size(float(known.mean()) if len(known) else 0.5, plan.detect, plan.alpha, plan.power)
    variance = float(known.var()) if len(known) >= BURN_IN else math.nan
    if not math.isfinite(variance):
        return 2 * BURN_IN  # the variance has to be seen first
    return max(2 * BURN_IN, comparison.sample_size_of_means(variance, plan.detect, plan.alpha, plan.power))
