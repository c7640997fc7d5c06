"""One piece of evidence. Reads and writes nothing."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True)
class Proof:
    """A file, run or command that shows something, and the day of it; ``what`` and ``place`` may be sentences."""

    what: Any
    place: Any
    day: str


def today() -> str:
    """Return the day of what is asked now."""
    return datetime.now(UTC).date().isoformat()
