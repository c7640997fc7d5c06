"""What is started in the copy ends with whoever started it, however that one ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fullstack_ml.simulation import commands
from fullstack_ml.simulation.commands import Copy
from fullstack_ml.workspace.errors import UserError

# Starts a process that would run for minutes, says its id, and waits.
STARTER = """
import pathlib, signal, sys
from fullstack_ml.simulation.commands import Copy
signal.signal(signal.SIGINT, signal.default_int_handler)
with Copy(pathlib.Path(sys.argv[1])).start(["sleep", "300"], None) as process:
    print(process.pid, flush=True)
    process.wait()
"""


def runs(number: int) -> bool:
    """Say whether there is a process that has not ended."""
    state = Path(f"/proc/{number}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks Linux for processes")
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_nothing_outlives_the_one_who_started_it(sent: signal.Signals, tmp_path: Path) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert starter.stdout is not None
    number = int(starter.stdout.readline())
    assert runs(number)
    os.kill(starter.pid, sent)
    starter.wait(20)
    deadline = time.monotonic() + 20
    while runs(number) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not runs(number)


def test_a_command_that_fails_says_where_and_what_to_type(tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    with pytest.raises(UserError, match="error: no such thing") as caught:
        copy.type("sh", "-c", "echo 'error: no such thing'; exit 1")
    assert caught.value.fix.startswith(f"cd {tmp_path}")
    assert copy.type("sh", "-c", "exit 2", may=(0, 2)).code == 2


def test_a_command_that_takes_too_long_is_ended_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "LONGEST", 0.3)
    with pytest.raises(UserError, match=r"sh -c .* took more than 0\.005 minutes in the copy") as caught:
        Copy(tmp_path).type("sh", "-c", "echo $$ > number; exec sleep 60")
    assert "learns faster" in caught.value.fix
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "number").read_text(encoding="utf-8")), 0)


def test_the_copy_sees_no_setting_that_leads_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.example.com")
    monkeypatch.setenv("SERVE_DATABASE_URL", "sqlite:///mine.db")
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    said = Copy(tmp_path).type("env").said
    assert not [line for line in said if line.startswith(("MLFLOW_", "SERVE_DATABASE", "GIT_"))]
