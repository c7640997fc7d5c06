"""Starting and stopping Label Studio: closed to others, bounded, and nobody else's process."""

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from fullstack_ml.annotation import server

Refused = Callable[..., AbstractContextManager[None]]
# What stands in for uv: it tells how it was called, then serves what the first argument in LABEL says.
STAND_IN = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

Path("called.json").write_text(json.dumps({"arguments": sys.argv[1:], "environment": dict(os.environ)}))
if os.environ.get("STAND_IN") == "ends":
    sys.exit("no space left on device")

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.path == "/health" or self.headers["Authorization"].endswith(os.environ["LABEL_STUDIO_USER_TOKEN"])
        self.send_response(200 if known else 401)
        self.end_headers()
        self.wfile.write(b'{"status": "UP"}')

HTTPServer(("127.0.0.1", int(sys.argv[-1])), Handler).serve_forever()
"""


@pytest.fixture
def local(settings: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The settings of a server on a free port, and a stand-in for uv; what was started is stopped."""
    script = tmp_path / "uv"
    script.write_text(f"#!{sys.executable}\n{STAND_IN}", encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("UV", str(script))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    yield settings(port=port, patience=20).annotation
    server.stop()


def called() -> Any:
    """Return how the stand-in for uv was called."""
    return json.loads((server.FOLDER / "called.json").read_text(encoding="utf-8"))


def test_it_listens_on_this_machine_only_and_nobody_can_sign_up(local: Any) -> None:
    server.start(local)
    how = called()
    arguments = " ".join(how["arguments"])
    assert f"--from label-studio=={local.version}" in arguments
    assert f"--internal-host 127.0.0.1 --port {local.port}" in arguments
    wanted = {"LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true", "SSRF_PROTECTION_ENABLED": "true"}
    assert wanted.items() <= how["environment"].items()
    assert how["environment"]["LABEL_STUDIO_PASSWORD"] not in arguments


def test_starting_it_twice_starts_one_and_stopping_ends_it(local: Any) -> None:
    server.start(local)
    pid = server.PID.read_text(encoding="utf-8")
    server.start(local)
    assert server.PID.read_text(encoding="utf-8") == pid
    assert server.answers(*server.place(local))
    assert server.stop() is True
    assert not server.answers(*server.place(local))
    assert server.stop() is False


def test_passwords_are_made_once_for_everybody_and_only_the_owner_reads_them(local: Any) -> None:
    first = server.access(["annotator-1"])
    assert len({first["token"], *first["passwords"].values()}) == 3
    second = server.access(["annotator-1", "annotator-2"])
    assert second["token"] == first["token"]
    assert first["passwords"].items() <= second["passwords"].items()
    assert "annotator-2" in second["passwords"]
    assert stat.S_IMODE(server.ACCESS.stat().st_mode) == 0o600
    assert stat.S_IMODE(server.FOLDER.stat().st_mode) == 0o700


def test_a_start_that_fails_is_told_with_the_last_line_of_its_log(
    local: Any, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN", "ends")
    with refused("no space left on device", str(server.LOG)):
        server.start(local)
    assert not server.PID.exists()


def test_the_label_studio_of_another_project_is_not_taken_for_ours(local: Any, refused: Refused) -> None:
    server.start(local)
    server.ACCESS.unlink()
    with refused("another", str(local.port), "conf/annotation.yaml"):
        server.start(local)


def test_a_number_that_is_another_programs_by_now_is_left_alone(local: Any) -> None:
    server.FOLDER.mkdir()
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    server.PID.write_text(str(other.pid), encoding="utf-8")
    assert server.stop() is False
    assert other.poll() is None
    other.communicate(b"\n")
    assert other.returncode == 0
    assert not server.PID.exists()


def test_an_address_is_an_address_already() -> None:
    assert (server.email("kim"), server.email("kim@example.com")) == ("kim@localhost", "kim@example.com")
    assert os.sep not in server.email("kim")
