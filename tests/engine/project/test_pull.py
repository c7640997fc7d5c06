"""``make pull`` brings what the DVC remote holds, and says nothing where there is no remote."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.task("tabular-classification")


def dvc(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments], check=True, capture_output=True)


def pull() -> str:
    """Run the command and return what it prints."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["make", "--no-print-directory", "-o", ".venv/.done", "pull"]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


@pytest.fixture
def splits(project: Path) -> Path:
    """A file that DVC keeps, in a project without a remote."""
    Path("dvc.yaml").unlink()
    dvc("init", "--no-scm")
    path = Path("data/splits/test.parquet")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"the frozen test split")
    dvc("add", "data/splits")
    return path


@pytest.mark.parametrize("remote", [None, "nowhere"])
def test_without_a_remote_nothing_is_said(remote: str | None, splits: Path, tmp_path: Path) -> None:
    if remote:
        dvc("remote", "add", "--default", "team", str(tmp_path / remote))
    assert pull() == ""


def test_a_clone_gets_the_frozen_splits(splits: Path, tmp_path: Path) -> None:
    dvc("remote", "add", "--default", "team", str(tmp_path / "remote"))
    dvc("push")
    splits.unlink()
    shutil.rmtree(".dvc/cache")
    pull()
    assert splits.read_bytes() == b"the frozen test split"
