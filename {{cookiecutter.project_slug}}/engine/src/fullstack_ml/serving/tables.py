"""The tables of the prediction log, and the engine under them.

SQLite in WAL mode by default, PostgreSQL by URL. Reads and writes nothing by itself; ``store.py`` does.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Dialect,
    Engine,
    Float,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    create_engine,
    event,
    make_url,
)

from fullstack_ml.serving.settings import Settings

METADATA = MetaData()


class Instant(TypeDecorator[datetime]):
    """A moment in UTC; SQLite keeps no time zone, so it is taken off and put back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the driver what it can keep."""
        return value.replace(tzinfo=None) if value and dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the caller a moment in UTC."""
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


# One row per record and arm that scored it. ``served`` is false for a challenger in shadow. ``answer``, as text, and
# ``scores``, as JSON, are what the model says also where the decision is to abstain. ``input`` is null where
# product.yaml says personal.
PREDICTIONS = Table(
    "predictions",
    METADATA,
    Column("prediction_id", String(32), primary_key=True),
    Column("arm", String(10), primary_key=True),
    Column("requested_at", Instant, nullable=False),
    Column("model_name", String, nullable=False),
    Column("model_version", String, nullable=False),
    Column("served", Boolean, nullable=False),
    Column("caller", String(16), nullable=False),
    Column("input_sha256", String(64), nullable=False),
    Column("input", LargeBinary),
    Column("answer", String),
    Column("decision", String(10), nullable=False),
    Column("reason", String(16)),
    Column("scores", Text),
    Column("novelty", Float),
    Column("latency_ms", Float, nullable=False),
)

# What people say later; one row per prediction and person. ``arm`` only ties the row to the one that was served.
FEEDBACK = Table(
    "feedback",
    METADATA,
    Column("prediction_id", String(32), primary_key=True),
    Column("who", String(200), primary_key=True),
    Column("arm", String(10), nullable=False),
    Column("answer", String, nullable=False),
    Column("how", String(10), nullable=False),
    Column("received_at", Instant, nullable=False),
    ForeignKeyConstraint(
        ["prediction_id", "arm"], ["predictions.prediction_id", "predictions.arm"], ondelete="CASCADE"
    ),
)

# Written by the readiness check: a database that can be read may still refuse to write.
HEARTBEAT = Table("heartbeat", METADATA, Column("id", Integer, primary_key=True), Column("at", Instant))


def sqlite_file(settings: Settings) -> Path | None:
    """Return the file of a SQLite database, or None for a server."""
    url = make_url(settings.database_url.get_secret_value())
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def make_engine(settings: Settings) -> Engine:
    """Return an engine whose commits are durable and whose waits are bounded."""
    url = make_url(settings.database_url.get_secret_value())
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, pool_timeout=settings.lock_seconds, pool_size=4)
    engine = create_engine(url, connect_args={"timeout": settings.lock_seconds, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        for pragma in ("journal_mode=WAL", f"synchronous={settings.synchronous}", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    return engine
