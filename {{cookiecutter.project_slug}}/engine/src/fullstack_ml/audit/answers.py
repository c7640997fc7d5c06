"""What the prediction log says: one answer with what people said of it, and how many answers there are of a kind.

Reads the database of SERVE_DATABASE_URL, by default ``predictions.db``, as it lies there: serving may be taken out of
the project, and what it wrote stays. Writes nothing.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from fullstack_ml.workspace.errors import UserError, first_line

DEFAULT = "sqlite:///predictions.db"
SHOWN = 20


@contextmanager
def opened() -> Iterator[tuple[sa.Connection, sa.Table, sa.Table] | None]:
    """Connect; yield the connection with the tables of predictions and feedback, or None where there is no log yet.

    Raises:
        UserError: if the database does not answer.
    """
    url = sa.make_url(os.environ.get("SERVE_DATABASE_URL") or DEFAULT)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        yield None
        return
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            if not sa.inspect(connection).has_table("predictions"):
                yield None
                return
            tables = [sa.Table(name, sa.MetaData(), autoload_with=connection) for name in ("predictions", "feedback")]
            yield connection, tables[0], tables[1]
    except sa.exc.SQLAlchemyError as error:
        said = first_line(error)
        raise UserError(f"the prediction log does not answer: {said}", "SERVE_DATABASE_URL", "mend the URL") from error
    finally:
        engine.dispose()


def prediction(identity: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what every arm said under an id, the one that was served first, and the feedback to it."""
    with opened() as log:
        if log is None:
            return [], []
        connection, said, heard = log
        rows = connection.execute(sa.select(said).where(said.c.prediction_id == identity).order_by(~said.c.served))
        words = connection.execute(sa.select(heard).where(heard.c.prediction_id == identity))
        return [dict(row) for row in rows.mappings()], [dict(row) for row in words.mappings()]


def of_content(content: str) -> tuple[int, list[dict[str, Any]]]:
    """Return how many answers were given to an input whose SHA-256 begins so, and the newest of them."""
    with opened() as log:
        if log is None:
            return 0, []
        connection, said, _ = log
        same = sa.and_(said.c.input_sha256.startswith(content), said.c.served)
        count = connection.execute(sa.select(sa.func.count()).where(same)).scalar() or 0
        newest = sa.select(said).where(same).order_by(said.c.prediction_id.desc()).limit(SHOWN)
        return count, [dict(row) for row in connection.execute(newest).mappings()]


def of_versions(versions: list[str]) -> list[dict[str, Any]]:
    """Return how many answers each version gave, by decision, with the first and the last time."""
    with opened() as log:
        if log is None or not versions:
            return []
        connection, said, _ = log
        counted = sa.select(
            said.c.model_version,
            said.c.decision,
            sa.func.count().label("answers"),
            sa.func.min(said.c.requested_at).label("first"),
            sa.func.max(said.c.requested_at).label("last"),
        ).where(said.c.model_version.in_(versions), said.c.served)
        counted = counted.group_by(said.c.model_version, said.c.decision).order_by("model_version", "decision")
        return [dict(row) for row in connection.execute(counted).mappings()]
