"""One registry, two ways to ask it: a real tracking server over REST, and MLflow's client of the same server."""

import hashlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest

from fullstack_ml.registry import tracking
from fullstack_ml.registry.rest import RestRegistry, authorization
from fullstack_ml.registry.versions import BEFORE, CHALLENGER, CHAMPION, ROLLED_BACK, Registry, model_name
from fullstack_ml.workspace.errors import UserError

pytestmark = pytest.mark.task("tabular-classification")
PATIENCE = 120


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A tracking server of MLflow on this machine, which serves artefacts."""
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    uri = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    stores = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "files")]
    with subprocess.Popen(
        [*command, *stores], cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(f"{uri}/health", timeout=1).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < end
        yield uri
        process.terminate()


@pytest.fixture(params=["rest", "client"])
def registry(
    request: pytest.FixtureRequest, server: str, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Registry]:
    """A registry with three versions of the artefact, of which the first is champion."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    mlflow = tracking.connect()
    client: Any = mlflow.MlflowClient()
    name = model_name()
    with mlflow.start_run():
        model = onnx.load("models/model.onnx")
        mlflow.onnx.log_model(
            model, name="model", pip_requirements=[], save_as_external_data=False, registered_model_name=name
        )
    first = client.get_model_version(name, "1")
    for _ in range(2):  # of the same file, since to log it takes seconds
        client.create_model_version(name, first.source, first.run_id, model_id=first.source.rpartition("/")[2])
    for number in (1, 2, 3):
        client.set_model_version_tag(name, str(number), "verdict", "rejected" if number == 3 else "accepted")
    client.set_registered_model_alias(name, CHAMPION, "1")
    yield RestRegistry(server) if request.param == "rest" else tracking.ClientRegistry(mlflow)
    client.delete_registered_model(name)


def test_versions_aliases_tags_and_the_file_are_read(registry: Registry) -> None:
    assert registry.aliases() == {CHAMPION: "1"}
    assert [version.number for version in registry.versions()] == ["1", "2", "3"]
    assert registry.accepted() == ["1", "2"]
    holder = registry.holder(CHAMPION)
    assert holder == registry.find("champion") == registry.find("1")
    assert holder and holder.tags["verdict"] == "accepted" and len(holder.run_id) == 32
    assert registry.holder(CHALLENGER) is None
    assert hashlib.sha256(registry.artefact("1")).digest() == hashlib.sha256(registry.artefact("2")).digest()
    assert onnx.load_from_string(registry.artefact("1")).graph.output
    with pytest.raises(UserError, match="no version '9'"):
        registry.find("9")


def test_a_champion_remembers_the_one_before_and_a_step_back_is_marked(registry: Registry) -> None:
    registry.set_alias(CHALLENGER, "2")
    assert registry.crown("2") == "1"
    assert registry.aliases() == {CHAMPION: "2"}
    assert registry.find("2").tags[BEFORE] == "1"
    assert registry.crown("1", back=True) == "2"
    assert registry.aliases() == {CHAMPION: "1"}
    assert ROLLED_BACK in registry.find("2").tags
    registry.crown("2")
    assert ROLLED_BACK not in registry.find("2").tags


def test_without_a_version_there_is_none(server: str, project: Path) -> None:
    empty = RestRegistry(server)
    assert (empty.aliases(), empty.versions(), empty.holder(CHAMPION)) == ({}, [], None)


def test_a_server_that_is_silent_is_said_in_three_lines(project: Path) -> None:
    with pytest.raises(UserError, match="does not answer"):
        RestRegistry("http://127.0.0.1:9").aliases()


def test_the_user_comes_before_the_token_as_in_the_client() -> None:
    assert authorization("ana", "secret", "token") == {"Authorization": "Basic YW5hOnNlY3JldA=="}
    assert authorization(None, None, "token") == {"Authorization": "Bearer token"}
    assert authorization(None, None, None) == {}
