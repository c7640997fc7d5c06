"""Every request is scored once, whatever the log does; and nothing is kept for ever."""

import asyncio
import hashlib
import json
import math
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from fullstack_ml.registry.versions import SHA256, Version
from fullstack_ml.serving import app, deployment, model, scorer, service, settings, store

Asked = Callable[[int], list[dict[str, Any]]]


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the records of every call of the model."""
    counts: list[int] = []
    whole = model.Served.score

    def score(self: model.Served, inputs: Any) -> model.Scores:
        counts.append(len(inputs))
        return whole(self, inputs)

    monkeypatch.setattr(model.Served, "score", score)
    return counts


def test_a_log_across_a_network_costs_no_second_score(
    serve: Any, asked: Asked, scored: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.Writer, "quick", False)  # as for a database server
    with serve() as client:
        scored.clear()
        assert client.post("/v1/predict", json={"records": asked(3)}).status_code == 200
    assert scored == [3]


def test_a_locked_log_is_waited_for_with_the_scores_that_are_there(
    client: TestClient, asked: Asked, scored: list[int], logged: Any
) -> None:
    client.post("/v1/predict", json={"records": asked(1)})
    scored.clear()
    with closing(sqlite3.connect("predictions.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        # Longer than the server waits for a lock: the answer is refused, and the model was asked once.
        assert client.post("/v1/predict", json={"records": asked(2)}).status_code == 503
    assert scored == [2]
    assert client.post("/v1/predict", json={"records": asked(2)}).status_code == 200
    assert scored == [2, 2]
    assert len(logged()) == 3


def test_what_waits_is_answered_in_batches_before_the_server_ends(
    serve: Any, asked: Asked, scored: list[int], logged: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.Writer, "quick", False)
    monkeypatch.setattr(scorer, "BATCH_ROWS", 4)
    running = app.create_app(settings.Settings(model="models/model.onnx")).service
    decoded = [
        running.decode(running.input.opened(running.types.request(records=asked(n)).records)[1], math.inf)
        for n in (3, 2, 1)
    ]

    async def ask() -> list[bytes]:
        running.open()
        given_up, *waiting = (
            asyncio.create_task(running.scorer.submit(one, "me", 0.0)) for one in (decoded[0], *decoded)
        )
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait_for(running.close(), 30)
        return await asyncio.gather(*waiting)

    answers = asyncio.run(ask())
    assert [len(json.loads(answer)["predictions"]) for answer in answers] == [3, 2, 1]
    assert scored == [5, 1]
    assert len(logged()) == 6


def test_a_server_forgets_when_it_starts_however_often_it_is_restarted(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten: list[float] = []
    monkeypatch.setattr(service.Service, "forget", lambda self: forgotten.append(time.monotonic()))
    for restarts in (1, 2):
        with serve() as client:
            client.get("/readyz")
        assert len(forgotten) == restarts
    assert app.RETENTION_SECONDS == 3600


class Shelf:
    """A registry of versions that are their own number."""

    name = "product"

    def __init__(self) -> None:
        """Start without a version."""
        self.number = 0

    def holder(self, alias: str) -> Version | None:
        """Return the newest version as champion."""
        digest = hashlib.sha256(self.artefact("")).hexdigest()
        return Version(str(self.number), {SHA256: digest}) if alias == "champion" else None

    def artefact(self, version: str) -> bytes:
        """Return the file of the newest version."""
        return f"version {self.number}".encode()


def test_the_served_folder_keeps_what_is_served_and_a_few_before(tmp_path: Path) -> None:
    shelf: Any = Shelf()
    for number in range(10):
        shelf.number = number
        deployment.bring(shelf, tmp_path)
    kept = {path.read_text() for path in tmp_path.glob("*.onnx")}
    assert "version 9" in kept
    assert "version 8" in kept
    assert len(kept) == 1 + deployment.KEPT
