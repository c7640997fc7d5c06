"""Versions come from a tracking server over its REST API; one that is silent changes nothing."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from {{cookiecutter.__package}}.serving import fetch, remote

DATA = b"an artefact"


class Answers(BaseHTTPRequestHandler):
    """The answers of MLflow's own server to the three questions that are asked."""

    place = "mlflow-artifacts:/models/m-1/artifacts"

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        if asked.path.endswith("registered-models/alias") and query["alias"] == "champion":
            tags = [{"key": fetch.TAG, "value": hashlib.sha256(DATA).hexdigest()}]
            self.answer(200, json.dumps({"model_version": {"version": "7", "tags": tags}}).encode())
        elif asked.path.endswith("get-download-uri"):
            self.answer(200, json.dumps({"artifact_uri": self.place}).encode())
        elif asked.path.endswith("/mlflow-artifacts/artifacts/models/m-1/artifacts/model.onnx"):
            self.answer(200, DATA)
        else:
            self.answer(400, b'{"error_code": "INVALID_PARAMETER_VALUE"}')

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def uri() -> Iterator[str]:
    """A tracking server with one version, which is champion."""
    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_champion_is_fetched_and_the_missing_challenger_is_not(uri: str, tmp_path: Path) -> None:
    assert fetch.bring(remote.RestRegistry(uri), tmp_path) is None
    (arm, version), *others = fetch.read(tmp_path).items()
    assert (arm, version.version, others) == ("champion", "7", [])
    assert (tmp_path / version.file).read_bytes() == DATA


def test_artefacts_that_the_server_does_not_serve_are_named(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answers, "place", "s3://bucket/models")
    assert "s3://bucket/models" in (fetch.bring(remote.RestRegistry(uri), tmp_path) or "")


def test_a_silent_server_leaves_what_was_fetched(uri: str, tmp_path: Path, refused: Any) -> None:
    fetch.bring(remote.RestRegistry(uri), tmp_path)
    before = fetch.read(tmp_path)
    with refused("does not answer"):
        fetch.bring(remote.RestRegistry("http://127.0.0.1:9"), tmp_path)
    assert fetch.read(tmp_path) == before


def test_a_user_or_a_token_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "Aladdin")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "open sesame")
    # The pair and its form are the example of RFC 7617, section 2.
    assert remote.authorization() == {"Authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "token")
    assert remote.authorization() == {"Authorization": "Bearer token"}
