"""What only people know, as keys of ``product.yaml``: which questions are open, and whose each of them is.

Reads and writes nothing. A question is a key whose field has a title, which names its owner; the schedule wants the day
``start``, and every step of the lifecycle a role. ``make check`` counts what is open, and the pages show it.
"""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import get_args

from fullstack_ml.product.cards import PRODUCT_OWNER
from fullstack_ml.product.types import Finding, Product, Step

START = "start"  # the day from which the weeks of ``schedule`` count
WEEK = re.compile(r"week (?P<en>\d+)|(?P<ko>\d+)주 ?차", re.IGNORECASE)  # "week 2", in the languages of the pages


def open_questions(product: Product) -> dict[str, str]:
    """Return the keys that nobody has answered, each with its owner, in the order of the file."""
    service = product.service
    parts = {"service": service, "service.serving": service.serving, "cards": product.cards}
    found = {}
    for place, part in parts.items():
        for name, field in type(part).model_fields.items():
            if field.title and getattr(part, name) in (None, ""):
                found[f"{place}.{name}"] = str(field.title)
    if START not in product.schedule:
        found[f"schedule.{START}"] = PRODUCT_OWNER
    return found | {f"roles.{step}": PRODUCT_OWNER for step in get_args(Step) if step not in product.roles}


def dated(schedule: dict[str, str]) -> list[tuple[str, str, date | None]]:
    """Return what is due, when as it is written, and the day where that is a date, or the last one of a week."""
    start = day_of(schedule.get(START, ""))
    rows = []
    for name, when in schedule.items():
        week = WEEK.fullmatch(when.strip())
        due = start + timedelta(weeks=int(week["en"] or week["ko"]), days=-1) if week and start else day_of(when)
        rows.append((name, when, due))
    return rows


def day_of(text: str) -> date | None:
    """Return a day written as 2026-12-01; None for another text."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None


def strange_schedule(product: Product) -> Iterator[Finding]:
    """Find a start that is no day."""
    text = product.schedule.get(START)
    if text is not None and day_of(text) is None:
        yield ("schedule", START), f"the schedule starts at {text!r}, which is no day", "write it as 2026-12-01"
