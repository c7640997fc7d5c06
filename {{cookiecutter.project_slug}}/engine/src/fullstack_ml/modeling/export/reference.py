"""The reference: how inputs, answers and scores were spread when the model was made, for ``make monitor``.

It travels in the artefact's metadata (``reference``), so that a version is always held against its own. Counts of bins,
no records: a number in bins of alike many records, a text by its most frequent values, another text by its length.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from fullstack_ml.answers import answer_of
from fullstack_ml.answers.words import ACCEPT, UNFAMILIAR, Scored
from fullstack_ml.inputs import input_of
from fullstack_ml.pipeline.tables import slice_mask
from fullstack_ml.product.types import Product

BINS = 10
FEWEST = 10  # records of a bin, or of a value that counts by itself
VALUES = 20  # of a text that count by themselves; the others count together
Spread = dict[str, Any]


def spread_of(column: pl.Series) -> Spread:
    """Return the bins of a column and its counts, of which the last is that of missing values.

    ``edges`` are the upper ends of a number's bins but the last one; ``values`` are texts, behind which the others
    count; ``length`` says that a text counts by its characters.
    """
    if column.dtype == pl.String:
        known = column.drop_nulls().value_counts(sort=True)
        often = known.filter(pl.col("count") >= FEWEST).head(VALUES)
        if not len(known) or 2 * often["count"].sum() >= known["count"].sum():
            bins: Spread = {"values": sorted(often[column.name])}
        else:
            bins = {"length": True, "edges": edges_of(column.str.len_chars())}
    else:
        bins = {"edges": edges_of(column)}
    return {**bins, "counts": counts_in(bins, column).tolist()}


def edges_of(column: pl.Series) -> list[float]:
    """Return the upper ends of bins of alike many records, to six digits; fewer where values repeat."""
    values = column.cast(pl.Float64).drop_nulls().drop_nans().to_numpy()
    if not len(values):
        return []
    bins = int(np.clip(len(values) // FEWEST, 2, BINS))
    ends = np.quantile(values, np.arange(1, bins) / bins, method="inverted_cdf")
    return sorted({float(f"{end:.6g}") for end in ends})


def counts_in(bins: Spread, column: pl.Series) -> np.ndarray:
    """Count a column in the ``bins`` of a reference, (bins,); the last is what is missing or no such value."""
    if "values" in bins:
        place = {value: i for i, value in enumerate(bins["values"])}
        known = column.cast(pl.String).drop_nulls()
        which = known.replace_strict(place, default=len(place), return_dtype=pl.Int64).to_numpy()
        width = len(place) + 1
    else:
        numbers = column.str.len_chars() if bins.get("length") and column.dtype == pl.String else column
        values = numbers.cast(pl.Float64, strict=False).drop_nulls().drop_nans().to_numpy()
        which, width = np.searchsorted(np.array(bins["edges"]), values), len(bins["edges"]) + 1
    return np.append(np.bincount(which, minlength=width), len(column) - len(which))


def watched(frame: pl.DataFrame, product: Product) -> pl.DataFrame:
    """Return the columns of records that are compared: those by which slices may select, without dates, which go on.

    ``frame`` holds the payload; what cannot be read is null.
    """
    names = input_of(product).slice_columns(product)
    described = frame if set(names) <= set(frame.columns) else input_of(product).describe(frame, product)
    return described.select(name for name in names if not described[name].dtype.is_temporal())


def slice_shares(columns: pl.DataFrame, product: Product) -> dict[str, pl.Series]:
    """Return for every slice of the contract that the columns tell which records belong to it."""
    told = [part for part in product.data.slices if part.column in columns.columns]
    return {part.id: columns.select(slice_mask(part).alias(part.id))[part.id] for part in told}


def answers_of(texts: Sequence[str | None], product: Product) -> pl.Series:
    """Return answers as a column: numbers where answers have distances, else texts."""
    column = pl.Series("answers", list(texts), dtype=pl.String)
    return column.cast(pl.Float64, strict=False) if answer_of(product).SCALE == "interval" else column


def reference(frame: pl.DataFrame, scored: Scored, rule: Any, product: Product) -> dict[str, Any]:
    """Describe held-out records, as stored, and what the model says of them."""
    answer, columns = answer_of(product), watched(frame, product)
    texts, words = answer.text(scored.outputs, rule, product), answer.decide(scored.outputs, scored.novelty, rule)
    answered = words == ACCEPT
    given = [text for text, mine in zip(texts, answered, strict=True) if mine]
    expected = answer.expected(given, answer.scores(scored.outputs[answered], product), product)
    measured = answer.judge(given, frame["label"].filter(pl.Series(answered)).to_list())
    return {
        "records": len(frame),
        "columns": {name: spread_of(columns[name]) for name in columns.columns},
        "slices": {name: int(mine.sum()) / len(mine) for name, mine in slice_shares(columns, product).items()},
        "answers": spread_of(answers_of(texts, product)),
        "novelty": spread_of(pl.Series("novelty", scored.novelty.astype(np.float64))),
        "answered_share": float(answered.mean()),
        "unfamiliar_share": float((words == UNFAMILIAR).mean()),
        "expected": finite_mean(expected),
        "measured": finite_mean(measured),
        "newest": newest(frame),
    }


def finite_mean(values: np.ndarray) -> float | None:
    """Return the mean of what is finite, None where nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def newest(frame: pl.DataFrame) -> str | None:
    """Return when the newest record was, where records say it; when they were collected differs by machine."""
    last = frame["happened_at"].max() if "happened_at" in frame.columns else None
    return last.isoformat() if isinstance(last, datetime) else None
