"""The prediction log without the records that are forgotten.

Changes the tables ``predictions`` and ``feedback`` of ``SERVE_DATABASE_URL``, or else of ``predictions.db``.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import sqlalchemy as sa

from fullstack_ml.data.store.index import HALF
from fullstack_ml.workspace.errors import UserError, first_line

FILE = Path("predictions.db")
BATCH = 500  # ids in one statement: databases bound the number of parameters


def forget_predictions(ids: Iterable[str]) -> int:
    """Delete what was predicted for the contents of the records, and what people said of it; return how much.

    Raises:
        UserError: if the database does not answer.
    """
    url = os.environ.get("SERVE_DATABASE_URL") or f"sqlite:///{FILE}"
    try:
        address = sa.make_url(url)
        if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
            return 0
        engine = sa.create_engine(address)
        try:
            with engine.begin() as connection:
                return _delete(connection, sorted(ids))
        finally:
            engine.dispose()
    except sa.exc.SQLAlchemyError as error:
        what = f"the prediction log does not answer: {first_line(error)}"
        raise UserError(what, "SERVE_DATABASE_URL", "start the database, then run make forget again") from error


def _delete(connection: sa.Connection, ids: list[str]) -> int:
    tables, deleted = sa.MetaData(), 0
    tables.reflect(connection, only=lambda name, _: name in ("predictions", "feedback"))
    if "predictions" not in tables.tables:
        return 0
    predictions, feedback = tables.tables["predictions"], tables.tables.get("feedback")
    for start in range(0, len(ids), BATCH):
        contents = [record[:HALF] for record in ids[start : start + BATCH]]
        meant = sa.func.substr(predictions.c.input_sha256, 1, HALF).in_(contents)
        if feedback is not None:
            asked = sa.select(predictions.c.prediction_id).where(meant)
            connection.execute(sa.delete(feedback).where(feedback.c.prediction_id.in_(asked)))
        deleted += connection.execute(sa.delete(predictions).where(meant)).rowcount
    return deleted
