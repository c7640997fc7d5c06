"""The prediction log: every answer is a committed row before it is sent.

Reads and writes the database of ``SERVE_DATABASE_URL``. Predictions come in batches, by the driver itself, so that many
answers share one commit; feedback and look-ups come one at a time.
"""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, PoolProxiedConnection, delete, insert, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from fullstack_ml.serving.settings import Settings
from fullstack_ml.serving.tables import FEEDBACK, HEARTBEAT, METADATA, PREDICTIONS, make_engine, sqlite_file
from fullstack_ml.workspace.errors import first_line

COLUMNS = [column.name for column in PREDICTIONS.columns]


def time_prefix(moment: datetime) -> str:
    """Return the 12 hex digits with which the ids of a moment begin: milliseconds since 1970."""
    return f"{int(moment.timestamp() * 1000):012x}"


class LogUnavailable(Exception):  # noqa: N818 - a state of the database, which the API answers with 503
    """The database is locked, full, gone or not reachable; nothing was written."""


class LogBusy(Exception):  # noqa: N818 - not a fault: the same rows are written again by a thread that may wait
    """Writing would have to wait; nothing was written."""


class DatabaseFile:
    """The file of a SQLite database, watched: rows in a deleted file are rows that nobody finds."""

    def __init__(self, path: Path | None) -> None:
        """``path`` is None for a database server."""
        self.path, self._inode = path, -1

    def make(self) -> None:
        """Begin a new one that its owner alone reads; SQLite gives the files beside it the same rights."""
        if self.path:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))

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
            raise LogUnavailable(first_line(error)) from error

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


class Store:
    """Every method may be called from any thread; ``writer`` is the scorer's."""

    def __init__(self, settings: Settings) -> None:
        """Name the database; ``open`` connects to it."""
        self._engine = make_engine(settings)
        self._file = DatabaseFile(sqlite_file(settings))
        self._opened = False
        self.writer = Writer(self._engine, self._file)

    def open(self) -> None:
        """Connect and make the tables where they are missing."""
        try:
            self._file.make()
            METADATA.create_all(self._engine)
            self._file.remember()
            self._opened = True
        except (SQLAlchemyError, OSError) as error:
            raise LogUnavailable(first_line(error)) from error

    def probe(self) -> None:
        """Write one row, to know that writing works."""
        try:
            if not self._opened:
                self.open()
            self._file.check()
            with self._engine.begin() as connection:
                connection.execute(delete(HEARTBEAT))
                connection.execute(insert(HEARTBEAT).values(id=1, at=datetime.now(UTC)))
        except (SQLAlchemyError, OSError) as error:
            raise LogUnavailable(first_line(error)) from error

    def find(self, prediction_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
        """Return the answer that was sent and the feedback to it, or None."""
        served = (PREDICTIONS.c.prediction_id == prediction_id) & PREDICTIONS.c.served
        try:
            with self._engine.connect() as connection:
                row = connection.execute(select(PREDICTIONS).where(served)).mappings().first()
                wanted = select(FEEDBACK).where(FEEDBACK.c.prediction_id == prediction_id).order_by("received_at")
                feedback = [dict(found) for found in connection.execute(wanted).mappings()]
        except SQLAlchemyError as error:
            raise LogUnavailable(first_line(error)) from error
        if row is None:
            return None
        found = dict(row)
        found["scores"] = json.loads(found["scores"]) if found["scores"] else None
        return found, feedback

    def add_feedback(self, prediction_id: str, **word: str) -> tuple[dict[str, Any], bool] | None:
        """Keep a word: ``answer``, ``who`` and ``how``.

        Return the row on record and whether it is new, or None for an unknown prediction.

        The first word of a person stands: a second one changes nothing and returns the first.
        """
        served = (PREDICTIONS.c.prediction_id == prediction_id) & PREDICTIONS.c.served
        mine = (FEEDBACK.c.prediction_id == prediction_id) & (FEEDBACK.c.who == word["who"])
        try:
            with self._engine.begin() as connection:
                arm = connection.execute(select(PREDICTIONS.c.arm).where(served)).scalar()
                if arm is None:
                    return None
                row = {"prediction_id": prediction_id, **word, "received_at": datetime.now(UTC)}
                connection.execute(insert(FEEDBACK).values(arm=arm, **row))
                return row, True
        except IntegrityError:
            with self._engine.connect() as connection:
                known = connection.execute(select(FEEDBACK).where(mine)).mappings().one()
            return {key: value for key, value in known.items() if key != "arm"}, False
        except SQLAlchemyError as error:
            raise LogUnavailable(first_line(error)) from error

    def forget_older_than(self, days: int) -> int:
        """Delete predictions, and the feedback to them, that are older than the contract allows; return how many."""
        # Ids begin with the time, so that the primary key finds the old ones.
        old = PREDICTIONS.c.prediction_id < time_prefix(datetime.now(UTC) - timedelta(days=days))
        with self._engine.begin() as connection:
            return int(connection.execute(delete(PREDICTIONS).where(old)).rowcount)

    def close(self) -> None:
        """Let go of the database."""
        self.writer.close()
        self._engine.dispose()
