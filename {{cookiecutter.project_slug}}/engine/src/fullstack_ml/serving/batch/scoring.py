"""From a batch of records to answers: refused records with the reason, the others as the server would answer them.

Reads and writes nothing. A worker thread does one batch after the other: Arrow, polars, Pillow and onnxruntime let go
of Python's lock.
"""

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from fullstack_ml.answers.words import ACCEPT, UNCERTAIN, UNFAMILIAR, Scored
from fullstack_ml.inputs import UnreadableError, input_of
from fullstack_ml.serving.batch.batches import Records
from fullstack_ml.serving.batch.refusal import reasons
from fullstack_ml.serving.model import Served
from fullstack_ml.serving.schema import ABSTAIN, ANSWER, NOT_FINITE

VALUES = 2**23  # of inputs that are made at once: 32 MiB as float32
ROWS = 2**14  # that are judged at once: what is made of them is still in the core's cache at the next step
WORDS = pl.Enum([ANSWER, ABSTAIN, UNCERTAIN, UNFAMILIAR, NOT_FINITE])  # a byte each, and not a text
REJECTED, RECORD = "rejected", "record"


@dataclass(frozen=True)
class Kept:
    """What the log keeps of the answered records of a batch."""

    sha256: list[str]
    stored: list[bytes]
    scored: Scored
    decided: np.ndarray
    seconds: float  # of one record


@dataclass(frozen=True)
class Answers:
    """``frame`` has a row per record, with a reason in ``rejected`` where there is no answer."""

    frame: pl.DataFrame
    share: float
    kept: Kept | None


