"""What a fetch from the web keeps to, and how it ends without a record.

Reads and writes nothing; resolves host names.
"""

import ipaddress
import socket
from dataclasses import dataclass, field

import httpx


class RefusedError(Exception):
    """This URL gives no record, and the text says why."""


class AnswerError(RefusedError):
    """What the host answered is no record; it did answer."""


class PassingError(Exception):
    """This URL may give a record later."""

    def __init__(self, reason: str, seconds: float | None = None) -> None:
        """Keep after how many seconds to ask again, where the server says so."""
        super().__init__(reason)
        self.seconds = seconds


@dataclass
class Rules:
    """How to fetch: see ``conf/source/http.yaml``, where each of these is an option."""

    agent: str = "product-collector/1.0"
    per_second: float = 2.0
    timeout: float = 10.0
    deadline: float = 60.0
    max_bytes: int = 20_000_000
    attempts: int = 4
    longest_wait: float = 60.0
    private_hosts: list[str] = field(default_factory=list)


def wait_hint(error: Exception) -> bool | float:
    """Say whether to try again, or after how many seconds."""
    if isinstance(error, PassingError):
        return True if error.seconds is None else error.seconds
    return isinstance(error, httpx.TransportError) and not isinstance(error, httpx.UnsupportedProtocol)


def is_public(host: str) -> bool:
    """Say whether every address of ``host`` is on the internet: a page must not lead into the own network."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise PassingError(f"the host {host} is not known: {error}") from error
    return all(is_global(str(address[4][0])) for address in found)


def is_global(address: str) -> bool:
    """Say whether an IP address is on the internet."""
    return ipaddress.ip_address(address).is_global
