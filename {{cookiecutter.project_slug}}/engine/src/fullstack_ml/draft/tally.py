"""Count what all rows of a table say of its columns, batch by batch, and keep a sample of the rows.

Reads and writes nothing. Ranges, gaps and values are those of every row; only what needs a model asks the sample.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from fullstack_ml.data.collect.sources.conversion import is_missing

SAMPLE = 20_000  # rows that are kept
MOST = 500  # different values of a column that are counted
MOST_ANSWERS = 5_000  # ... of a column that may be the answer


@dataclass
class Count:
    """What all rows say of one column; ``values`` is None once there are too many different ones."""

    missing: int = 0
    numbers: int = 0  # values that are numbers, as all of a typed column are
    words: int = 0  # values of a column of numbers that say "nothing is there"
    low: float = float("inf")
    high: float = float("-inf")
    whole: bool = True
    lengths: int = 0  # characters of all values
    values: dict[str, int] | None = field(default_factory=dict)

    def add_values(self, values: pl.Series, most: int) -> None:
        """Count how often every value stands in a batch."""
        if self.values is None:
            return
        for value, count in values.drop_nulls().alias("value").value_counts().iter_rows():
            self.values[value] = self.values.get(value, 0) + count
        if len(self.values) > most:
            self.values = None


@dataclass
class Tally:
    """``rows`` in all, a count per column, and at most ``SAMPLE`` rows drawn at random, as text."""

    rows: int
    counts: dict[str, Count]
    sample: pl.DataFrame


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Write every value as the text that a CSV file would hold."""
    kinds = {name: kind for name, kind in frame.schema.items() if kind != pl.String}
    nested = [name for name, kind in kinds.items() if kind.is_nested() or kind in (pl.Binary, pl.Object)]
    return frame.drop(nested).with_columns(pl.col(name).cast(pl.String) for name in kinds if name not in nested)


def measure(frame: pl.DataFrame, counts: dict[str, Count], answer: str | None) -> None:
    """Add a batch of text columns to the counts."""
    for name in frame.columns:
        count, texts = counts.setdefault(name, Count()), frame[name]
        numbers = texts.cast(pl.Float64, strict=False).replace([float("nan"), float("inf"), float("-inf")], None)
        count.missing += texts.null_count()
        found = numbers.drop_nulls()
        if len(found):
            others = pl.DataFrame({"text": texts.filter(numbers.is_null() & texts.is_not_null())})
            count.words += others.select(is_missing(pl.col("text")).sum()).item() if len(others) else 0
            count.numbers += len(found)
            count.low = min(count.low, float(found.min()))  # type: ignore[arg-type]
            count.high = max(count.high, float(found.max()))  # type: ignore[arg-type]
            count.whole = count.whole and bool((found == found.floor()).all())
        count.lengths += int(texts.str.len_chars().sum() or 0)
        count.add_values(texts, MOST_ANSWERS if name == answer else MOST)


def tally(batches: Iterator[pl.DataFrame], answer: str | None, seed: int = 0) -> Tally:
    """Read all batches once.

    The sample is drawn by a random number per row, of which the smallest stay (Vitter 1985, Random Sampling with a
    Reservoir, in its form for batches).
    """
    counts: dict[str, Count] = {}
    kept, rows = pl.DataFrame(), 0
    for number, batch in enumerate(batches):
        frame = as_text(batch)
        measure(frame, counts, answer)
        drawn = frame.with_columns(_draw=pl.int_range(len(frame)).shuffle(seed + number) / max(len(frame), 1))
        rows += len(frame)
        # A row stays with chance SAMPLE / rows so far, whichever batch it comes from.
        share = min(1.0, SAMPLE / rows)
        kept = pl.concat([part.filter(pl.col("_draw") < share) for part in (kept, drawn) if part.width])
    return Tally(rows, counts, kept.drop("_draw") if kept.width else kept)
