"""The prediction log: every answer is a committed row before it is sent.

Reads and writes the database of ``SERVE_DATABASE_URL``. Predictions come in batches from one thread, so that many
answers share one commit; feedback and look-ups come one at a time.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from fullstack_ml.serving.settings import Settings
from fullstack_ml.serving.tables import FEEDBACK, HEARTBEAT, METADATA, PREDICTIONS, make_engine, sqlite_file
from fullstack_ml.serving.writer import DatabaseFile, LogUnavailable, Writer, said


def time_prefix(moment: datetime) -> str:
    """Return the 12 hex digits with which the ids of a moment begin: milliseconds since 1970."""
    return f"{int(moment.timestamp() * 1000):012x}"


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
            METADATA.create_all(self._engine)
            self._file.remember()
            self._opened = True
        except (SQLAlchemyError, OSError) as error:
            raise LogUnavailable(said(error)) from error

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
            raise LogUnavailable(said(error)) from error

    def find(self, prediction_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
        """Return the answer that was sent and the feedback to it, or None."""
        served = (PREDICTIONS.c.prediction_id == prediction_id) & PREDICTIONS.c.served
        try:
            with self._engine.connect() as connection:
                row = connection.execute(select(PREDICTIONS).where(served)).mappings().first()
                wanted = select(FEEDBACK).where(FEEDBACK.c.prediction_id == prediction_id).order_by("received_at")
                feedback = [dict(found) for found in connection.execute(wanted).mappings()]
        except SQLAlchemyError as error:
            raise LogUnavailable(said(error)) from error
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
            raise LogUnavailable(said(error)) from error

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
