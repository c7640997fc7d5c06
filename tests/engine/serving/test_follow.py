"""What ``make serve`` starts ends together, whichever part ends first."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fullstack_ml.serving import follow

PATIENCE = 20
# Stands for the server: says its number, and waits to be told to stop.
SERVER = "#!/bin/sh\necho $$\nexec sleep 600\n"


def test_the_server_ends_with_make(root: Path, tmp_path: Path) -> None:
    server = tmp_path / "server"
    server.write_text(SERVER, encoding="utf-8")
    server.chmod(0o755)
    installed = ["-o", ".venv/.done", "-o", ".venv-serve/.done"]
    # One artefact is served, so that the follower has nothing to do and ends.
    environment = {**os.environ, "SERVE_MODEL": "models/model.onnx"}
    command = ["make", "--no-print-directory", *installed, "serve", f"SERVING={server}"]
    with subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as make:
        assert make.stdout
        number = int(make.stdout.readline())
        make.terminate()
        try:
            # The other end of the pipe is the server's: it closes when the server has ended.
            make.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            os.kill(number, 9)
            raise


def test_a_follower_that_starts_after_the_server_has_ended_ends_too(project: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(follow.__file__).parents[2])}
    gone = subprocess.Popen(["true"])
    gone.wait()
    command = [sys.executable, "-m", follow.__name__, str(gone.pid)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_registered_while_it_fetches_is_fetched_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version and its alias are written one after the other: between them the follower may have begun to read."""
    store, moments = tmp_path / "mlflow.db", []
    store.write_text("a version", encoding="utf-8")

    def fetch(*_: Any, **__: Any) -> None:
        moments.append(follow.stamp(store))
        if len(moments) == 1:
            os.utime(store, (1, 1))  # the alias, which this reading has not seen

    turns = iter(range(4))
    monkeypatch.setattr("fullstack_ml.serving.follow.subprocess.run", fetch)
    monkeypatch.setattr("fullstack_ml.serving.follow.os.getppid", lambda: 7 if next(turns, None) is not None else 1)
    follow.watch(SimpleNamespace(poll_seconds=0), store, 7)  # type: ignore[arg-type]
    assert len(moments) == 2, "once for each state of the store, and not again where nothing was written"
