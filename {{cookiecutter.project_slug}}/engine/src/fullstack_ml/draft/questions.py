"""What only a person knows of a table: the questions that a draft ends with.

Reads and writes nothing.
"""

from typing import Any

from fullstack_ml.draft.columns import PERSON, Column
from fullstack_ml.draft.leaks import KNOWN
from fullstack_ml.draft.numbers import inside
from fullstack_ml.draft.seen import Wish
from fullstack_ml.pages.words import words


def asked(
    columns: list[Column], groups: list[str], times: list[str], personal: list[Any], answer: str | None, wish: Wish
) -> list[str]:
    """List what only a person knows."""
    text = "meaning of the features, and who or what they come from"
    if any(column.use == "feature" and column.type in ("number", "whole") for column in columns):
        text = "units and meaning of the features; ranges that are limits of nature, not of this sample"
    found = [words(text)]
    if answer and not wish.answer:
        text = "is %(answer)s the answer? If not: make draft FROM=… ANSWER=<column>"
        found.insert(0, words(text, answer=repr(answer)))
    if not answer and not wish.labels:
        text = "does a column hold the answer? No column looks like one: make draft FROM=… ANSWER=<column>"
        found.insert(0, words(text))
    if groups:
        text = "does %(columns)s name what must stay in one split? Then set group in conf/source/"
        found.append(words(text, columns=", ".join(groups)))
    if times:
        text = "will the model be asked about times after those in %(columns)s?"
        found.append(words(text, columns=", ".join(times)))
    if personal:
        held = ", ".join(inside(words(kind), name) for name, kind in personal)
        found.append(words("may these be kept: %(held)s?", held=held))
    noticed = {name for name, _ in personal}
    if persons := [column.name for column in columns if PERSON.search(column.name) and column.name not in noticed]:
        text = "does %(columns)s say who somebody is? Then privacy: personal"
        found.append(words(text, columns=", ".join(persons)))
    if any(words(KNOWN) in column.reason for column in columns):
        found.append(words("were the columns that give the answer away known before it? Then take them in"))
    return found
