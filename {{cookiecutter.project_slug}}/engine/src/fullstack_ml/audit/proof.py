"""One piece of evidence. Reads and writes nothing."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Proof:
    """A file, run or command that shows something, and the day of it."""

    what: str
    place: str
    day: str

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.what}: {self.place}, {self.day}"


def today() -> str:
    """Return the day of what is asked now."""
    return datetime.now(UTC).date().isoformat()
