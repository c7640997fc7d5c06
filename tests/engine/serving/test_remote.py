"""Versions come from a tracking server over its REST API; one that is silent changes nothing."""

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from fullstack_ml.registry.versions import SHA256, Registry
from fullstack_ml.serving import deployment, settings

DATA = b"an artefact"


class Answers(BaseHTTPRequestHandler):
    """The answers of MLflow's own server to the three questions that are asked."""

    place = "mlflow-artifacts:/models/m-1/artifacts"
    known: str | None = None

    def do_GET(self) -> None:
        if self.headers["Authorization"] != self.known:
            return self.answer(403 if self.headers["Authorization"] else 401, b"")
        asked = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        if asked.path.endswith("registered-models/alias") and query["alias"] == "champion":
            tags = [{"key": SHA256, "value": hashlib.sha256(DATA).hexdigest()}]
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


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the registry and the user of whoever runs the tests away."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("MLFLOW_TRACKING_")]:
        monkeypatch.delenv(name)


def registry(uri: str, **variables: Any) -> Registry:
    """Return the registry that the settings name."""
    return deployment.remote_registry(settings.Settings(**{"MLFLOW_TRACKING_URI": uri, **variables}))


def test_the_champion_is_fetched_and_the_missing_challenger_is_not(uri: str, tmp_path: Path) -> None:
    assert deployment.bring(registry(uri), tmp_path) is None
    (arm, version), *others = deployment.fetched(tmp_path).items()
    assert (arm, version.version, others) == ("champion", "7", [])
    assert (tmp_path / version.file).read_bytes() == DATA


def test_artefacts_that_the_server_does_not_serve_are_named(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answers, "place", "s3://bucket/models")
    assert "s3://bucket/models" in (deployment.bring(registry(uri), tmp_path) or "")


def test_a_silent_server_leaves_what_was_fetched(uri: str, tmp_path: Path, refused: Any) -> None:
    deployment.bring(registry(uri), tmp_path)
    before = deployment.fetched(tmp_path)
    with refused("does not answer"):
        deployment.bring(registry("http://127.0.0.1:9"), tmp_path)
    assert deployment.fetched(tmp_path) == before


USER = {"MLFLOW_TRACKING_USERNAME": "Aladdin", "MLFLOW_TRACKING_PASSWORD": "open sesame"}
# The pair and its form are the example of RFC 7617, section 2.
SENT = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


@pytest.mark.parametrize(
    ("variables", "sent"), [(USER, SENT), ({"MLFLOW_TRACKING_TOKEN": "secret"}, "Bearer secret")], ids=["user", "token"]
)
@pytest.mark.parametrize("place", [".env", "the environment"])
def test_a_user_or_a_token_is_sent(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], sent: str, place: str
) -> None:
    monkeypatch.setattr(Answers, "known", sent)
    given = {"MLFLOW_TRACKING_URI": uri, **variables}
    if place == ".env":
        Path(".env").write_text("".join(f"{name}={value}\n" for name, value in given.items()), encoding="utf-8")
    else:
        for name, value in given.items():
            monkeypatch.setenv(name, value)
    read = settings.read()
    assert deployment.bring(deployment.remote_registry(read), tmp_path) is None
    assert list(deployment.fetched(tmp_path)) == ["champion"]
    assert not any(secret in repr(read) for secret in ("sesame", "secret"))


def test_a_user_goes_before_a_token_as_in_mlflow(uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answers, "known", SENT)
    assert deployment.bring(registry(uri, **USER, MLFLOW_TRACKING_TOKEN="token"), tmp_path) is None


def test_refused_credentials_are_no_silent_server(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Any
) -> None:
    monkeypatch.setattr(Answers, "known", SENT)
    with refused("refuses requests without credentials: HTTP Error 401", "MLFLOW_TRACKING_TOKEN", ".env"):
        deployment.bring(registry(uri), tmp_path)
    with refused("refuses these credentials: HTTP Error 403", "MLFLOW_TRACKING_TOKEN", ".env"):
        deployment.bring(registry(uri, MLFLOW_TRACKING_TOKEN="wrong"), tmp_path)
