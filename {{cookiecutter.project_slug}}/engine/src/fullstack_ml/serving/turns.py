"""Turns for work that takes longer than a moment, such as decoding photographs: in threads, so many for each client.

Reads and writes nothing. Whatever one client sends, only its own requests wait for each other. Clients are told apart
by their address; behind a proxy it is the one that the proxy states, where uvicorn trusts it (FORWARDED_ALLOW_IPS).
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar
from weakref import WeakValueDictionary

from fullstack_ml.serving.problem import unavailable

T = TypeVar("T")
THREADS = 32
WAITING = 64  # requests of one client, with their bodies


class Client:
    """A client that has work: how many threads it may use, and how many of its requests arrive, or wait and run."""

    def __init__(self, lanes: int) -> None:
        """``lanes`` threads at once."""
        self.free, self.arriving, self.requests = asyncio.Semaphore(lanes), 0, 0


class Turns:
    """The threads, and the clients that use them."""

    def __init__(self) -> None:
        """Let a client use half of the cores: some of Pillow holds Python's lock, and other threads wait for it."""
        self._lanes = max(1, min(4, (os.cpu_count() or 1) // 2))
        self._threads = ThreadPoolExecutor(THREADS, "turns")
        self._clients: WeakValueDictionary[str, Client] = WeakValueDictionary()

    def _client(self, name: str) -> Client:
        return self._clients.get(name) or self._clients.setdefault(name, Client(self._lanes))

    @contextmanager
    def arriving(self, name: str) -> Iterator[None]:
        """Read a large body meanwhile.

        Raises:
            Problem: 503 when too many bodies of the client are being read already.
        """
        client = self._client(name)
        if client.arriving >= WAITING:
            raise unavailable(f"{WAITING} large requests of this client arrive already")
        client.arriving += 1
        try:
            yield
        finally:
            client.arriving -= 1

    async def take(self, name: str, work: Callable[[], T]) -> T:
        """Do ``work`` in a thread when it is the client's turn.

        Raises:
            Problem: 503 when too many requests of the client wait already.
        """
        client = self._client(name)
        if client.requests >= WAITING:
            raise unavailable(f"{WAITING} large requests of this client wait already")
        client.requests += 1
        try:
            await client.free.acquire()
        except asyncio.CancelledError:
            client.requests -= 1
            raise
        done = asyncio.get_running_loop().run_in_executor(self._threads, work)

        def end(_: object) -> None:
            client.requests -= 1
            client.free.release()

        # Only when the thread has ended: a request that was given up still uses it.
        done.add_done_callback(end)
        return await asyncio.shield(done)
