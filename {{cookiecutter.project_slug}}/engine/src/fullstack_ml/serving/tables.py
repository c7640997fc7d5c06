"""The tables of the prediction log, and the engine under them.

SQLite in WAL mode by default, PostgreSQL by URL. Reads and writes nothing by itself; ``store.py`` does.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from fullstack_ml.serving.settings import Settings

METADATA = sa.MetaData()


class Instant(sa.TypeDecorator[datetime]):
    """A moment in UTC; SQLite keeps no time zone, so it is taken off and put back."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Give the driver what it can keep."""
        return value.replace(tzinfo=None) if value and dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Give the caller a moment in UTC."""
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


# One row per record and arm that scored it. ``served`` is false for a challenger in shadow. ``answer``, as text, and
# ``scores``, as JSON, are what the model says also where the decision is to abstain. ``input`` is null where
# product.yaml says personal.
PREDICTIONS = sa.Table(
    "predictions",
    METADATA,
    sa.Column("prediction_id", sa.String(32), primary_key=True),
    sa.Column("arm", sa.String(10), primary_key=True),
    sa.Column("requested_at", Instant, nullable=False),
    sa.Column("model_name", sa.String, nullable=False),
    sa.Column("model_version", sa.String, nullable=False),
    sa.Column("served", sa.Boolean, nullable=False),
    sa.Column("caller", sa.String(16), nullable=False),
    sa.Column("input_sha256", sa.String(64), nullable=False),
    sa.Column("input", sa.LargeBinary),
    sa.Column("answer", sa.String),
    sa.Column("decision", sa.String(10), nullable=False),
    sa.Column("reason", sa.String(16)),
    sa.Column("scores", sa.Text),
    sa.Column("novelty", sa.Float),
    sa.Column("latency_ms", sa.Float, nullable=False),
)

# What people say later; one row per prediction and person. ``arm`` only ties the row to the one that was served.
FEEDBACK = sa.Table(
    "feedback",
    METADATA,
    sa.Column("prediction_id", sa.String(32), primary_key=True),
    sa.Column("who", sa.String(200), primary_key=True),
    sa.Column("arm", sa.String(10), nullable=False),
    sa.Column("answer", sa.String, nullable=False),
    sa.Column("how", sa.String(10), nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.ForeignKeyConstraint(
        ["prediction_id", "arm"], ["predictions.prediction_id", "predictions.arm"], ondelete="CASCADE"
    ),
)

# Written by the readiness check: a database that can be read may still refuse to write.
HEARTBEAT = sa.Table("heartbeat", METADATA, sa.Column("id", sa.Integer, primary_key=True), sa.Column("at", Instant))


def sqlite_file(settings: Settings) -> Path | None:
    """Return the file of a SQLite database, or None for a server."""
    url = sa.make_url(settings.database_url.get_secret_value())
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def make_engine(settings: Settings) -> sa.Engine:
    """Return an engine whose commits are durable and whose waits are bounded."""
    url = sa.make_url(settings.database_url.get_secret_value())
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, pool_pre_ping=True, pool_timeout=settings.lock_seconds, pool_size=4)
    engine = sa.create_engine(url, connect_args={"timeout": settings.lock_seconds, "check_same_thread": False})

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        for pragma in ("journal_mode=WAL", f"synchronous={settings.synchronous}", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    return engine
