"""Source ``predictions``: what users sent to the server comes back as raw records, those first that teach most.

Reads the prediction log: strangers, doubtful answers, answers that users corrected, and a random sample, in the shares
of conf/source/predictions.yaml. A record comes once, however often it was sent: what is stored already, by its content
or its prediction, is left out. Without inputs in the log (``data.privacy: personal``) nothing can come back, and
nothing older than ``data.retention_days`` does. ``source`` of a record names its prediction and why it was chosen.
"""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from fullstack_ml.answers import answer_of
from fullstack_ml.answers.words import UNCERTAIN, UNFAMILIAR
from fullstack_ml.data.collect.names import ROW_KEY
from fullstack_ml.data.collect.sources.sql import address_of
from fullstack_ml.data.collect.sources.terms import kind_of, licence_of
from fullstack_ml.data.store.index import HALF, content_of
from fullstack_ml.inputs import input_of
from fullstack_ml.pipeline.tables import raw, shards
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError, first_line
from fullstack_ml.workspace.paths import RAW
from fullstack_ml.workspace.seams import package_name

WHERE = "source.options in conf/source/predictions.yaml"
INTERNAL = "internal"  # the licence of what users sent, where the contract has it
PRODUCTION = "production"  # the kind of such records, where the contract has it
GROUPS = ("corrected", "strangers", "doubtful", "random")  # who comes first takes a record
SAMPLE = 20  # times as many as are wanted, of which the least sure are taken
COLUMNS = ("prediction_id", "caller", "input_sha256", "answer", "scores", "served", "model_name", "reason", "input")


def read(
    product: Product,
    records: int,
    shares: dict[str, float],
    days: float = 30,
    kind: str | None = None,
    licence: str | None = None,
    group: str | None = None,
    url: str = "env:SERVE_DATABASE_URL",
    seen: set[str] | None = None,
) -> Iterator[pl.DataFrame]:
    """Yield one batch of up to ``records`` records, each share of them chosen in one way.

    Raises:
        UserError: for shares that are none, a kind that the contract lacks, or a log that cannot be read or keeps no
            input.
    """
    import sqlalchemy as sql

    kind = kind or next((one.name for one in product.data.kinds if one.name == PRODUCTION), kind_of(product, None))
    check(product, shares, kind, group)
    licence = licence or (INTERNAL if INTERNAL in product.data.licences else licence_of(product, None, WHERE))
    if url == "env:SERVE_DATABASE_URL" and "SERVE_DATABASE_URL" not in os.environ:
        url = "sqlite:///predictions.db"
    engine = sql.create_engine(address_of(url, WHERE))
    since = datetime.now(UTC) - timedelta(days=min(days, product.data.retention_days))
    known = raw().select(content_of(pl.col("id"))).collect()["id"] if shards(RAW) else pl.Series("id", [], pl.String)
    before = {name.split()[1] for name in seen or () if name.startswith("prediction ")}
    try:
        with engine.connect() as connection:
            chosen = choose(Candidates(connection, since, product), set(known), before, records, shares)
            frame = with_inputs(connection, chosen)
    except sql.exc.SQLAlchemyError as error:
        what = f"the log cannot be read: {first_line(error)}"
        raise UserError(what, WHERE, "make serve makes it; SERVE_DATABASE_URL names it") from error
    finally:
        engine.dispose()
    if len(frame):
        yield as_raw(frame, product, kind, licence, group)


def check(product: Product, shares: dict[str, float], kind: str, group: str | None) -> None:
    """Refuse options that make no sense, and a contract under which nothing may come back."""
    if set(shares) != set(GROUPS) or min(shares.values()) < 0 or abs(sum(shares.values()) - 1) > 1e-6:
        fix = f"give {', '.join(GROUPS)} shares from 0 that sum to 1"
        raise UserError(f"shares are {shares}", WHERE, fix)
    if kind not in {one.name for one in product.data.kinds}:
        row = "{name: " + kind + ", wanted: 0, scope: in, note: what users sent}"
        fix = f"add {row} to data.kinds of product.yaml"
        raise UserError(f"product.yaml has no kind {kind!r}", WHERE, fix)
    if group not in (None, "caller"):
        raise UserError(f"group is {group!r}", WHERE, "null, or caller: what one caller sent stays in one split")
    if product.data.privacy == "personal":
        what = "the log keeps no input, since data.privacy of product.yaml is personal"
        raise UserError(what, WHERE, "bring such records by their own source, with the right to do so")


