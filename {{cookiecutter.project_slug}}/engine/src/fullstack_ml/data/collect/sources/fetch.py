"""Fetch from the web as a polite and careful guest: robots.txt, rate per host, limits on time, size and type.

Reads the web; writes nothing. Retries with growing waits what may pass (RFC 9110: 408, 429, 5xx and broken
connections), and reads robots.txt as RFC 9309 says: missing means allowed, unreachable means forbidden.
"""

import time
from collections import Counter
from collections.abc import Callable
from fnmatch import fnmatch
from typing import Any
from urllib.parse import urlsplit

import httpx
import stamina
from protego import Protego

from fullstack_ml.data.collect.sources.rules import (
    AnswerError,
    PassingError,
    RefusedError,
    Rules,
    is_global,
    is_public,
    wait_hint,
)
from fullstack_ml.workspace.errors import UserError

REDIRECTS = 5
ROBOTS_BYTES = 500 * 1024  # RFC 9309 wants at least these read
PATIENCE = 5  # pages of one host in a row that fail for good, until the run stops
PASSING = {408, 425, 429, 500, 502, 503, 504}


class Fetcher:
    """One visitor: an HTTP client with the turns, the robots.txt and the failures of every host."""

    def __init__(self, rules: Rules) -> None:
        """Open a client that keeps to ``rules``."""
        self.rules = rules
        # Redirects are followed by hand, so that each target is checked before anything is sent to it.
        headers = {"user-agent": rules.agent, "accept-encoding": "identity"}
        self.client = httpx.Client(timeout=rules.timeout, follow_redirects=False, headers=headers)
        self.robots: dict[str, Protego] = {}
        self.turns: dict[str, float] = {}
        self.failures: Counter[str] = Counter()
        stamina.instrumentation.set_on_retry_hooks([])  # the reason is reported once, when the last attempt failed

    def get(self, url: str, types: tuple[str, ...]) -> tuple[bytes, str]:
        """Return body and content type of ``url``.

        Raises:
            RefusedError: if it gives no record.
            UserError: if its host failed several times in a row.
        """
        rules, host = self.rules, ""
        try:
            host = urlsplit(url).netloc
            for attempt in stamina.retry_context(
                wait_hint, rules.attempts, timeout=None, wait_initial=0.5, wait_max=rules.longest_wait
            ):
                with attempt:
                    found = self._follow(url, types, rules.max_bytes)
        except (PassingError, httpx.TransportError) as error:
            self.failures[host] += 1
            if self.failures[host] >= PATIENCE:
                what = f"{PATIENCE} pages of {host} in a row failed, the last one: {error}"
                raise UserError(what, url, "collect again later; what was read is kept") from error
            raise RefusedError(f"failed {rules.attempts} times, at last: {error}") from error
        except AnswerError:
            self.failures[host] = 0
            raise
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError) as error:
            raise RefusedError(f"no URL that can be fetched: {error}") from error
        self.failures[host] = 0
        return found

    def _follow(self, url: str, types: tuple[str, ...], most: int, is_robots: bool = False) -> tuple[bytes, str]:
        """Fetch ``url`` or what it redirects to."""
        for _ in range(REDIRECTS + 1):
            self._check(url, is_robots)
            with self.client.stream("GET", url, extensions={"trace": self._watch(url)}) as response:
                if response.next_request:
                    url = str(response.next_request.url)
                    continue
                return self._body(response, types, most, is_robots)
        raise AnswerError(f"more than {REDIRECTS} redirects")

    def _check(self, url: str, is_robots: bool) -> None:
        """Refuse what must not be asked for, then wait for this host's turn."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RefusedError(f"{url} is no HTTP address")
        if parts.netloc not in self.rules.private_hosts and not is_public(parts.hostname):
            raise RefusedError(f"{parts.netloc} is an address of a private network, and not in private_hosts")
        pause = 1 / self.rules.per_second
        if not is_robots:
            robots = self._robots(f"{parts.scheme}://{parts.netloc}")
            if not robots.can_fetch(url, self.rules.agent):
                raise RefusedError(f"robots.txt of {parts.netloc} forbids it")
            pause = max(pause, robots.crawl_delay(self.rules.agent) or 0.0)
        now = time.monotonic()
        turn = max(now, self.turns.get(parts.netloc, now))
        self.turns[parts.netloc] = turn + pause
        time.sleep(turn - now)

    def _watch(self, url: str) -> Callable[[str, dict[str, Any]], None]:
        """Look at the address that was connected to, before anything is sent: a name can resolve to another by then."""
        parts, asked = urlsplit(url), [""]

        def watch(event: str, about: dict[str, Any]) -> None:
            if event == "connection.connect_tcp.started":
                asked[0] = about["host"]  # of a proxy, where there is one
            elif event == "connection.connect_tcp.complete" and asked[0] == parts.hostname:
                address = about["return_value"].get_extra_info("server_addr")[0]
                if parts.netloc not in self.rules.private_hosts and not is_global(address):
                    about["return_value"].close()
                    raise RefusedError(f"{parts.netloc} leads to {address}, an address of a private network")

        return watch

    def _robots(self, origin: str) -> Protego:
        """Return the rules of a host, read once."""
        if origin not in self.robots:
            try:
                text = self._follow(f"{origin}/robots.txt", ("*",), ROBOTS_BYTES, is_robots=True)[0]
            except RefusedError:
                text = b""
            self.robots[origin] = Protego.parse(text.decode("utf-8", "replace"))
        return self.robots[origin]

    def _body(self, response: httpx.Response, types: tuple[str, ...], most: int, cut: bool) -> tuple[bytes, str]:
        """Read a body within the limits; one that breaks off raises ``httpx.RemoteProtocolError``.

        With ``cut`` a longer body gives its first ``most`` bytes, without the line in which they end.
        """
        if response.status_code in PASSING:
            after = response.headers.get("retry-after", "")
            seconds = min(float(after), self.rules.longest_wait) if after.isdigit() else None
            raise PassingError(f"status {response.status_code}", seconds)
        if response.status_code != httpx.codes.OK:
            raise AnswerError(f"status {response.status_code}")
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not any(fnmatch(kind, pattern) for pattern in types):
            raise AnswerError(f"content type {kind or 'missing'} is not one of {', '.join(types)}")
        end, body = time.monotonic() + self.rules.deadline, bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > most:
                if cut:
                    return bytes(body[:most]).rpartition(b"\n")[0], kind
                raise AnswerError(f"larger than {most} bytes")
            if time.monotonic() > end:
                raise PassingError(f"not read within {self.rules.deadline:g} s")
        return bytes(body), kind
