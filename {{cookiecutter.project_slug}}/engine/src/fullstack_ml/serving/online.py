"""Compare champion and challenger on what happened: late answers, abstentions, time to answer.

Reads the prediction log; writes ``reports/online.json``. How the comparison ends stands in product.yaml under
``evaluation``, in the plan of the cell online-quantitative. Run: ``make online``, or ``make online SINCE=2026-05-01``
for the difference in differences of a roll-out that began then.
"""

import math
import sys
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from fullstack_ml.answers import Answer, answer_of
from fullstack_ml.pages.formats import number as shown
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Plan, Product
from fullstack_ml.registry.versions import CHALLENGER, CHAMPION
from fullstack_ml.serving.comparison import (
    BURN_IN,
    between,
    difference_in_differences,
    mean,
    paired,
    sample_size,
    sample_size_of_means,
)
from fullstack_ml.serving.outcomes import measured, measures, number, rows, spelled, window_of
from fullstack_ml.serving.settings import Settings, read
from fullstack_ml.serving.writer import said
from fullstack_ml.workspace.errors import UserError, guard
from fullstack_ml.workspace.files import write_json
from fullstack_ml.workspace.paths import REPORTS

REPORT = REPORTS / "online.json"


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
        return sample_size(float(known.mean()) if len(known) else 0.5, plan.detect, plan.alpha, plan.power)
    variance = float(known.var()) if len(known) >= BURN_IN else math.nan
    if not math.isfinite(variance):
        return 2 * BURN_IN  # the variance has to be seen first
    return max(2 * BURN_IN, sample_size_of_means(variance, plan.detect, plan.alpha, plan.power))


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
        difference = paired(a.value, b.value, a.caller, plan.alpha, horizon)
    else:
        difference = between(a, b, plan.alpha, horizon)
    return {
        "challenger": number(mean(a).value),
        "champion": number(mean(b).value),
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
        difference = difference_in_differences(*pair, treated, plan.alpha)
        found_by[measure] = {
            "before": number(mean(pair[0]).value),
            "after": number(mean(pair[1]).value),
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


def comparison(settings: Settings, plan: Plan, answer: Answer) -> dict[str, Any]:
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
        report = roll_out_report(settings, since, plan, answer) if since else comparison(settings, plan, answer)
    except SQLAlchemyError as error:
        raise UserError(
            f"the log cannot be read: {said(error)}", "SERVE_DATABASE_URL", "make serve makes it"
        ) from error
    write_json(REPORT, report)
    show(report, plan.alpha)


if __name__ == "__main__":
    guard(main)
