"""What annotation took: hours and cost of each round, and what is over the budget."""

from datetime import UTC, datetime

import polars as pl
import pytest

from fullstack_ml.annotation.effort import by_round, spent
from fullstack_ml.pipeline.tables import LABEL
from fullstack_ml.product.types import Effort

PRICE = Effort(hourly_cost=30, budget=50, unit="EUR")


def label(one: str, who: str, day: int, seconds: float | None) -> dict[str, object]:
    when = datetime(2026, 1, day, tzinfo=UTC)
    fixed = {"id": "a", "label": "x", "guide_version": "1.0", "note": None}
    return {**fixed, "round": one, "annotator": who, "annotated_at": when, "seconds": seconds}


SAID = [label("second", "kim", 2, 1800), label("first", "kim", 1, 1200), label("first", "lee", 1, 2400)]


def test_hours_and_cost_of_every_round_the_first_one_first() -> None:
    rows = by_round(pl.DataFrame([*SAID, label("first", "kim", 1, None)], schema=LABEL), PRICE)
    assert [(row["round"], row["people"], row["labels"], row["timed"], row["hours"], row["cost"]) for row in rows] == [
        ("first", 2, 3, 2, 1.0, 30.0),
        ("second", 1, 1, 1, 0.5, 15.0),
    ]


@pytest.mark.parametrize(
    ("more", "price", "told"),
    [
        ([], None, "1.5 hours"),
        ([], PRICE, "1.5 hours, 45 of 50 EUR"),
        ([label("third", "kim", 3, 3600)], PRICE, "2.5 hours, 75 of 50 EUR: 25 over the budget"),
        ([label("third", "kim", 3, None)], None, "1.5 hours, not counted: 1 labels without a time"),
    ],
)
def test_what_all_rounds_took_against_the_budget(
    more: list[dict[str, object]], price: Effort | None, told: str
) -> None:
    assert spent(by_round(pl.DataFrame([*SAID, *more], schema=LABEL), price), price) == told
