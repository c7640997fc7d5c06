"""Agreement over time: a pilot under a better guide shows as such, and what is mixed up has a name."""

from datetime import UTC, datetime, timedelta
from functools import partial

import polars as pl
import pytest

from fullstack_ml.data.label import agreement, trend
from fullstack_ml.data.label.rounds import Round
from fullstack_ml.pipeline.tables import LABEL

START = datetime(2026, 1, 1, tzinfo=UTC)
ALPHA = partial(agreement.overall, names=["a", "b", "c"])


def pilot(name: str, guide: str, *rows: str) -> pl.DataFrame:
    """Let one annotator per row label a record per letter; records of different rounds differ."""
    found = [
        (f"{name}-{i}", label, f"annotator-{who}", name, guide, START + timedelta(minutes=i), 2.0, None)
        for who, row in enumerate(rows)
        for i, label in enumerate(row)
    ]
    return pl.DataFrame(found, schema=LABEL, orient="row")


def a_round(name: str, guide: str, made_at: str) -> Round:
    """Describe a pilot of 24 records."""
    items = {f"{name}-{i}": "random" for i in range(24)}
    return Round(name=name, kind="pilot", guide_version=guide, made_at=made_at, annotators=["x"], items=items)


POOR = pilot("pilot-1", "1.0", "ab" * 12, "ab" * 6 + "ba" * 6)
GOOD = pilot("pilot-2", "1.10", "ab" * 12, "ab" * 11 + "ac")
ROUNDS = {one.name: one for one in (a_round("pilot-1", "1.0", "1"), a_round("pilot-2", "1.10", "2"))}


def test_a_better_guide_shows_as_a_better_round_and_is_not_averaged_away() -> None:
    said = pl.concat([GOOD, POOR])
    first, second = trend.by_round(said, ROUNDS, ALPHA)
    assert (first["round"], second["round"]) == ("pilot-1", "pilot-2")
    assert first["alpha"] == pytest.approx(agreement.measure(POOR, ["a", "b", "c"])["alpha"]["alpha"])
    assert first["alpha"] < 0.1 < 0.9 < second["alpha"]
    assert (first["disagreements"], second["disagreements"], second["shared_records"]) == (12, 1, 24)
    assert [row["guide_version"] for row in trend.by_guide(said, ALPHA)] == ["1.0", "1.10"]
    now, versions = trend.judged(said, "1.10")
    assert versions == ["1.10"]
    assert set(now["round"]) == {"pilot-2"}


def test_a_few_records_under_the_newest_guide_are_not_taken_for_the_whole() -> None:
    few, some = (part.filter(pl.col("id").str.ends_with("1")) for part in (GOOD, POOR))  # 1, 11, 21
    assert trend.judged(pl.concat([few, POOR]), "1.10")[1] == ["1.0"]
    now, versions = trend.judged(pl.concat([few, some]), "1.10")
    assert (len(now), versions) == (12, ["1.0", "1.10"])


def test_a_round_is_measured_on_its_own_labels_whatever_came_after() -> None:
    again = pilot("pilot-1", "2.0", "ab" * 12).with_columns(round=pl.lit("check"))
    found = {row["round"]: row for row in trend.by_round(pl.concat([POOR, again]), ROUNDS, ALPHA)}
    assert found["pilot-1"]["shared_records"] == 24
    assert (found["check"]["shared_records"], found["check"]["alpha"]) == (0, None)


def test_answers_that_are_mixed_up_are_counted_by_record() -> None:
    assert trend.mixed_up(pl.concat([POOR, GOOD])) == [
        {"answers": ["a", "b"], "records": 12},
        {"answers": ["b", "c"], "records": 1},
    ]
