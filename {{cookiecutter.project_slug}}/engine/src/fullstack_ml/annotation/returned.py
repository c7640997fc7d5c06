"""Read what people outside send back: a table in any common form, or Label Studio's own JSON export, row by row.

Reads the file; writes nothing. What a row means, and whether it is right, ``import_labels`` decides.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fullstack_ml.answers import answer_of
from fullstack_ml.data.collect.sources.delimited import ROW
from fullstack_ml.data.collect.sources.reading import read_table_file
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.spreadsheet import meant

Row = dict[str, Any]
# The names that a column may have; the first is ours.
COLUMNS = {
    "id": ("id", "file", "image", "picture", "filename"),
    "label": ("label", "answer"),
    "annotator": ("annotator", "by"),
    "round": ("round",),
    "guide_version": ("guide_version",),
    "annotated_at": ("annotated_at",),
    "seconds": ("seconds",),
    "note": ("note", "remark", "comment"),
}
BY = "say who labelled: BY=<name>, or a column annotator"


def table_rows(file: Path) -> list[Row]:
    """Read a table; ``row`` counts as a spreadsheet does, in which the titles are row 1.

    Raises:
        UserError: if it is no table, or has no column for records or labels.
    """
    reading = read_table_file(file, numeric=(), bad_rows="keep-out", where="FILE")
    titles = {name.strip().lower(): name for name in reading.names}
    found = {column: [titles[n] for n in names if n in titles][:1] for column, names in COLUMNS.items()}
    for column in ("id", "label"):
        if not found[column]:
            read = f" (read as: {reading.said})" if reading.notes else ""
            what = f"{file.name} has no column {column!r}; it has {', '.join(reading.names)}{read}"
            fix = f"let the first row of the first sheet name the columns, one of them {column}"
            raise UserError(what, str(file), fix)
    rows = []
    for batch in reading.batches:
        for given in batch.iter_rows(named=True):
            row = {column: given[names[0]] if names else None for column, names in found.items()}
            rows.append({**row, "row": given[ROW] + 1, "reason": None})
    return rows + [{"row": bad.line, "reason": bad.reason, "id": "", "label": bad.text[:200]} for bad in reading.bad]


def json_rows(file: Path, product: Product) -> list[Row]:
    """Read a list of objects: rows, or tasks of Label Studio with their annotations; ``row`` counts them from 1.

    Raises:
        UserError: if it is something else.
    """
    try:
        listed = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise UserError(f"{file.name} is unreadable: {error}", str(file), "give a JSON file in UTF-8") from error
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise UserError(f"{file.name} is no list of objects", str(file), "export it as JSON, with all annotations")
    rows: list[Row] = []
    for number, one in enumerate(listed, 1):
        if isinstance(one.get("annotations"), list) and isinstance(one.get("data"), dict):
            rows += studio_rows(one, number, product)
        else:
            given = {str(name).strip().lower(): value for name, value in one.items()}
            found = {column: [given[n] for n in names if n in given] for column, names in COLUMNS.items()}
            rows.append({column: values[0] if values else None for column, values in found.items()})
            rows[-1] |= {"row": number, "reason": None}
    return rows


def studio_rows(task: dict[str, Any], number: int, product: Product) -> list[Row]:
    """Return the annotations of a task of Label Studio; the record is named by the data of the task."""
    data, rows = task["data"], []
    record = data.get("id") or next((value for value in data.values() if isinstance(value, str)), "")
    for given in task["annotations"]:
        if given.get("was_cancelled"):
            continue
        who = given.get("completed_by")
        name = who.get("email") or who.get("id") if isinstance(who, dict) else who
        try:
            answers, reason = answer_of(product).said(given["result"]), None
        except (KeyError, TypeError):
            answers, reason = [], "no answer of this interface"
        if len(answers) > 1:
            reason = "not exactly one answer"
        seconds, at = given.get("lead_time"), given.get("updated_at") or given.get("created_at")
        row: Row = {"id": record, "label": " + ".join(answers), "annotator": name, "round": None, "seconds": seconds}
        rows.append({**row, "guide_version": None, "annotated_at": at, "row": number, "reason": reason, "note": None})
    return rows


def read_returned(file: Path, by: str, one: str, product: Product) -> list[Row]:
    """Read a file and complete its rows: who labelled, of which round, when.

    Args:
        file: what came back.
        by: who labelled all of it; empty: its rows say so.
        one: the round of rows that name none.
        product: the contract.

    Raises:
        UserError: if the file cannot be read, or does not say who labelled.
    """
    rows = json_rows(file, product) if file.suffix.lower() == ".json" else table_rows(file)
    now = datetime.now(UTC)  # the clock of who saved it may be fast: no later correction would count
    saved = min(datetime.fromtimestamp(file.stat().st_mtime, UTC), now)
    for row in rows:
        for column in COLUMNS:
            value = row.get(column)
            row[column] = value if value is None else meant(str(value))
        row["annotator"] = by or (row["annotator"] or "").strip().removesuffix("@localhost")
        row |= {"id": row["id"] or "", "label": row["label"] or "", "round": row["round"] or one}
        row["annotated_at"] = row["annotated_at"] or saved
    if nameless := [row["row"] for row in rows if not row["annotator"] and row["label"]]:
        raise UserError(f"{file.name} does not say who labelled, first in row {nameless[0]}", str(file), BY)
    return rows
