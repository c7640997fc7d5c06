"""The server of a baked project as a process of its own, and callers that keep it busy; loopback only."""

import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from projects import Project

PATIENCE = 60.0


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Server:
    """A running server."""

    port: int
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Send one request on a connection of its own; return status and JSON."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as connection:
            given = None if body is None else json.dumps(body)
            connection.request(method, path, given, {"content-type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            known = "json" in (answer.headers["content-type"] or "")
            return answer.status, json.loads(text) if known else text.decode()

    def example(self) -> Any:
        """Return the request that the API's own page shows."""
        return self.ask("GET", "/openapi.json")[1]["components"]["schemas"]["PredictRequest"]["example"]


@contextmanager
def running(project: Project, **settings: str) -> Iterator[Server]:
    """Serve in the small environment of the group `serve`, until the block ends or the process is killed."""
    port = free_port()
    values = {f"SERVE_{name.upper()}": value for name, value in settings.items()}
    environment = {**project.environment, **values, "SERVE_PORT": str(port), "PYTHONPATH": "engine/src:src"}
    command = [str(project.folder / ".venv-serve/bin/python"), "-m", "fullstack_ml.serving"]
    process = subprocess.Popen(command, cwd=project.folder, env=environment, text=True, stderr=subprocess.PIPE)
    drain = threading.Thread(target=lambda: process.stderr and process.stderr.read(), daemon=True)
    drain.start()
    server, deadline = Server(port, process), time.monotonic() + PATIENCE
    try:
        while True:
            try:
                if server.ask("GET", "/readyz")[0] == 200:
                    break
            except OSError:
                assert process.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server is not ready"
            time.sleep(0.02)
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
        drain.join(PATIENCE)


@dataclass
class Load:
    """What callers saw: the ids they were given, the versions that answered, and every other status."""

    ids: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    failures: list[Any] = field(default_factory=list)


@contextmanager
def load(server: Server, callers: int, seconds: float = PATIENCE) -> Iterator[Load]:
    """Keep `callers` connections busy until the block ends, at most for some seconds."""
    seen, stop, end = Load(), threading.Event(), time.monotonic() + seconds
    body = json.dumps(server.example())

    def call() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        try:
            while not stop.is_set() and time.monotonic() < end:
                connection.request("POST", "/v1/predict", body, {"content-type": "application/json"})
                answer = connection.getresponse()
                found = json.loads(answer.read())
                if answer.status == 200:
                    seen.versions.append(found["predictions"][0]["model_version"])
                    seen.ids.append(found["predictions"][0]["prediction_id"])
                else:
                    seen.failures.append(found)
        except (OSError, http.client.HTTPException, ValueError) as error:
            seen.failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=call, daemon=True) for _ in range(callers)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)


def wait_until(condition: Any) -> None:
    """Look again and again until something is true; fail after a minute."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.01)


def kill(server: Server) -> None:
    """End the server as a power cut would end the process."""
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait(PATIENCE)
