"""The commands of the copy, as a person types them, and its server; nothing that is started here outlives this process.

Starts processes in the copy; each has a watch that ends it, by its id, when this process is gone, however it ended.
"""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from fullstack_ml.workspace.errors import UserError

# Settings of whoever runs it, which would lead out of the copy: other stores, other logs, other repositories.
FOREIGN = ("DVC", "GIT", "HYDRA", "LABEL_STUDIO", "MAKE", "MFLAGS", "MLFLOW", "SERVE", "STARTED", "VIRTUAL_ENV")
PATIENCE = 60.0  # seconds until a server is ready
LONGEST = 3600.0  # seconds of one command: five folds of a network take long on a small machine
GRACE = 20.0  # seconds in which a process ends that is asked to
LINES = 40  # that are kept of what a command prints
# It waits for the end of its input, which comes when this process is gone, then ends the group of the other one.
WATCH = 'cat >/dev/null; kill -s TERM -- "-$1" 2>/dev/null'


@dataclass(frozen=True)
class Ran:
    """What one command did: how it is typed, its exit code, its last lines, and how long it took."""

    command: str
    code: int
    said: list[str]
    seconds: float


@dataclass
class Copy:
    """The folder of the copy and everything that was typed in it."""

    folder: Path
    ran: list[Ran] = field(default_factory=list)
    port: int = 0

    def environment(self, **settings: str) -> dict[str, str]:
        """Return the variables that a command in the copy sees."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        return {**kept, "SERVE_PORT": str(self.port), "SERVE_POLL_SECONDS": "0.2", **settings}

    @contextmanager
    def start(self, command: list[str], output: Any, **settings: str) -> Iterator[subprocess.Popen[str]]:
        """Run a command in a group of its own, which ends with the block or with this process."""
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment(**settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            guard = ["sh", "-c", WATCH, "watch", str(process.pid)]
            watch = subprocess.Popen(guard, stdin=subprocess.PIPE, start_new_session=True)
            try:
                yield process
            finally:
                end(process)
                os.killpg(watch.pid, signal.SIGKILL)
                watch.communicate()
        finally:
            end(process)

    def type(self, *command: str, may: tuple[int, ...] = (0,), **settings: str) -> Ran:
        """Type a command and wait for it; ``may`` are the exit codes that are no failure.

        Raises:
            UserError: if it ends otherwise, with its last lines, or takes too long.
        """
        began = time.monotonic()
        with self.start(list(command), subprocess.PIPE, **settings) as process:
            try:
                said, _ = process.communicate(timeout=LONGEST)
            except subprocess.TimeoutExpired as error:
                what = f"{' '.join(command)} took more than {LONGEST / 60:g} minutes in the copy, and was ended"
                fix = "choose a model that learns faster in conf/config.yaml, then make simulate"
                raise UserError(what, str(self.folder), fix) from error
        lines = [line.rstrip() for line in said.splitlines() if line.strip()]
        done = Ran(" ".join(command), process.returncode, lines[-LINES:], round(time.monotonic() - began, 1))
        self.ran.append(done)
        if done.code not in may:
            raise self.failed(done)
        return done

    def failed(self, done: Ran) -> UserError:
        """Return what to tell of a command that failed."""
        said = next((line for line in done.said if line.startswith("error")), " ".join(done.said[-1:]))
        what = f"{done.command} failed in the copy: {said.removeprefix('error: ')}"
        return UserError(what, str(self.folder), f"cd {self.folder}, then {done.command}, which says more")

    def commit(self, message: str) -> None:
        """Commit everything, as a team does."""
        self.type("git", "add", "--all")
        who = ["-c", "user.name=simulation", "-c", "user.email=simulation@localhost", "-c", "commit.gpgsign=false"]
        done = self.type(
            "git", *who, "-c", "core.hooksPath=/dev/null", "commit", "--quiet", "--allow-empty", "-m", message
        )
        self.ran[-2:] = [replace(done, command=f'git add -A && git commit -m "{message}"')]

    @contextmanager
    def serve(self, **settings: str) -> Iterator[httpx.Client]:
        """Run ``make serve`` while the block lasts."""
        self.port = free_port()
        with (
            (self.folder.parent / "server.log").open("a", encoding="utf-8") as log,
            self.start(["make", "serve"], log, **settings) as process,
            httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=PATIENCE, trust_env=False) as client,
        ):
            wait_for(client, process, Path(log.name))
            yield client

    def report(self, path: str) -> Any:
        """Read a report of the copy."""
        return json.loads((self.folder / path).read_text(encoding="utf-8"))


def end(process: subprocess.Popen[str]) -> None:
    """End a process with its group, at first by asking it."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for(client: httpx.Client, process: subprocess.Popen[str], log: Path) -> None:
    """Wait until the server can answer.

    Raises:
        UserError: if it ends, or is not ready in time.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if client.get("/readyz").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise UserError("the server of the copy is not ready", str(log), f"read {log}")


def wait_for_version(client: httpx.Client, arm: str, number: str) -> float:
    """Wait until an arm is answered by a version; return how many seconds that took.

    Raises:
        UserError: if it does not come in time.
    """
    began = time.monotonic()
    while time.monotonic() < began + PATIENCE:
        served = client.get("/v1/model").json().get(arm)
        if served and served["version"] == number:
            return time.monotonic() - began
        time.sleep(0.05)
    raise UserError(f"version {number} does not become {arm}", str(client.base_url), "read server.log beside the copy")