class Candidates:
    """Asks the log for predictions of each group, in an order of chance that is always the same."""

    def __init__(self, connection: Any, since: datetime, product: Product) -> None:
        """``since``: older ones are left out."""
        import sqlalchemy as sql

        self._sql = sql
        self._log = sql.table("predictions", *map(sql.column, COLUMNS))
        self._said = sql.table("feedback", *map(sql.column, ("prediction_id", "answer", "how")))
        self._connection, self._product, log = connection, product, self._log.c
        begin = f"{int(since.timestamp() * 1000):012x}"  # ids begin with the time
        self._mine = (log.prediction_id >= begin) & log.served & (log.model_name == package_name())
        self._mine &= log.input.is_not(None)

    def of(self, group: str, wanted: int) -> Iterator[tuple[str, str, str]]:
        """Yield the predictions of a group, each once: id, caller, hash of the input. As many as there are."""
        log, asked = self._log.c, self._asked(group)
        # Behind the time, an id is chance.
        ordered = self._sql.func.substr(log.prediction_id, 13)
        query = self._sql.select(log.prediction_id, log.caller, log.input_sha256).where(asked).order_by(ordered)
        empty = True
        for row in self._connection.execution_options(yield_per=1000).execute(query):
            empty = False
            yield tuple(row)
        if group == "doubtful" and empty:  # a product that always answers
            yield from self._least_sure(wanted)

    def _asked(self, group: str) -> Any:
        log, said = self._log.c, self._said.c
        if group == "corrected":
            wrong = (said.prediction_id == log.prediction_id) & (said.how == "noticed") & (said.answer != log.answer)
            return self._mine & self._sql.exists().where(wrong)
        reasons = {"strangers": UNFAMILIAR, "doubtful": UNCERTAIN}
        return self._mine & (log.reason == reasons[group]) if group in reasons else self._mine

    def _least_sure(self, wanted: int) -> Iterator[tuple[str, str, str]]:
        """Yield of a random sample the answers of which the model is least sure."""
        log, answer = self._log.c, answer_of(self._product)
        names = (log.prediction_id, log.caller, log.input_sha256, log.answer, log.scores)
        given = self._mine & log.answer.is_not(None) & log.scores.is_not(None)
        query = self._sql.select(*names).where(given).order_by(self._sql.func.substr(log.prediction_id, 13))
        rows = [tuple(row) for row in self._connection.execute(query.limit(SAMPLE * wanted))]
        scores = [json.loads(row[4]) for row in rows]
        sure = answer.expected([row[3] for row in rows], scores, self._product)
        sign = 1 if answer.METRICS[answer.MAIN].better == "higher" else -1
        yield from (rows[i][:3] for i in np.argsort(sign * sure, kind="stable"))


def choose(
    log: Candidates, contents: set[str], before: set[str], records: int, shares: dict[str, float]
) -> dict[str, tuple[str, str]]:
    """Return the chosen ids of predictions, each with its group and its caller; no content twice, none of ``contents``.

    The log has the hash of the content too, with which the id of a record begins.
    """
    chosen: dict[str, tuple[str, str]] = {}
    taken = set(contents)
    for group in GROUPS:
        left = round(records * shares[group])
        if not left:
            continue
        for name, caller, digest in log.of(group, left):
            content = digest[:HALF]
            if name not in before and content not in taken:
                chosen[name], left = (group, caller), left - 1
                taken.add(content)
            if not left:
                break
    return chosen


def with_inputs(connection: Any, chosen: dict[str, tuple[str, str]]) -> pl.DataFrame:
    """Return the chosen predictions with their inputs and times, in the order of time."""
    import sqlalchemy as sql

    log = sql.table("predictions", *map(sql.column, ("prediction_id", "input", "served"))).c
    names, rows = sorted(chosen), list[Any]()
    for start in range(0, len(names), 500):  # no database takes a list of any length
        wanted = log.prediction_id.in_(names[start : start + 500]) & log.served
        rows += map(tuple, connection.execute(sql.select(log.prediction_id, log.input).where(wanted)))
    found = [(name, *chosen[name], data) for name, data in sorted(rows)]
    schema = {"prediction": pl.String, "group": pl.String, "caller": pl.String, "input": pl.Binary}
    return pl.DataFrame(found, schema=schema, orient="row")


def as_raw(frame: pl.DataFrame, product: Product, kind: str, licence: str, group: str | None) -> pl.DataFrame:
    """Return predictions in the columns of a source; ``source`` says which one it was, and why it was chosen."""
    payload = input_of(product).logged(frame["input"].to_list(), product)
    moments = [datetime.fromtimestamp(int(name[:12], 16) / 1000, UTC) for name in frame["prediction"]]
    beside = {name: pl.lit(None, pl.String) for name in product.data.columns}
    keyed = {ROW_KEY: frame["prediction"]} if product.data.row_key else {}
    return payload.with_columns(
        source_label=pl.lit(None, pl.String),
        kind=pl.lit(kind),
        group=frame["caller"] if group == "caller" else pl.lit(None, pl.String),
        source="prediction " + frame["prediction"] + " " + frame["group"],
        licence=pl.lit(licence),
        happened_at=pl.Series(moments).dt.replace_time_zone(None).cast(pl.Datetime("us")),
        **beside,
        **keyed,
    )
