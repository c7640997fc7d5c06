"""What a request may cost, before anything looks at it: its key or its way here, its size, its time.

``Connection`` bounds the head of a request, for which uvicorn waits without end. ``Limits`` is the outermost ASGI
application. It hands ``POST /v1/predict`` to its function directly, since the routing of the web framework costs more
than the model, and everything else to the framework. Reads and writes sockets only.
"""

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fullstack_ml.serving import telemetry
from fullstack_ml.serving.problem import Problem, unavailable
from fullstack_ml.serving.service import Service
from fullstack_ml.serving.settings import is_loopback

LOG = logging.getLogger("uvicorn.error")
# Probes and the page of the API itself need no key.
OPEN = ("/healthz", "/readyz", "/docs", "/openapi.json", "/static-offline-docs")
HEADERS = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
JSON_HEADERS = [(b"content-type", b"application/json"), *HEADERS]
MAX_HEAD_BYTES = 2**16
Direct = Callable[[dict[bytes, bytes], Scope, Receive], Awaitable[bytes]]


class Limits:
    """Refuse what is too much, as a problem; count every answer."""

    def __init__(self, app: ASGIApp, service: Service, direct: dict[tuple[str, str], Direct]) -> None:
        """``direct``: the functions of hot routes by method and path; each returns JSON."""
        self._app, self.service, self._direct = app, service, direct
        self._settings = settings = service.settings
        self._key = settings.api_key.get_secret_value().encode() if settings.api_key else None
        self._counters: dict[tuple[str, int], Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, key = False, (scope["method"], scope["path"])

        async def counting(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                route = scope["path"] if key in self._direct else getattr(scope.get("route"), "path", "other")
                self._count(route, message["status"])
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        body = Body(receive, self._settings.max_body_bytes)
        try:
            headers = dict(scope["headers"])
            self._admit(headers, scope["path"])
            async with asyncio.timeout(self._settings.request_seconds):
                direct = self._direct.get(key)
                if direct is None:
                    await self._app(scope, body, counting)
                    return
                answer = await direct(headers, scope, body)
            begun = True
            self._count(scope["path"], 200)
            length = (b"content-length", str(len(answer)).encode())
            await send({"type": "http.response.start", "status": 200, "headers": [length, *JSON_HEADERS]})
            await send({"type": "http.response.body", "body": answer})
        except Exception as error:
            if begun:
                raise
            problem = self._problem(error, body)
            if not body.whole:
                problem.headers["connection"] = "close"  # the rest of the body is not read
            await problem.response()(scope, receive, counting)

    def _admit(self, headers: dict[bytes, bytes], path: str) -> None:
        if not self._key:
            self._check_way(headers.get(b"host", b"").decode("latin-1"), headers.get(b"origin", b"").decode("latin-1"))
        given = headers.get(b"x-api-key", b"")
        if self._key and not path.startswith(OPEN) and not hmac.compare_digest(given, self._key):
            raise Problem(401, "the header X-API-Key is missing or wrong", www_authenticate="ApiKey")
        length = headers.get(b"content-length")
        if length and (not length.isdigit() or int(length) > self._settings.max_body_bytes):
            raise Problem(413, f"the body has more than {self._settings.max_body_bytes} bytes")

    def _check_way(self, host: str, origin: str) -> None:
        """Refuse what a page of another site lets a browser on this machine send, since no key protects the server.

        Its form names the other site as Origin; a name of its own that leads here (DNS rebinding) stands in Host.
        """
        if origin and urlsplit(origin).netloc.lower() != host.lower():
            raise Problem(403, f"the request comes from a page of {origin[:200]}, and the server has no key")
        if host and not self._settings.open and not is_loopback(urlsplit(f"//{host}").hostname or ""):
            raise Problem(421, f"this server is localhost, not {host[:200]}; set SERVE_API_KEY, or SERVE_OPEN=true")

    def _problem(self, error: Exception, body: "Body") -> Problem:
        if isinstance(error, Problem):
            return error
        if not isinstance(error, TimeoutError):
            LOG.exception("a request failed")
            return Problem(500, "the server made a mistake; its log has the traceback")
        seconds = f"{self._settings.request_seconds:g} seconds"
        if body.whole:
            return unavailable(f"no answer within {seconds}")
        return Problem(408, f"the request did not arrive within {seconds}")

    def _count(self, route: str, status: int) -> None:
        counter = self._counters.get((route, status))
        if counter is None:
            counter = self._counters[route, status] = telemetry.REQUESTS.labels(route, status)
        counter.inc()


class Body:
    """The body of a request as it arrives, never more of it than the limit, whatever its header says."""

    def __init__(self, receive: Receive, limit: int) -> None:
        """Wrap the server's ``receive``."""
        self._receive, self._limit, self._got = receive, limit, 0
        self.whole = False

    async def __call__(self) -> Message:
        """Return the next part."""
        message = await self._receive()
        self._got += len(message.get("body", b""))
        self.whole = not message.get("more_body", False)
        if self._got > self._limit:
            raise Problem(413, f"the body has more than {self._limit} bytes")
        return message


class Connection(HttpToolsProtocol):
    """Hang up on a client whose request line and headers are too slow or too long.

    The wait begins when the connection opens, and when the head of a request arrives in parts.
    """

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
