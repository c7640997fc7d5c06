"""A client that sends its headers slowly, or without end, does not hold a connection."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from fullstack_ml.serving import limits

SECONDS = 0.3
REQUEST = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n"
PATIENCE = 30


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Answer every request."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a server with such connections."""
    kind: Any = limits.within(SECONDS)
    server = uvicorn.Server(uvicorn.Config(hello, port=0, http=kind, lifespan="off", log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + PATIENCE
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(PATIENCE)


@pytest.fixture
def client(port: int) -> Iterator[socket.socket]:
    """A connection."""
    with contextlib.closing(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)) as made:
        yield made


def answer(client: socket.socket) -> bytes:
    """One answer, read to its end: head and body may come in two pieces."""
    read = b""
    while not read.endswith(b"hello") and (piece := client.recv(1000)):
        read += piece
    return read


@pytest.mark.parametrize("sent", [b"", REQUEST[:10], REQUEST[:-2]], ids=["nothing", "half-a-line", "no-end"])
def test_headers_that_do_not_end_end_the_connection(sent: bytes, client: socket.socket) -> None:
    client.sendall(sent)
    assert client.recv(100) == b""


def test_headers_drop_by_drop_end_the_connection(client: socket.socket) -> None:
    with pytest.raises(OSError):
        for n in range(1000):
            client.sendall(b"x" if n else REQUEST[:-2])
            time.sleep(SECONDS / 10)


def test_headers_without_measure_end_the_connection(port: int) -> None:
    with contextlib.closing(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)) as client:
        with contextlib.suppress(OSError):
            client.sendall(REQUEST[:-2])
            for _ in range(100):
                client.sendall(b"x: " + b"y" * 10_000 + b"\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(100) == b""


def test_a_connection_is_kept_between_requests_and_a_slow_second_one_ends_it(client: socket.socket) -> None:
    for _ in range(2):
        client.sendall(REQUEST)
        assert answer(client).endswith(b"hello")
        time.sleep(2 * SECONDS)
    client.sendall(REQUEST[:10])
    assert client.recv(100) == b""
