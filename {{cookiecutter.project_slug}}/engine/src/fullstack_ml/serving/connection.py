"""A connection that hangs up on a client whose request line and headers are too slow or too long.

Reads and writes sockets only. uvicorn waits for headers without end; the time of a body is in ``limits.py``.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 2**16


class Connection(HttpToolsProtocol):
    """Begin to wait when the connection opens, and when the head of a request arrives in parts."""

    seconds = 10.0
    _waiting: asyncio.TimerHandle | None = None
    _in_head = True
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a first request."""
        super().connection_made(transport)
        self._waiting = self.loop.call_later(self.seconds, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Note that a head has begun."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note that it is whole."""
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Take what came, and hang up where the head grows without end."""
        super().data_received(data)
        if not self._in_head:
            self._stop()
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self.transport.close()
        elif self._waiting is None:
            self._waiting = self.loop.call_later(self.seconds, self.transport.close)

    def _stop(self) -> None:
        self._head_bytes = 0
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


def within(seconds: float) -> type[Connection]:
    """Return the class of connections whose request head has to arrive in ``seconds``."""
    return type("Within", (Connection,), {"seconds": seconds})
