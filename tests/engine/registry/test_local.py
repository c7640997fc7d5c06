"""The store beside the project: first used by several at once, moved, copied, and in a folder of any name."""

import os
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fullstack_ml.registry import tracking
from fullstack_ml.registry.versions import model_name

pytestmark = pytest.mark.task("tabular-classification")
LOGGED = "from fullstack_ml.registry import tracking\nwith tracking.connect().start_run() as run: print(run)"


@pytest.fixture
def settle(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Path]:
    """Return a move into a folder, as a new process there begins: MLflow sets the variable itself."""

    def move(place: Path) -> Path:
        monkeypatch.chdir(place)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
        return place

    return move


@pytest.fixture
def here(project: Path, tmp_path: Path, empty_store: Path, settle: Callable[[Path], Path]) -> Path:
    """A project with an empty store in a folder with a name of today."""
    place = Path(shutil.move(project, tmp_path / "내 것 #1"))
    shutil.copy(empty_store, place / "mlflow.db")
    return settle(place)


def log(text: str) -> str:
    """Log a run with a text and a version, and return the id of the run."""
    mlflow = tracking.connect()
    with mlflow.start_run() as run:
        mlflow.log_text(text, "note.txt")
    client = mlflow.MlflowClient()
    if not tracking.ClientRegistry(mlflow).versions():
        client.create_registered_model(model_name())
    client.create_model_version(model_name(), source=f"{run.info.artifact_uri}/model", run_id=run.info.run_id)
    return str(run.info.run_id)


def note(run: str) -> str:
    """Read the text of a run."""
    return str(tracking.connect().artifacts.load_text(f"runs:/{run}/note.txt"))


def named(store: Path, place: Path) -> list[str]:
    """List what of the store's text names ``place``."""
    with closing(sqlite3.connect(store)) as database:
        dump = "\n".join(database.iterdump())
    return [line for line in dump.splitlines() if place.as_uri() in line]


def test_a_folder_of_any_name_holds_a_store(here: Path, settle: Any) -> None:
    odd = settle(here.rename(here.parent / "100%25 #1?a=b&c"))
    copy = odd / ".dvc/tmp/exps/tmp1"  # of an experiment of DVC
    copy.mkdir(parents=True)
    for place in (odd, copy):
        settle(place)
        assert note(log("here")) == "here"
    assert len(list((odd / "mlartifacts").rglob("note.txt"))) == 2
    assert [path for path in odd.parent.iterdir() if "%" in path.name] == [odd]
    assert not any(copy.iterdir())


def test_a_copy_writes_into_itself_and_a_moved_project_finds_its_files(here: Path, settle: Any) -> None:
    run = log("first")
    copy = settle(Path(shutil.copytree(here, here.parent / "copy")))
    shutil.rmtree(here / "mlartifacts")
    assert note(run) == "first"
    other = log("of the copy")
    assert not (here / "mlartifacts").exists(), "the original is left alone"
    moved = settle(copy.rename(here.parent / "moved away"))
    assert (note(run), note(other)) == ("first", "of the copy")
    assert named(moved / "mlflow.db", here) == named(moved / "mlflow.db", copy) == []
    assert all((moved / "mlartifacts").as_uri() in version for version in sources(moved / "mlflow.db"))


def sources(store: Path) -> list[str]:
    with closing(sqlite3.connect(store)) as database:
        return [row[0] for row in database.execute("SELECT source FROM model_versions")]


def test_files_that_were_meant_to_lie_elsewhere_stay_there(here: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("MLFLOW_DEFAULT_ARTIFACT_ROOT", (tmp_path / "shared").as_uri())
    run = log("elsewhere")
    monkeypatch.delenv("MLFLOW_DEFAULT_ARTIFACT_ROOT")
    assert note(run) == "elsewhere"


def test_four_first_uses_at_once_make_one_store(project: Path, tmp_path: Path) -> None:
    """With MLflow below a folder with a percent sign, as in the environment of a project there."""
    (tmp_path / "100 %s").symlink_to(sysconfig.get_path("purelib"))
    started = [
        subprocess.Popen(
            [sys.executable, "-c", LOGGED],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(tmp_path / "100 %s")},
        )
        for _ in range(4)
    ]
    said = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0] * 4, said
    assert len(tracking.connect().search_experiments(filter_string=f"name = '{model_name()}'")) == 1


def test_an_experiment_that_was_deleted_comes_back_with_its_runs(here: Path, capsys: Any) -> None:
    run = log("kept")
    client = tracking.connect().MlflowClient()
    client.delete_experiment(client.get_experiment_by_name(model_name()).experiment_id)
    assert note(run) == "kept"
    assert "was deleted and is brought back, with its runs" in capsys.readouterr().out
    log("more")
    assert "brought back" not in capsys.readouterr().out


def test_what_another_training_left_in_the_shell_is_not_taken_up(here: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "999")
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "sqlite:///elsewhere.db")
    assert note(log("mine")) == "mine"
    assert not (here / "elsewhere.db").exists()
    assert sources(here / "mlflow.db")