class Answerer:
    """Answers batches by one version; any thread may ask."""

    def __init__(self, served: Served, log: bool) -> None:
        """``log``: also return what the log keeps."""
        self._served, self._product, self._log = served, served.product, log
        self._input = input_of(self._product)
        self._decode = self._input.decoder(self._product)
        shape = served.artefact.session.get_inputs()[0].shape[1:]
        self._rows = max(1, min(ROWS, VALUES // math.prod(size for size in shape if isinstance(size, int))))
        width = served.answer.width(self._product)
        told = served.answer.scores(np.zeros((1, width), np.float32), self._product)[0]
        named = list(told) if isinstance(told, dict) and len(told) == width else range(width)
        self._names = [f"score_{name}" for name in named]

    def answer(self, records: Records) -> Answers:
        """Answer a batch."""
        started = time.perf_counter()
        if self._input.FORM_FIELD:
            told, scored, decided, sha256, stored = self._files(records.payload)
            refused = pl.Series(REJECTED, told, dtype=pl.String)
        else:
            refused = reasons(records.payload, self._product)
            good = records.payload.filter(refused.is_null()) if refused.null_count() < len(refused) else records.payload
            scored, decided = self._frames(good)
            sha256, stored = self._named(good) if self._log else ([], [])
        answers = spread(self._answers(scored, decided), refused.is_null())
        frame = records.place.hstack(answers).with_columns(refused, self._record(records.payload, refused))
        each = (time.perf_counter() - started) / max(1, len(frame))
        kept = Kept(sha256, stored, scored, decided, each) if self._log and len(decided) else None
        return Answers(frame, records.share, kept)

    def _frames(self, good: pl.DataFrame) -> tuple[Scored, np.ndarray]:
        """Score rows, so many at once that memory stays bounded."""
        found = [self._served.judged(self._input.matrix(part, self._product)) for part in good.iter_slices(self._rows)]
        return self._joined(found)

    def _files(self, payload: pl.DataFrame) -> tuple[list[str | None], Scored, np.ndarray, list[str], list[bytes]]:
        """Decode files one by one, as the server does: one that is broken keeps no other from its answer."""
        told: list[str | None] = payload[REJECTED].to_list()
        arrays, sha256, stored, found, held = [], list[str](), list[bytes](), [], 0
        for place, data in enumerate(payload.to_series(0)):
            if told[place] is None:
                try:
                    inputs, names, kept = self._decode(self._input.opened([data])[1], math.inf)
                except UnreadableError as error:
                    told[place] = error.detail
                    continue
                arrays.append(inputs)
                sha256 += names
                stored += kept if self._log else []
                held += 1
            if held == self._rows:
                found.append(self._served.judged(np.concatenate(arrays)))
                arrays, held = [], 0
        if arrays:
            found.append(self._served.judged(np.concatenate(arrays)))
        return told, *self._joined(found), sha256, stored

    def _joined(self, found: list[tuple[Scored, np.ndarray]]) -> tuple[Scored, np.ndarray]:
        if not found:
            width = self._served.answer.width(self._product)
            return Scored(np.empty((0, width), np.float32), np.empty(0, np.float32)), np.empty(0, object)
        return Scored.joined([scored for scored, _ in found]), np.concatenate([decided for _, decided in found])

    def _named(self, good: pl.DataFrame) -> tuple[list[str], list[bytes]]:
        """Return the names of rows, and what the log keeps of each: a text as it is, a row as JSON."""
        sha256 = self._input.content_id(good, self._product).to_list()
        if len(good.columns) == 1 and good.schema[good.columns[0]] == pl.String:
            return sha256, [text.encode() for text in good.to_series()]
        wanted = good.select(list(self._input.columns(self._product)))
        moments = pl.selectors.datetime().dt.to_string("%Y-%m-%dT%H:%M:%S")
        rows = wanted.with_columns(moments).select(pl.struct(pl.all()).struct.json_encode()).to_series()
        return sha256, [text.encode() for text in rows]

    def _answers(self, scored: Scored, decided: np.ndarray) -> pl.DataFrame:
        """Return what is said of every record that was scored."""
        answer = self._served.answer
        text = pl.Series(answer.text(scored.outputs, self._served.rule, self._product), dtype=pl.String)
        columns: dict[str, Any] = {"reason": pl.Series(decided.tolist(), dtype=WORDS), "answer": text}
        columns |= {name: scored.outputs[:, i] for i, name in enumerate(self._names)} | {"novelty": scored.novelty}
        given, finite = pl.col("reason") == ACCEPT, pl.col("reason") != NOT_FINITE
        return pl.DataFrame(columns).select(
            pl.when(given).then("answer").cast(pl.Float64 if answer.SCALE == "interval" else pl.String),
            pl.when(given).then(pl.lit(ANSWER, WORDS)).otherwise(pl.lit(ABSTAIN, WORDS)).alias("decision"),
            pl.when(~given).then("reason").alias("reason"),
            *(pl.when(finite).then(name).alias(name) for name in (*self._names, "novelty")),
            pl.lit(self._served.version.version, pl.Enum([self._served.version.version])).alias("model_version"),
        )

    def _record(self, payload: pl.DataFrame, refused: pl.Series) -> pl.Series:
        """Return as text what stood in the records that are refused; of files their names have to do."""
        bad, columns = payload.filter(refused.is_not_null()), self._input.columns(self._product)
        if not len(bad) or pl.Binary() in columns.values():
            return pl.Series(RECORD, [None], dtype=pl.String).new_from_index(0, len(payload))
        text = pl.struct(*columns).struct.json_encode()
        said = bad.select((pl.coalesce(RECORD, text) if RECORD in bad.columns else text).alias(RECORD))
        return spread(said, refused.is_not_null())[RECORD]


def spread(rows: pl.DataFrame, mask: pl.Series) -> pl.DataFrame:
    """Return ``rows`` at the places where ``mask`` is true, and nothing at the others."""
    if mask.all():
        return rows
    if not len(rows):
        return rows.clear(len(mask))
    places = pl.DataFrame({"mask": mask}).select(pl.when("mask").then(pl.col("mask").cum_sum() - 1)).to_series()
    return rows.select(pl.all().gather(places))
