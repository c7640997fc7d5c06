"""Answers of a batch in the server's prediction log, each row as the server writes it, each once.

Writes the database of SERVE_DATABASE_URL, and ``log.json`` in the folder of the parts: which ids the run gives.
"""

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import polars as pl
from sqlalchemy import delete

from fullstack_ml.registry.versions import CHAMPION
from fullstack_ml.serving.answers import Batch, Job, Part
from fullstack_ml.serving.batch.scoring import REJECTED, Answers, spread
from fullstack_ml.serving.model import Served
from fullstack_ml.serving.settings import Settings
from fullstack_ml.serving.store import LogUnavailable, Store, time_prefix
from fullstack_ml.serving.tables import PREDICTIONS, make_engine
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import read_json, write_json

CALLER = "batch"


class Logbook:
    """An id is the run's beginning and the place of the record, so that a batch that was logged before the run was
    killed is found, and not there twice."""

    def __init__(self, settings: Settings, served: Served, folder: Path, keep_input: bool) -> None:
        """Open the log; ``folder`` holds what the run remembers.

        Raises:
            UserError: if the log does not open.
        """
        self._served, self._keep, self._settings = served, keep_input, settings
        note = folder / "log.json"
        if not note.exists():
            write_json(note, {"prefix": time_prefix(datetime.now(UTC)) + os.urandom(4).hex()})
        self._prefix, self._new = read_json(note)["prefix"], False
        self._store = Store(settings)
        try:
            self._store.open()
        except LogUnavailable as error:
            raise self._unavailable(error) from error

    def write(self, answers: Answers, first: int) -> pl.DataFrame:
        """Log what was answered, and return the answers with their ids; ``first`` is the place of the first record.

        Raises:
            UserError: if the log does not take it; then none of the batch is in it.
        """
        answered = answers.frame[REJECTED].is_null()
        ids = [f"{self._prefix}{first + place:012x}" for place in answered.arg_true().to_list()]
        frame = spread(pl.DataFrame({"prediction_id": ids}, schema={"prediction_id": pl.String}), answered)
        if answers.kept is None:
            return answers.frame.hstack(frame)
        kept, served = answers.kept, self._served
        batch = Batch(self._keep, self._store.writer.moment(datetime.now(UTC)))
        started, nobody = time.perf_counter() - kept.seconds, cast(Any, None)  # nobody waits for an answer
        job = Job(kept.scored.outputs, kept.sha256, kept.stored, CALLER, started, nobody)
        batch.add(job, ids, Part(CHAMPION, served, served.said(kept.scored, kept.decided), 0, True))
        try:
            if not self._new:
                self._forget(f"{self._prefix}{first:012x}")
            self._store.writer.append(batch.rows)
        except LogUnavailable as error:
            raise self._unavailable(error) from error
        return answers.frame.hstack(frame)

    def _forget(self, first: str) -> None:
        """Take back what the run logged behind its last part before it was killed."""
        engine = make_engine(self._settings)
        with engine.begin() as connection:
            mine = PREDICTIONS.c.prediction_id.between(first, f"{self._prefix}{'f' * 12}")
            connection.execute(delete(PREDICTIONS).where(mine))
        engine.dispose()
        self._new = True

    def _unavailable(self, error: Exception) -> UserError:
        fix = "mend it and type the same command, which goes on from here"
        return UserError(f"the prediction log does not take the answers: {error}", "SERVE_DATABASE_URL", fix)
