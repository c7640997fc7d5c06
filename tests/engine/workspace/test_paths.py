"""What the environment of a command is, before it does anything."""

import os
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from fullstack_ml.workspace.paths import read_environment


class Silent(BaseHTTPRequestHandler):
    """Answer every request with "here"."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"here")

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.mark.parametrize("spared", [None, "intranet.example"])
@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_this_machine_is_asked_without_the_proxy(
    name: str, spared: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for other in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(other, "")  # so that what is set here is taken back
        monkeypatch.delenv(other)
    Path(".env").write_text("http_proxy=http://127.0.0.1:9\nHTTP_PROXY=http://127.0.0.1:9\n")
    for proxy in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(proxy, "x")
        monkeypatch.delenv(proxy)
    if spared:
        monkeypatch.setenv(name, spared)
    read_environment()
    read_environment()
    assert os.environ["http_proxy"] == "http://127.0.0.1:9"
    assert os.environ["no_proxy"].split(",")[:-3] == ([spared] if spared else [])
    server = HTTPServer(("127.0.0.1", 0), Silent)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/", timeout=10) as answer:
        assert answer.read() == b"here"
    thread.join()
    server.server_close()
