"""A server in this process, on the artefact of the drawn records and a database of its own."""

import base64
import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from starlette.testclient import TestClient

from fullstack_ml.inputs import input_of
from fullstack_ml.serving import app, settings

DATABASE = "predictions.db"


def setting(**values: Any) -> settings.Settings:
    """Settings as the environment would give them."""
    given = {"model": "models/model.onnx", "database_url": f"sqlite:///{DATABASE}", **values}
    return settings.Settings(**given)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests away."""
    for name in [name for name in os.environ if name.startswith("SERVE_")]:
        monkeypatch.delenv(name)


@contextlib.contextmanager
def serving(**values: Any) -> Iterator[TestClient]:
    """Serve the project of the working folder."""
    with TestClient(app.create_app(setting(**values)), "http://localhost", False) as client:
        yield client


@pytest.fixture
def serve(finished: Path) -> Callable[..., contextlib.AbstractContextManager[TestClient]]:
    """Return a server that is started with the given settings."""
    return serving


@pytest.fixture
def client(finished: Path) -> Iterator[TestClient]:
    """A server with the settings of a laptop."""
    with serving() as client:
        yield client


@pytest.fixture
def logged() -> Callable[[str], list[dict[str, Any]]]:
    """Return what a query finds in the log, read from the outside."""

    def query(sql: str = "SELECT * FROM predictions") -> list[dict[str, Any]]:
        with contextlib.closing(sqlite3.connect(DATABASE)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(sql)]

    return query


@pytest.fixture
def asked(records: pl.DataFrame, product: Any) -> Callable[[int], list[dict[str, Any]]]:
    """Return drawn records as a client would send them."""

    def first(count: int) -> list[dict[str, Any]]:
        rows = records.head(count).select(list(input_of(product).columns(product))).to_dicts()
        return [{"image": base64.b64encode(r["payload"]).decode()} if "payload" in r else r for r in rows]

    return first
