"""A database that is locked, full or gone: no answer without a row, and the server says that it is not ready."""

import contextlib
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

from fullstack_ml.serving import answers, settings, store, tables

Asked = Callable[[int], list[dict[str, Any]]]
DATABASE = Path("predictions.db")


def codes(client: TestClient, asked: Asked) -> list[int]:
    """Ask for a prediction, for readiness and for life."""
    predicted = client.post("/v1/predict", json={"records": asked(1)})
    return [predicted.status_code, client.get("/readyz").status_code, client.get("/healthz").status_code]


def test_a_locked_log_is_not_answered_past(serve: Any, asked: Asked, logged: Any) -> None:
    with (
        serve(lock_seconds=0.2) as client,
        contextlib.closing(sqlite3.connect(DATABASE, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        assert codes(client, asked) == [503, 503, 200]
        other.execute("ROLLBACK")
        assert logged() == []
        assert codes(client, asked) == [200, 200, 200]
        assert len(logged()) == 1


def test_a_deleted_log_is_not_written_to(client: TestClient, asked: Asked) -> None:
    assert codes(client, asked) == [200, 200, 200]
    DATABASE.unlink()
    assert codes(client, asked) == [503, 503, 200]
    assert not DATABASE.exists()


def test_a_full_log_is_not_answered_past(serve: Any, asked: Asked, logged: Any, monkeypatch: Any) -> None:
    whole = tables.make_engine

    def small(given: Any) -> Any:
        engine = whole(given)
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count=16"))
        return engine

    monkeypatch.setattr(store, "make_engine", small)
    with serve() as client:
        found = [client.post("/v1/predict", json={"records": asked(50)}) for _ in range(4)]
        assert found[-1].status_code == 503
        assert "full" in found[-1].json()["detail"]
        assert client.get("/healthz").status_code == 200
    acknowledged = [p["prediction_id"] for a in found if a.status_code == 200 for p in a.json()["predictions"]]
    assert sorted(row["prediction_id"] for row in logged()) == sorted(acknowledged)


def test_a_log_that_cannot_be_opened_leaves_the_server_alive(serve: Any, asked: Asked) -> None:
    with serve(database_url="sqlite:///no/such/folder/predictions.db") as client:
        assert codes(client, asked) == [503, 503, 200]
        Path("no/such/folder").mkdir(parents=True)
        assert client.get("/readyz").status_code == 200
        assert client.post("/v1/predict", json={"records": asked(1)}).status_code == 200


def gauge(client: TestClient) -> str:
    """Return what /metrics says of readiness."""
    text: str = client.get("/metrics").text
    return next(line for line in text.splitlines() if line.startswith("ready "))


def test_the_gauge_knows_readiness_without_a_probe(serve: Any) -> None:
    with serve() as client:
        assert gauge(client) == "ready 1.0"
        DATABASE.unlink()
        assert client.get("/readyz").status_code == 503
        assert gauge(client) == "ready 0.0"
    with serve(database_url="sqlite:///no/such/folder/predictions.db") as client:
        assert gauge(client) == "ready 0.0"
        Path("no/such/folder").mkdir(parents=True)
        assert client.get("/readyz").status_code == 200
        assert gauge(client) == "ready 1.0"
    with serve(model="registry") as client:
        assert gauge(client) == "ready 0.0"


def test_what_is_older_than_the_contract_allows_is_deleted(
    client: TestClient, asked: Asked, logged: Any, product: Any
) -> None:
    answer = client.post("/v1/predict", json={"records": asked(1)}).json()["predictions"][0]
    label = product.formulation.label_names[0]
    (row,) = logged()
    old = answers.new_id(datetime.now(UTC) - timedelta(days=10))
    with contextlib.closing(sqlite3.connect(DATABASE)) as connection:
        row["prediction_id"] = old
        marks = ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO predictions ({', '.join(row)}) VALUES ({marks})", list(row.values()))
        connection.commit()
    for prediction_id in (old, answer["prediction_id"]):
        client.post("/v1/feedback", json={"prediction_id": prediction_id, "answer": label, "who": "reviewer"})
    kept = store.Store(settings.Settings())
    assert kept.forget_older_than(9) == 1
    assert [found["prediction_id"] for found in logged()] == [answer["prediction_id"]]
    assert [found["prediction_id"] for found in logged("SELECT * FROM feedback")] == [answer["prediction_id"]]


@pytest.mark.parametrize("wait", [True, False])
def test_a_batch_is_written_whole_or_not_at_all(finished: Path, logged: Any, wait: bool) -> None:
    log = store.Store(settings.Settings())
    log.open()
    names = ("moment", "name", "version", True, "caller", "sha", None, "label", "accept", None, "{}", 0.0, 1.0)
    good, bad = ("a" * 32, "champion", *names), ("b" * 32, "champion", *names[:2], None, *names[3:])
    with pytest.raises(store.LogUnavailable):
        log.writer.append([good, bad], wait)
    assert logged() == []
    log.writer.append([good], wait)
    assert len(logged()) == 1
    log.close()
