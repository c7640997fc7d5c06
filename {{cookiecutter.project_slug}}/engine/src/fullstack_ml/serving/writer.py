"""Write batches of predictions: many rows, one commit, by the driver itself.

Writes the table ``predictions``.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, PoolProxiedConnection, insert
from sqlalchemy.exc import SQLAlchemyError

from fullstack_ml.serving.tables import PREDICTIONS

COLUMNS = [column.name for column in PREDICTIONS.columns]


class LogUnavailable(Exception):  # noqa: N818 - a state of the database, which the API answers with 503
    """The database is locked, full, gone or not reachable; nothing was written."""


class LogBusy(Exception):  # noqa: N818 - not a fault: the same rows are written again by a thread that may wait
    """Writing would have to wait; nothing was written."""


def said(error: Exception) -> str:
    """Return the driver's own words, without the statement and its values."""
    return str(getattr(error, "orig", None) or error).splitlines()[0]


class DatabaseFile:
    """The file of a SQLite database, watched: rows in a deleted file are rows that nobody finds."""

    def __init__(self, path: Path | None) -> None:
        """``path`` is None for a database server."""
        self.path, self._inode = path, -1

    def remember(self) -> None:
        """Take the file that is there now for the right one."""
        if self.path:
            self._inode = self.path.stat().st_ino

    def check(self) -> None:
        """Raise ``FileNotFoundError`` when it was deleted or replaced."""
        if self.path and self.path.stat().st_ino != self._inode:
            raise FileNotFoundError(f"{self.path} was deleted or replaced")


class Writer:
    """``append`` may be called by one thread per value of ``wait``."""

    def __init__(self, engine: Engine, file: DatabaseFile) -> None:
        """Prepare the statement: doing that anew costs more than writing a row."""
        self._engine, self._file = engine, file
        self._connections: dict[bool, PoolProxiedConnection] = {}
        compiled = insert(PREDICTIONS).compile(engine, column_keys=COLUMNS)
        self._insert, self._positional = str(compiled), bool(compiled.positional)
        assert engine.dialect.dbapi is not None
        self._errors = (SQLAlchemyError, OSError, engine.dialect.dbapi.Error)

    @property
    def quick(self) -> bool:
        """Whether a write is worth trying without waiting: a file is, a server across a network is not."""
        return self._file.path is not None

    def moment(self, now: datetime) -> Any:
        """Return ``now`` (UTC) as the driver takes it in a row."""
        return now.replace(tzinfo=None).isoformat(" ", "microseconds") if self._file.path else now

    def append(self, rows: list[tuple[Any, ...]], wait: bool = True) -> None:
        """Write rows in the order of ``COLUMNS`` and return when they are committed.

        Raises:
            LogBusy: without ``wait``, if it would have to wait for a lock.
            LogUnavailable: if it cannot. In both cases no row is written.
        """
        try:
            self._file.check()
            connection = self._connections.get(wait) or self._connect(wait)
            given: list[Any] = rows if self._positional else [dict(zip(COLUMNS, row, strict=True)) for row in rows]
            connection.cursor().executemany(self._insert, given)
            connection.commit()
        except self._errors as error:
            self._forget(wait)
            if not wait and getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
                raise LogBusy from error
            raise LogUnavailable(said(error)) from error

    def close(self) -> None:
        """Let go of the connections."""
        for wait in list(self._connections):
            self._forget(wait)

    def _connect(self, wait: bool) -> PoolProxiedConnection:
        connection = self._connections[wait] = self._engine.raw_connection()
        if not wait:
            connection.cursor().execute("PRAGMA busy_timeout=0")
        return connection

    def _forget(self, wait: bool) -> None:
        connection = self._connections.pop(wait, None)
        if connection is not None:
            connection.invalidate()
