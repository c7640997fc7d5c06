"""The clock of the simulated month: rows of the copy's prediction log are dated back, and nothing else is.

Reads and writes ``predictions.db`` of the copy while its server runs. The server dates every answer with the time of
the machine, in ``requested_at`` and in the first twelve digits of the prediction's id (milliseconds since 1970). The
traffic of a week is sent within seconds, spread over the seven days before now, and moved one week back when the next
week begins.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

DIGITS = 12  # of an id, its time
WEEK = timedelta(days=7)
MOMENTS = {"predictions": "requested_at", "feedback": "received_at"}


@contextmanager
def opened(log: Path) -> Iterator[sqlite3.Connection]:
    """Open the log for one change that is whole or not made; the server's own writes wait meanwhile."""
    with closing(sqlite3.connect(log, timeout=30)) as connection, connection:
        yield connection


def dated(name: str, moment: datetime) -> str:
    """Return the id that a prediction would have had at another moment."""
    return f"{int(moment.timestamp() * 1000):0{DIGITS}x}{name[DIGITS:]}"


def moment_of(name: str) -> datetime:
    """Return when a prediction was made."""
    return datetime.fromtimestamp(int(name[:DIGITS], 16) / 1000, UTC)


def move(log: Path, moments: dict[str, datetime]) -> None:
    """Give predictions, and what was said of them, other moments; ``moments`` is by the id of now."""
    rows = [
        (dated(name, at), at.replace(tzinfo=None).isoformat(" ", "microseconds"), name) for name, at in moments.items()
    ]
    with opened(log) as connection:
        for table, column in MOMENTS.items():
            # The names of table and column stand above; a foreign key is not checked on this connection.
            connection.executemany(f"UPDATE {table} SET prediction_id = ?, {column} = ? WHERE prediction_id = ?", rows)  # noqa: S608


def spread(log: Path, names: list[str], first: float = 0.0, last: float = 1.0) -> list[str]:
    """Spread predictions over a part of the seven days before now, in their order; return their new ids."""
    now = datetime.now(UTC)
    step = (last - first) / max(1, len(names))
    moments = {name: now - WEEK * (1 - first - (i + 0.5) * step) for i, name in enumerate(names)}
    move(log, moments)
    return [dated(name, at) for name, at in moments.items()]


def pass_week(log: Path) -> None:
    """Let a week pass: everything in the log is a week older."""
    with opened(log) as connection:
        names = [row[0] for row in connection.execute("SELECT DISTINCT prediction_id FROM predictions")]
    move(log, {name: moment_of(name) - WEEK for name in names})


def contents(log: Path) -> dict[str, str]:
    """Return the hash of the input of every prediction by its id."""
    with opened(log) as connection:
        return dict(connection.execute("SELECT prediction_id, input_sha256 FROM predictions"))
