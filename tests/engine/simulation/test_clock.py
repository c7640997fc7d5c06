"""The clock of the simulated month moves answers and what was said of them together, and loses none."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fullstack_ml.serving.settings import Settings
from fullstack_ml.serving.store import time_prefix
from fullstack_ml.serving.tables import FEEDBACK, METADATA, PREDICTIONS, make_engine
from fullstack_ml.simulation import clock

LOG = Path("predictions.db")


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sa.Engine:
    """A log with ten answers of now, of which the challenger scored each too, and a word on the first."""
    monkeypatch.chdir(tmp_path)
    made = make_engine(Settings())
    METADATA.create_all(made)
    now = datetime.now(UTC)
    row = {"requested_at": now, "model_name": "m", "model_version": "1", "caller": "c", "input_sha256": "0"}
    row |= {"decision": "accept", "latency_ms": 1.0}
    names = [time_prefix(now) + os.urandom(10).hex() for _ in range(10)]
    with made.begin() as connection:
        for name in names:
            for arm in ("champion", "challenger"):
                connection.execute(
                    sa.insert(PREDICTIONS).values(prediction_id=name, arm=arm, served=arm == "champion", **row)
                )
        said = {"prediction_id": names[0], "who": "w", "arm": "champion", "answer": "a", "how": "drawn"}
        connection.execute(sa.insert(FEEDBACK).values(received_at=now, **said))
    return made


def rows(engine: sa.Engine, table: Any) -> list[Any]:
    """Return what a table holds, in the order of ids."""
    with engine.connect() as connection:
        return list(connection.execute(sa.select(table).order_by("prediction_id")).mappings())


def test_a_week_is_spread_and_passes_with_all_that_was_said(engine: sa.Engine) -> None:
    names = [row["prediction_id"] for row in rows(engine, PREDICTIONS) if row["served"]]
    moved = clock.spread(LOG, names)
    found = rows(engine, PREDICTIONS)
    assert {row["prediction_id"] for row in found} == set(moved)
    assert len(found) == 20, "both arms of each"
    assert moved == sorted(moved), "in the order in which they were sent"
    for row in found:
        assert row["prediction_id"].startswith(time_prefix(row["requested_at"])), "the id and the time say the same"
    times = sorted(row["requested_at"] for row in found)
    assert timedelta(days=6) < times[-1] - times[0] < timedelta(days=7)
    assert times[-1] < datetime.now(UTC)
    (word,) = rows(engine, FEEDBACK)
    assert word["prediction_id"] in moved
    clock.pass_week(LOG)
    after = sorted(row["requested_at"] for row in rows(engine, PREDICTIONS))
    assert all(abs(old - new - clock.WEEK) < timedelta(milliseconds=2) for old, new in zip(times, after, strict=True))
    with engine.connect() as connection:
        joined = PREDICTIONS.join(FEEDBACK, FEEDBACK.c.prediction_id == PREDICTIONS.c.prediction_id)
        assert connection.execute(sa.select(sa.func.count()).select_from(joined)).scalar() == 2


def test_a_part_of_a_week_lies_within_it(engine: sa.Engine) -> None:
    names = [row["prediction_id"] for row in rows(engine, PREDICTIONS) if row["served"]]
    early, late = clock.spread(LOG, names[:5], 0.0, 0.4), clock.spread(LOG, names[5:], 0.4, 1.0)
    assert max(early) < min(late)
