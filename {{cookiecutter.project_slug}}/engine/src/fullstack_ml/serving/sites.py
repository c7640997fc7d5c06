"""Compare the time before and after a roll-out by site, where callers cannot be drawn: difference in differences.

Reads the prediction log; writes nothing. ``make online SINCE=2026-05-01`` shows it.
"""

import math
from datetime import UTC, datetime
from typing import Any

from fullstack_ml.answers import Answer
from fullstack_ml.product.types import Plan
from fullstack_ml.registry.versions import CHALLENGER
from fullstack_ml.serving import comparison
from fullstack_ml.serving.comparison import Difference
from fullstack_ml.serving.evidence import measured, measures, number, rows, spelled
from fullstack_ml.serving.settings import Settings

TRENDS = {
    "yes": "before the roll-out both groups changed alike, as far as can be seen: the change is the challenger's",
    "no": "both groups changed differently before the roll-out already: the change says nothing of the challenger",
    "unknown": "too few callers were seen before the roll-out to tell whether both groups changed alike",
}


def roll_out(found: list[dict[str, Any]], since: datetime, plan: Plan, answer: Answer) -> dict[str, Any]:
    """Compare callers whom the challenger answers since ``since`` with the others: their change, not their level.

    That says something of the challenger only if both would have changed alike without it. What can be seen of that is
    whether they changed alike before: from the first half of that time to the second.
    """
    served = [row for row in found if row["served"]]
    before, after = ([row for row in served if (row["requested_at"] >= since) is late] for late in (False, True))
    treated = {row["caller"] for row in after if row["arm"] == CHALLENGER}
    first = min((row["requested_at"] for row in before), default=since)
    middle = first + (since - first) / 2
    halves = [[row for row in before if (row["requested_at"] >= middle) is late] for late in (False, True)]
    found_by = {}
    for measure, sign in measures(answer).items():
        pair = measured(before, measure, answer), measured(after, measure, answer)
        difference = comparison.difference_in_differences(*pair, treated, plan.alpha)
        found_by[measure] = {
            "before": number(comparison.mean(pair[0]).value),
            "after": number(comparison.mean(pair[1]).value),
            **spelled(difference, sign),
        }
    earlier = [measured(half, answer.MAIN, answer) for half in halves]
    trend = comparison.difference_in_differences(earlier[0], earlier[1], treated, plan.alpha)
    verdict = found_by[answer.MAIN]["verdict"] if alike(trend) != "no" else "open: the groups moved apart before"
    head = {"mode": "before-after", "since": since.isoformat(), "treated_callers": len(treated)}
    return {
        **head,
        "main": answer.MAIN,
        "measures": found_by,
        "alike_before": {**spelled(trend, 1), "verdict": alike(trend)},
        "verdict": verdict,
    }


def alike(trend: Difference) -> str:
    """Say whether two groups changed alike: ``yes``, ``no``, or ``unknown`` where too few callers are seen."""
    return "unknown" if not math.isfinite(trend.high) else "no" if trend.low > 0 or trend.high < 0 else "yes"


def roll_out_report(settings: Settings, since: datetime, plan: Plan, answer: Answer) -> dict[str, Any]:
    """Read the log from as long before ``since`` as has passed after it, and compare the two times."""
    begun = since if since.tzinfo else since.replace(tzinfo=UTC)
    return roll_out(rows(settings, begun - (datetime.now(UTC) - begun)), begun, plan, answer)
