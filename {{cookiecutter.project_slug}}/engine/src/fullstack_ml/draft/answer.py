"""The column of a table that is the answer: which one, whether labels or a number, and what the contract says of it.

Reads and writes nothing.
"""

from typing import Any

from fullstack_ml.draft.columns import Column, guess_answer, is_number
from fullstack_ml.draft.numbers import legal_range
from fullstack_ml.draft.seen import Seen, Wish
from fullstack_ml.draft.tally import Tally
from fullstack_ml.pages.words import words
from fullstack_ml.workspace.errors import UserError, suggest

MOST_LABELS = 200


def chosen_answer(columns: list[Column], wish: Wish, rows: int) -> str | None:
    """Return the column of the answer: the one that was named, or a guess; None without any, or with LABELS."""
    names = [column.name for column in columns]
    if wish.answer is None:
        return None if wish.labels else guess_answer(columns, rows)
    trimmed = {name.strip(): name for name in names}
    parts = [part.strip() for part in wish.answer.split(",")]
    if wish.answer not in names and len(parts) > 1 and set(parts) <= set(trimmed):
        what = f"ANSWER names {len(parts)} columns, and the labels of a record stand in one"
        fix = f"add a column that holds them with ; between, such as {';'.join(parts[:2])}, or none; then name that one"
        raise UserError(what, wish.place, fix)
    if wish.answer not in names and wish.answer.strip() not in trimmed:
        raise UserError(f"{wish.place} has no column {wish.answer!r}", "ANSWER", suggest(wish.answer, names))
    return wish.answer if wish.answer in names else trimmed[wish.answer.strip()]


def number_of(columns: list[Column], answer: str | None) -> Column | None:
    """Return the column of the answer where that is a number."""
    return next((column for column in columns if column.name == answer and is_number(column)), None)


def counted(table: Tally, answer: str | None, number: Column | None) -> dict[str, int]:
    """Return the labels in the order of their names with their counts; of a ``number`` all records under its name."""
    if answer is None:
        return {}
    if number:
        return {number.name: table.rows - number.missing - number.strange}
    values = table.counts[answer].values
    if values is None or len(values) > MOST_LABELS:
        what = f"column {answer!r} has more than {MOST_LABELS} different values, and is no label"
        raise UserError(what, "ANSWER", "name a column with few values, or with numbers")
    if len(values) < 2:
        held = ", ".join(map(repr, values)) or "no value"
        raise UserError(
            f"column {answer!r} holds one label only: {held}", "ANSWER", "name a column of two labels or more"
        )
    return dict(sorted(values.items()))


def options_of(column: Column) -> dict[str, Any]:
    """Return the options of an answer that is a number, and the reason of its range."""
    low, high, reason = legal_range(column.low, column.high, column.type == "whole")
    tolerance = float(f"{(column.high - column.low) / 10:.2g}")
    return {"options": {"unit": "", "low": low, "high": high, "tolerance": tolerance}, "reason": reason}


def take_number(seen: Seen, number: Column | None) -> None:
    """Take a column of numbers as the answer, and note what of it is none."""
    if number is None:
        return
    seen.number = True
    seen.facts |= {"labels": [], "number": options_of(number)}
    if number.strange:
        said = "%(answers)s answers are no numbers: empty them in the source, or stage validate stops"
        seen.notes.append(words(said, answers=number.strange))
