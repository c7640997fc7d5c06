"""Compare champion and challenger on what happened: late answers, abstentions, time to answer.

Reads the prediction log; writes ``reports/online.json``. How the comparison ends stands in product.yaml under
``evaluation``, in the plan of the cell online-quantitative. Run: ``make online``, or ``make online SINCE=2026-05-01``
for the difference in differences of a roll-out that began then.
"""

import math
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from fullstack_ml.answers import Answer, answer_of
from fullstack_ml.pages.formats import number as shown
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Plan, Product
from fullstack_ml.registry.versions import CHALLENGER, CHAMPION
from fullstack_ml.serving import comparison
from fullstack_ml.serving.comparison import BURN_IN, Difference, Outcome
from fullstack_ml.serving.schema import ABSTAIN
from fullstack_ml.serving.settings import Settings, read
from fullstack_ml.serving.store import said, time_prefix
from fullstack_ml.serving.tables import FEEDBACK, PREDICTIONS, make_engine
from fullstack_ml.workspace.errors import UserError, guard
from fullstack_ml.workspace.files import write_json
from fullstack_ml.workspace.paths import REPORTS

REPORT = REPORTS / "online.json"


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


def compare(found: list[dict[str, Any]], newest: str, start: datetime, plan: Plan, answer: Answer) -> dict[str, Any]:
    """Compare the challenger's newest version with the champion over the same time, by every measure."""
    new = [row for row in found if row["arm"] == CHALLENGER and row["model_version"] == newest]
    old = [row for row in found if row["arm"] == CHAMPION and row["requested_at"] >= start]
    shadow = not any(row["served"] for row in new)
    planned = planned_size(old, answer, plan)
    labelled = sum(row["truth"] is not None for row in new + old)
    found_by = {measure: one(new, old, measure, plan, planned, shadow, answer) for measure in measures(answer)}
    final = plan.test == "sequential" or labelled >= planned
    verdict = found_by[answer.MAIN]["verdict"] if final else f"open: {labelled} of {planned} planned answers"
    return {
        "mode": "shadow" if shadow else "canary",
        "test": plan.test,
        "challenger": newest,
        "champion": sorted({row["model_version"] for row in old}),
        "since": start.isoformat(),
        "labelled": labelled,
        "planned": planned,
        "main": answer.MAIN,
        "measures": found_by,
        "verdict": verdict,
    }


def one(
    new: list[Any], old: list[Any], measure: str, plan: Plan, planned: int, shadow: bool, answer: Answer
) -> dict[str, Any]:
    """Compare by one measure; in shadow both arms scored the same records, which makes the interval narrow."""
    horizon = planned if plan.test == "sequential" else None
    if shadow:
        by_id = {row["prediction_id"]: row for row in old}
        new = [row for row in new if row["prediction_id"] in by_id]
        old = [by_id[row["prediction_id"]] for row in new]
    a, b = measured(new, measure, answer), measured(old, measure, answer)
    if shadow:
        difference = comparison.paired(a.value, b.value, a.caller, plan.alpha, horizon)
    else:
        difference = comparison.between(a, b, plan.alpha, horizon)
    return {
        "challenger": number(comparison.mean(a).value),
        "champion": number(comparison.mean(b).value),
        **spelled(difference, measures(answer)[measure]),
    }


def roll_out(found: list[dict[str, Any]], since: datetime, plan: Plan, answer: Answer) -> dict[str, Any]:
    """Compare callers whom the challenger answers since ``since`` with the others: their change, not their level."""
    served = [row for row in found if row["served"]]
    before, after = ([row for row in served if (row["requested_at"] >= since) is late] for late in (False, True))
    treated = {row["caller"] for row in after if row["arm"] == CHALLENGER}
    found_by = {}
    for measure, sign in measures(answer).items():
        pair = measured(before, measure, answer), measured(after, measure, answer)
        difference = comparison.difference_in_differences(*pair, treated, plan.alpha)
        found_by[measure] = {
            "before": number(comparison.mean(pair[0]).value),
            "after": number(comparison.mean(pair[1]).value),
            **spelled(difference, sign),
        }
    verdict = found_by[answer.MAIN]["verdict"]
    head = {"mode": "before-after", "since": since.isoformat(), "treated_callers": len(treated)}
    return {**head, "main": answer.MAIN, "measures": found_by, "verdict": verdict}


def show(report: dict[str, Any], alpha: float) -> None:
    """Print a report for people."""
    left, right = ("before", "after") if report["mode"] == "before-after" else ("champion", "challenger")
    print(f"online: {report['mode']} since {report['since']}")
    print(f"  {'':<14}{left:>12}{right:>12}{'difference':>12}   {1 - alpha:.0%} interval")
    for name, row in report["measures"].items():
        numbers = [row[left], row[right], row["difference"], row["low"], row["high"]]
        text = ["-" if value is None else shown(value) for value in numbers]
        print(f"  {name:<14}{text[0]:>12}{text[1]:>12}{text[2]:>12}   {text[3]} to {text[4]}  {row['verdict']}")
    if "planned" in report:
        print(f"late answers: {report['labelled']} of {report['planned']} planned, test: {report['test']}")
    print(f"verdict on {report['main']}: {report['verdict']}; all of it in {REPORT}")


def of_arms(settings: Settings, plan: Plan, answer: Answer) -> dict[str, Any]:
    """Read the log since the challenger's newest version began, and compare."""
    window = window_of(settings, CHALLENGER)
    if window is None:
        fix = "register one, then wait for traffic"
        raise UserError("no challenger has scored a record", "the prediction log", fix)
    newest, start = window
    return compare(rows(settings, start), newest, start, plan, answer)


def roll_out_report(settings: Settings, since: datetime, plan: Plan, answer: Answer) -> dict[str, Any]:
    """Read the log from as long before ``since`` as has passed after it, and compare the two times."""
    begun = since if since.tzinfo else since.replace(tzinfo=UTC)
    return roll_out(rows(settings, begun - (datetime.now(UTC) - begun)), begun, plan, answer)


def main() -> None:
    """Compare, or explain why that is not possible yet."""
    settings, product = read(), load()
    plan, answer = plan_of(product), answer_of(product)
    try:
        since = datetime.fromisoformat(sys.argv[1]) if sys.argv[1:] else None
    except ValueError as error:
        raise UserError(f"SINCE={sys.argv[1]} is no date", "the command line", "write it as 2026-05-01") from error
    try:
        report = roll_out_report(settings, since, plan, answer) if since else of_arms(settings, plan, answer)
    except SQLAlchemyError as error:
        raise UserError(
            f"the log cannot be read: {said(error)}", "SERVE_DATABASE_URL", "make serve makes it"
        ) from error
    write_json(REPORT, report)
    show(report, plan.alpha)


if __name__ == "__main__":
    guard(main)
