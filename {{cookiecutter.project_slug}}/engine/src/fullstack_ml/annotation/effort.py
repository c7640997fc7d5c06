"""What annotation took: hours and cost of every round, against the budget in ``product.yaml``.

Reads and writes nothing. Takes tables of ``tables.LABEL``; an hour costs what ``annotation.hourly_cost`` says.
"""

from typing import Any

import polars as pl

from fullstack_ml.pages.words import words
from fullstack_ml.product.types import Effort

HOUR = 3600


def by_round(labels: pl.DataFrame, price: Effort | None) -> list[dict[str, Any]]:
    """Return labels, ``timed`` ones among them, hours and cost per round, in the order in which they were labelled."""
    grouped = labels.group_by("round").agg(
        since=pl.col("annotated_at").min(),
        people=pl.col("annotator").n_unique(),
        labels=pl.len(),
        timed=pl.col("seconds").count(),
        hours=pl.col("seconds").sum() / HOUR,
    )
    cost = None if price is None else pl.col("hours") * price.hourly_cost
    return grouped.sort("since", "round").drop("since").with_columns(cost=cost).to_dicts()


def spent(rounds: list[dict[str, Any]], price: Effort | None) -> str:
    """Say in one line what all rounds took, and what is left."""
    hours, untimed = sum(row["hours"] for row in rounds), sum(row["labels"] - row["timed"] for row in rounds)
    told = words("%(hours)s hours", hours=f"{hours:.1f}")
    if price is not None:
        cost = hours * price.hourly_cost
        budget = f"{price.budget:,.0f}"
        told += words(", %(cost)s of %(budget)s %(unit)s", cost=f"{cost:,.0f}", budget=budget, unit=price.unit)
        over = f"{cost - price.budget:,.0f}"
        told += words(": %(over)s over the budget", over=over) if cost > price.budget else ""
    return told + (words(", not counted: %(count)s labels without a time", count=untimed) if untimed else "")
