"""Compare champion and challenger on what happened: late answers, abstentions, time to answer.

Reads the prediction log; writes ``reports/online.json``. How the comparison ends stands in product.yaml under
``evaluation``, in the plan of the cell online-quantitative. Run: ``make online``, or ``make online SINCE=2026-05-01``
for the difference in differences of a roll-out by site that began then.
"""

import sys
from datetime import datetime
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from fullstack_ml.answers import Answer, answer_of
from fullstack_ml.pages.formats import number as shown
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Plan
from fullstack_ml.registry.versions import CHALLENGER, CHAMPION
from fullstack_ml.serving import comparison
from fullstack_ml.serving.evidence import measured, measures, number, plan_of, planned_size, rows, spelled, window_of
from fullstack_ml.serving.settings import Settings, read
from fullstack_ml.serving.sites import TRENDS, roll_out_report
from fullstack_ml.workspace.errors import UserError, first_line, guard
from fullstack_ml.workspace.files import write_json
from fullstack_ml.workspace.paths import REPORTS

REPORT = REPORTS / "online.json"


def by_mode(found: list[dict[str, Any]], newest: str, start: datetime) -> dict[str, list[dict[str, Any]]]:
    """Return the rows that tell the challenger's version from the champion: in ``shadow`` and in ``canary``.

    In shadow both scored the same records; in canary each answered callers of its own, from the first on whom the
    challenger fell. A mode in which it scored nothing is left out.
    """
    new = [row for row in found if row["arm"] == CHALLENGER and row["model_version"] == newest]
    old = [row for row in found if row["arm"] == CHAMPION and row["requested_at"] >= start]
    silent, answered = ([row for row in new if row["served"] is served] for served in (False, True))
    both = {row["prediction_id"] for row in silent}
    begun = min((row["requested_at"] for row in answered), default=None)
    champion = {
        "shadow": [row for row in old if row["prediction_id"] in both],
        "canary": [row for row in old if begun and row["requested_at"] >= begun and row["prediction_id"] not in both],
    }
    return {mode: rows + champion[mode] for mode, rows in (("shadow", silent), ("canary", answered)) if rows}


def compare(
    found: list[dict[str, Any]], mode: str, newest: str, start: datetime, plan: Plan, answer: Answer
) -> dict[str, Any]:
    """Compare the challenger's newest version with the champion in one mode of ``by_mode``, by every measure."""
    new, old = ([row for row in found if row["arm"] == arm] for arm in (CHALLENGER, CHAMPION))
    shadow = mode == "shadow"
    planned = planned_size(old, answer, plan)
    labelled = sum(row["truth"] is not None for row in new + old)
    found_by = {measure: one(new, old, measure, plan, planned, shadow, answer) for measure in measures(answer)}
    final = plan.test == "sequential" or labelled >= planned
    verdict = found_by[answer.MAIN]["verdict"] if final else f"open: {labelled} of {planned} planned answers"
    return {
        "mode": mode,
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


def difference_said(row: dict[str, Any]) -> str:
    """Say a difference with its interval."""
    value, low, high = ("-" if row[name] is None else shown(row[name]) for name in ("difference", "low", "high"))
    return f"{value} ({low} to {high})"


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
    if "alike_before" in report:
        print(TRENDS[report["alike_before"]["verdict"]])
    print(f"verdict on {report['main']}: {report['verdict']}; all of it in {REPORT}")


def of_arms(settings: Settings, plan: Plan, answer: Answer) -> dict[str, Any]:
    """Read the log since the challenger's newest version began, and compare."""
    window = window_of(settings, CHALLENGER)
    if window is None:
        fix = "register one, then wait for traffic"
        raise UserError("no challenger has scored a record", "the prediction log", fix)
    newest, start = window
    modes = by_mode(rows(settings, start), newest, start)
    mode = "canary" if "canary" in modes else "shadow"
    return compare(modes[mode], mode, newest, start, plan, answer)


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
            f"the log cannot be read: {first_line(error)}", "SERVE_DATABASE_URL", "make serve makes it"
        ) from error
    write_json(REPORT, report)
    show(report, plan.alpha)


if __name__ == "__main__":
    guard(main)
