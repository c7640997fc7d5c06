"""How a text table writes its numbers: with a decimal point or comma, with words for a missing one.

Reads and writes nothing.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from fullstack_ml.data.collect.sources.conversion import MISSING
from fullstack_ml.workspace.sentences import sentence

POINT = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
DECIMAL = r"^[+-]?(\d+|\d{1,3}([. ]\d{3})+),\d+([eE][+-]?\d+)?$"  # 94,0 and 1.234,5
THOUSANDS = r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$"  # 1,234 and 1,234.5
MOSTLY = 0.9  # share of numbers in a column that is taken for one of numbers


@dataclass
class Writing:
    """Columns of numbers, and whether a comma parts the decimals (else thousands)."""

    columns: list[str]
    decimal_comma: bool
    notes: list[Any] = field(default_factory=list)


def writing_of(start: pl.DataFrame, numeric: Collection[str] | None, by_commas: bool) -> Writing:
    """Find how numbers are written.

    Args:
        start: the first rows.
        numeric: the columns of numbers; None: those that look so.
        by_commas: whether commas part the cells, so that one within a cell rather parts thousands.
    """
    texts = [name for name, kind in start.schema.items() if kind == pl.String]
    columns = [name for name in texts if (_looks_numeric(start[name]) if numeric is None else name in numeric)]
    held = [start[name].drop_nulls().str.strip_chars() for name in columns]
    commas = pl.concat([values.filter(values.str.contains(",")) for values in held]) if held else pl.Series([""])[:0]
    only_decimal = (commas.str.contains(DECIMAL) & ~commas.str.contains(THOUSANDS)).any()
    only_thousands = (commas.str.contains(THOUSANDS) & ~commas.str.contains(DECIMAL)).any()
    decimal = only_decimal or not (only_thousands or by_commas)
    notes = []
    if len(commas):
        notes.append(sentence("numbers with a decimal comma" if decimal else "numbers with commas between thousands"))
    return Writing(columns, bool(decimal), notes)


def _looks_numeric(values: pl.Series) -> bool:
    """Say whether nearly all cells are numbers; what begins with a zero, such as a code, is none."""
    values = values.drop_nulls().str.strip_chars()
    values = values.filter(~values.str.to_lowercase().is_in(MISSING))
    number = values.str.contains(f"{POINT}|{DECIMAL}|{THOUSANDS}") & ~values.str.contains(r"^0\d+$")
    return len(values) > 0 and float(number.mean() or 0) >= MOSTLY  # type: ignore[arg-type]


def _is_plain(texts: pl.Series) -> bool:
    """Say whether every cell is a number as it stands, which is usual and found quickly."""
    numbers = texts.cast(pl.Float64, strict=False)
    return numbers.null_count() == texts.null_count() and not numbers.is_nan().any()


def normalised(frame: pl.DataFrame, writing: Writing) -> pl.DataFrame:
    """Write numbers with a decimal point, and leave words for a missing one out; other text stays as it is."""
    changed = []
    for name in filter(lambda name: not _is_plain(frame[name]), writing.columns):
        text = pl.col(name).str.strip_chars()
        given = pl.when(~text.str.to_lowercase().is_in(MISSING)).then(text)
        if writing.decimal_comma:
            plain = text.str.replace_all(r"[. ]", "").str.replace(",", ".", literal=True)
        else:
            plain = text.str.replace_all(",", "", literal=True)
        is_plain = text.str.contains(DECIMAL if writing.decimal_comma else THOUSANDS)
        changed.append(pl.when(is_plain).then(plain).otherwise(given).alias(name))
    return frame.with_columns(changed) if changed else frame
