"""The prediction log by windows of time: counts of all records, a random sample of them, and what people said later.

Reads the database of ``SERVE_DATABASE_URL``, SQLite or PostgreSQL. Ids begin with the time and go on by chance, so that
the primary key finds a window and the digits behind the time draw a sample; counts are made by the database, so that
memory does not grow with the log.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa

from fullstack_ml.registry.versions import model_name
from fullstack_ml.serving.schema import ANSWER, NOT_FINITE
from fullstack_ml.serving.settings import Settings
from fullstack_ml.serving.store import time_prefix
from fullstack_ml.serving.tables import FEEDBACK, PREDICTIONS, make_engine, sqlite_file
from fullstack_ml.workspace.errors import UserError, first_line

WHERE = "the prediction log, SERVE_DATABASE_URL"
DIGITS = 6  # of chance, behind the twelve of the time
INPUT_BYTES = 2**26  # of inputs of a window that are in memory together
ROW = {
    "prediction_id": pl.String,
    "version": pl.String,
    "caller": pl.String,
    "answer": pl.String,
    "decision": pl.String,
    "reason": pl.String,
    "scores": pl.String,
    "novelty": pl.Float64,
    "latency_ms": pl.Float64,
}
WORD = {"right": pl.String, "who": pl.String, "how": pl.String, "received_at": pl.Datetime("us", "UTC")}
LOG, SAID = PREDICTIONS.c, FEEDBACK.c


@dataclass(frozen=True)
class Window:
    """A time from ``start`` up to ``end``, both in UTC."""

    start: datetime
    end: datetime

    @property
    def mine(self) -> Any:
        """Return the condition that a served answer of this product lies in the window."""
        inside = (LOG.prediction_id >= time_prefix(self.start)) & (LOG.prediction_id < time_prefix(self.end))
        return inside & LOG.served & (LOG.model_name == model_name())


def drawn(share: float) -> Any:
    """Return the condition that chance draws a record with, for the same ``share`` always the same ones."""
    if share >= 1:
        return sa.true()
    return sa.func.substr(LOG.prediction_id, 13, DIGITS) < f"{int(share * 16**DIGITS):0{DIGITS}x}"


class Log:
    """The log of the product in the working folder; every method raises a ``UserError`` where it cannot be read."""

    def __init__(self, settings: Settings) -> None:
        """Look whether it is there, and holds this product's answers.

        Raises:
            UserError: if there is none, or only that of another product.
        """
        file = sqlite_file(settings)
        if file and not file.exists():  # to connect would make an empty one
            raise UserError(f"there is no prediction log {file}", WHERE, "make serve makes it")
        self._engine = make_engine(settings)
        if not self._rows(sa.select(LOG.arm).where(LOG.model_name == model_name()).limit(1)):
            others = self._rows(sa.select(LOG.model_name).limit(1))
            if others:
                what = f"the log holds predictions of {others[0][0]}, none of {model_name()}"
                raise UserError(what, WHERE, "name the database of this product's server")

    def _rows(self, query: Any) -> list[Any]:
        try:
            with self._engine.connect() as connection:
                return list(connection.execute(query))
        except sa.exc.SQLAlchemyError as error:
            raise UserError(f"the log cannot be read: {first_line(error)}", WHERE, "make serve makes it") from error

    def _table(self, query: Any, schema: dict[str, Any]) -> pl.DataFrame:
        return pl.DataFrame([tuple(row) for row in self._rows(query)], schema=schema, orient="row")

    def windows(self, now: datetime, days: float, most: int) -> list[Window]:
        """Cut the time before ``now`` into windows, the oldest first, up to the one with the first record."""
        first = self._rows(sa.select(sa.func.min(LOG.prediction_id)))[0][0]
        length = timedelta(days=days)
        found = [Window(now - (i + 1) * length, now - i * length) for i in range(most)]
        kept = [one for one in found if first is not None and time_prefix(one.end) > first]
        return list(reversed(kept)) or found[:1]

    def later(self, now: datetime) -> int:
        """Count the records that are dated after ``now``: a clock was wrong when they were written."""
        after = (LOG.prediction_id >= time_prefix(now)) & LOG.served & (LOG.model_name == model_name())
        return int(self._rows(sa.select(sa.func.count()).where(after))[0][0])

    def strays(self) -> int:
        """Count what people said of predictions that the log does not hold."""
        known = sa.exists().where(LOG.prediction_id == SAID.prediction_id)
        return int(self._rows(sa.select(sa.func.count()).select_from(FEEDBACK).where(~known))[0][0])

    def totals(self, window: Window) -> dict[str, dict[str, int]]:
        """Count by version: ``records``, ``answered``, ``unfamiliar``, ``uncertain``, ``failed``, ``kept`` inputs."""
        from fullstack_ml.answers.words import UNCERTAIN, UNFAMILIAR

        kinds = {"unfamiliar": UNFAMILIAR, "uncertain": UNCERTAIN, "failed": NOT_FINITE}
        counted = [sa.func.sum(sa.case((LOG.decision == ANSWER, 1), else_=0))]
        counted += [sa.func.sum(sa.case((LOG.reason == kind, 1), else_=0)) for kind in kinds.values()]
        query = sa.select(LOG.model_version, sa.func.count(), *counted).where(window.mine).group_by(LOG.model_version)
        names = ("records", "answered", *kinds)
        return {row[0]: dict(zip(names, map(int, row[1:]), strict=True)) for row in self._rows(query)}

    def sample(self, window: Window, share: float) -> pl.DataFrame:
        """Return a random share of the records, without their inputs."""
        columns = (LOG.prediction_id, LOG.model_version, LOG.caller, LOG.answer, LOG.decision, LOG.reason)
        query = sa.select(*columns, LOG.scores, LOG.novelty, LOG.latency_ms).where(window.mine & drawn(share))
        return self._table(query, ROW)

    def inputs(self, window: Window, share: float) -> pl.DataFrame:
        """Return the inputs that the log keeps of a random share: ``prediction_id`` and ``input``.

        Of large ones, such as photographs, fewer.
        """
        kept = window.mine & drawn(share) & LOG.input.is_not(None)
        size = self._rows(sa.select(sa.func.sum(sa.func.length(LOG.input))).where(kept))[0][0]
        fit = share * min(1.0, INPUT_BYTES / max(1, size or 0))
        query = sa.select(LOG.prediction_id, LOG.input).where(kept & drawn(fit))
        return self._table(query, {"prediction_id": pl.String, "input": pl.Binary})

    def said_words(self, window: Window) -> int:
        """Count what people said of the records of a window."""
        query = sa.select(sa.func.count()).select_from(self._joined(window)).where(window.mine)
        return int(self._rows(query)[0][0])

    def words(self, window: Window, share: float) -> pl.DataFrame:
        """Return what people said of a random share of the records, each word with the answer that it is about."""
        columns = (LOG.prediction_id, LOG.model_version, LOG.caller, LOG.answer, LOG.decision, LOG.reason)
        numbers = (LOG.scores, LOG.novelty, LOG.latency_ms)
        word = (SAID.answer, SAID.who, SAID.how, SAID.received_at)
        query = sa.select(*columns, *numbers, *word).select_from(self._joined(window)).where(window.mine & drawn(share))
        return self._table(query.order_by(SAID.received_at), {**ROW, **WORD})

    def corrections(self) -> pl.DataFrame:
        """Return what people said of served records: input_sha256, answer, how, prediction_id, received_at."""
        joined = FEEDBACK.join(PREDICTIONS, (SAID.prediction_id == LOG.prediction_id) & (SAID.arm == LOG.arm))
        columns = (LOG.input_sha256, SAID.answer, SAID.how, SAID.prediction_id, SAID.received_at)
        query = sa.select(*columns).select_from(joined).where(LOG.model_name == model_name())
        names = ("input_sha256", "answer", "how", "prediction_id")
        return self._table(query, {**dict.fromkeys(names, pl.String), "received_at": pl.Datetime("us", "UTC")})

    def _joined(self, window: Window) -> Any:
        """Join words with the answers that they are about; few have one, so that the words of the time come first."""
        inside = (SAID.prediction_id >= time_prefix(window.start)) & (SAID.prediction_id < time_prefix(window.end))
        pair = (SAID.prediction_id == LOG.prediction_id) & (SAID.arm == LOG.arm)
        return FEEDBACK.join(PREDICTIONS, pair & inside)
