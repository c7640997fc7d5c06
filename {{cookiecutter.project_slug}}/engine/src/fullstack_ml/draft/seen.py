"""What a look at the data gives: the facts of a contract, the options of its source, and what a person is told."""

from dataclasses import dataclass, field
from typing import Any

import polars as pl

from fullstack_ml.pages.words import words


@dataclass(frozen=True)
class Wish:
    """What was typed: FROM, ANSWER, LABELS and QUERY of ``make draft``."""

    place: str
    answer: str | None = None
    labels: tuple[str, ...] = ()
    query: str | None = None


@dataclass
class Seen:
    """``records`` are a sample with a column ``label``, as a source would give them; empty without labels.

    ``facts`` fill the contract's template, ``options`` the file conf/source/<source>.yaml. ``table`` is printed, a row
    of five texts per column; ``questions`` are what only a person knows.
    """

    source: str
    options: dict[str, Any]
    facts: dict[str, Any]
    labels: dict[str, int]  # of an answer that is a number, all records under its name
    records: pl.DataFrame
    head: tuple[str, ...] = ("column", "type", "missing", "range or values", "use")
    table: list[tuple[str, ...]] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    slices: list[dict[str, Any]] = field(default_factory=list)
    group: str | None = None  # the column whose rows must stay in one fold
    number: bool = False  # whether the answer is a number
    answers: dict[str, int] = field(default_factory=dict)  # records of every set, where one may have several labels
    time: str | None = None  # the column that says when a record was


def tell_labels(seen: Seen, what: str, place: dict[str, Any]) -> None:
    """Put in what a folder of ``what`` tells: its labels with their counts, and the options that find them there."""
    seen.options |= {"label": None, "group": None} | place
    seen.head = ("label", what, "share")
    total = max(sum(seen.labels.values()), 1)
    seen.table = [(name, str(count), f"{count / total:.1%}") for name, count in seen.labels.items()]


def defined(counts: dict[str, int], total: int) -> list[dict[str, Any]]:
    """Return labels with how many of ``total`` records have them as a first definition."""
    text = "%(count)s of %(total)s records; say what makes a record one"
    return [{"name": name, "definition": words(text, count=count, total=total)} for name, count in counts.items()]


def label_rows(counts: dict[str, int], named: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the labels of the contract with their counts, or those that a person named."""
    if counts:
        return defined(counts, sum(counts.values()))
    text = words("say what makes a record one")
    return [{"name": name, "definition": text} for name in named or ("first label", "second label")]
