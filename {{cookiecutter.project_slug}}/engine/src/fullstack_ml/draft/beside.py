"""A table beside pictures: what it says of each, where it has the columns ``file`` and ``label``.

Reads the tables of a folder; writes nothing.
"""

from collections.abc import Iterator
from posixpath import splitext
from typing import Any

import polars as pl

from fullstack_ml.data.collect.sources.files import files_below, names_below
from fullstack_ml.data.collect.sources.listing import matched
from fullstack_ml.data.collect.sources.reading import is_table
from fullstack_ml.data.collect.sources.tables import open_table
from fullstack_ml.pages.words import words
from fullstack_ml.workspace.errors import UserError

WHERE = "FROM"
FILE, LABEL = "file", "label"


def tables_of(system: Any, folder: str, notes: list[str]) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the name below the folder and the rows, as text, of every table that is no text of a picture's name.

    What cannot be read as a table is a text, such as a note for people: it is left alone, and ``notes`` say so.
    """
    files = list(files_below(system, folder))
    others = {splitext(file)[0] for file in files if not is_table(file)}
    for file in files:
        if is_table(file) and splitext(file)[0] not in others:
            name = "/".join(names_below(file, folder))
            try:
                reading = open_table(system, file, file, None, "keep-out", WHERE)
                nothing = pl.DataFrame(schema=dict.fromkeys(reading.names, pl.String))
                rows = [batch.select(reading.names).cast(pl.String) for batch in reading.batches]
            except UserError:
                notes.append(words("%(table)s is no table: it is left alone", table=name))
                continue
            yield name, pl.concat([nothing, *rows])


def labels_beside(
    system: Any, folder: str, place: str, pictures: list[str], notes: list[str]
) -> tuple[dict[str, str], str | None]:
    """Return the label of every picture that a table of the folder names, and where the table lies; or nothing.

    A table without these columns is left alone, and ``notes`` say so.
    """
    names = {file: "/".join(names_below(file, folder)) for file in pictures}
    for table, rows in tables_of(system, folder, notes):
        if not {FILE, LABEL} <= set(rows.columns):
            has = ", ".join(rows.columns[:6])
            text = "%(table)s says nothing of the pictures: it has %(columns)s, and not the columns file and label"
            notes.append(words(text, table=table, columns=has))
            continue
        listed = {file: {LABEL: label} for file, label in rows.select(FILE, LABEL).iter_rows() if file}
        said, gone = matched(listed, list(names.values()))
        if gone:
            text = "%(table)s names %(pictures)s pictures that are not there, such as %(picture)s: take them out"
            notes.append(words(text, table=table, pictures=len(gone), picture=gone[0]))
        found = {file: str(said[name][LABEL]) for file, name in names.items() if said.get(name, {}).get(LABEL)}
        return found, f"{place.rstrip('/')}/{table}"
    return {}, None
