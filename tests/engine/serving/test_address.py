"""An address that cannot be had is said before anything is loaded."""

import socket
from pathlib import Path
from typing import Any

import pytest

from fullstack_ml.serving import __main__ as server


def test_a_port_in_use_is_named_with_a_way_out(project: Path, monkeypatch: pytest.MonkeyPatch, refused: Any) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setenv("SERVE_PORT", str(port))
        with refused(f"port {port} is in use", str(port), "make serve"):
            server.main()


def test_an_address_of_another_machine_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch, refused: Any) -> None:
    monkeypatch.setenv("SERVE_HOST", "192.0.2.1")  # reserved for documentation
    monkeypatch.setenv("SERVE_OPEN", "true")
    with refused("cannot listen", "SERVE_HOST 192.0.2.1"):
        server.main()
