"""Take labels from people outside: a form that was filled in, or the export of another tool.

Reads a CSV, Excel, Parquet or JSON file, one row per label, or Label Studio's own JSON export; adds the good rows to
``data/labels/<round>.parquet`` and lists the others in ``data/rejected/import-<file>.csv``, each with its row and why.
A row names ``id`` and ``label``, and may name ``annotator``, ``round``, ``guide_version``, ``annotated_at``,
``seconds`` and ``note``. The same file again changes nothing.
Run: ``make import FILE=form.xlsx BY=vendor-1``.
"""

import argparse
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from fullstack_ml.annotation.effort import by_round, spent
from fullstack_ml.annotation.labels import store
from fullstack_ml.annotation.returned import Row, read_returned
from fullstack_ml.answers import answer_of
from fullstack_ml.data.forget.keep import keep
from fullstack_ml.data.label.agreement import CANNOT
from fullstack_ml.data.label.held import hold_labels
from fullstack_ml.data.label.rounds import Round, named, read_all
from fullstack_ml.data.label.standing import annotations, illegal, outside
from fullstack_ml.pipeline.tables import LABEL
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError, guard, suggest
from fullstack_ml.workspace.files import write_text
from fullstack_ml.workspace.paths import LABELS, REJECTED
from fullstack_ml.workspace.spreadsheet import csv_text

# A round, and its records by what may stand for them.
Known = tuple[Round, dict[str, str]]
SHORTEST = 12  # characters of an id, or of the name of an item's picture, that tell which record is meant


def record_of(said: str, known: dict[str, str]) -> str | None:
    """Return the record that ``said`` names: an id, or its first characters, also within the name of a file."""
    if said in known:
        return known[said]
    words = "".join(letter if letter in "0123456789abcdef" else " " for letter in said.lower()).split()
    found = {known[word[:SHORTEST]] for word in words if word[:SHORTEST] in known}
    return found.pop() if len(found) == 1 else None


def known_ids(one: Round) -> dict[str, str]:
    """Return the records of a round by id and by the first characters of it, where these are those of one."""
    starts = Counter(record[:SHORTEST] for record in one.items)
    short = {record[:SHORTEST]: record for record in one.items if starts[record[:SHORTEST]] == 1}
    return {**short, **{record: record for record in one.items}}


def number(text: str) -> float:
    """Read a number of seconds; a ``ValueError`` where there is none."""
    value = float(text.replace(",", "."))
    if not 0 <= value < float("inf"):
        raise ValueError(text)
    return value


def moment(text: str) -> datetime:
    """Read a time, in UTC where it names no offset; a ``ValueError`` where there is none, or one to come."""
    read = datetime.fromisoformat(text.strip())
    aware = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    if aware > datetime.now(UTC):
        raise ValueError(text)
    return aware


def judge(row: Row, rounds: dict[str, Known], fault: Callable[[str], str | None], names: list[str]) -> str | None:
    """Say what is wrong with a row, or None; fill in what is right of it."""
    row["label"] = row["label"].strip()
    if row["reason"]:
        return str(row["reason"])
    if row["round"] not in rounds:
        return f"unknown round {row['round']!r}"
    one, known = rounds[row["round"]]
    record = record_of(row["id"].strip(), known)
    if record is None:
        return f"unknown id: no item of round {one.name}" if row["id"].strip() else "the id is empty"
    row["id"] = record
    if not row["label"]:
        return "empty: no label"
    if row["label"] != CANNOT and (wrong := fault(row["label"])):
        near = suggest(row["label"], [*names, CANNOT])
        return f"unknown label {row['label']!r}: {near if near.startswith('did') else f'it {wrong}'}"
    for column, read in (("annotated_at", moment), ("seconds", number)):
        try:
            row[column] = read(row[column]) if isinstance(row[column], str) else row[column]
        except ValueError:
            return f"{column} is {row[column]!r}, which is none, or none that can be"
    version = (row["guide_version"] or one.guide_at(row["annotated_at"])).strip().removeprefix("v")
    row["guide_version"] = version
    return None if re.fullmatch(r"\d+\.\d+", version) else f"guide_version is {version!r}, which is none such as 1.0"


def set_twins_apart(rows: list[Row]) -> None:
    """Of several rows of one person on one record let the latest count; where that is not to be told, one of equals."""
    seen: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        seen.setdefault((row["round"], row["id"], row["annotator"]), []).append(row)
    for same in seen.values():
        last = max(row["annotated_at"] for row in same)
        newest = [row for row in same if row["annotated_at"] == last]
        if len({row["label"] for row in newest}) > 1:
            where = ", ".join(str(row["row"]) for row in newest)
            for row in newest:
                row["reason"] = f"twice, with different labels: rows {where}"
        for row in same:
            if row is not newest[0] and not row["reason"]:
                row["reason"] = f"twice: row {newest[0]['row']} counts"


def sort_out(rows: list[Row], product: Product) -> tuple[list[Row], list[Row]]:
    """Part the rows of a file into good and bad ones; the bad ones have a ``reason``."""
    answer, known = answer_of(product), {name: (one, known_ids(one)) for name, one in read_all().items()}
    checked: dict[str, dict[str, str]] = {}

    def fault(label: str) -> str | None:
        if label not in checked:
            checked[label] = illegal([label], product)
        return checked[label].get(label)

    for row in rows:
        row["reason"] = judge(row, known, fault, product.formulation.label_names + outside(product))
        if not row["reason"] and row["label"] != CANNOT:
            row["label"] = answer.written([row["label"]], product.formulation.renames)[0]
    set_twins_apart([row for row in rows if not row["reason"]])
    return [row for row in rows if not row["reason"]], [row for row in rows if row["reason"]]


def added(path: Path, good: pl.DataFrame) -> tuple[pl.DataFrame, int, int]:
    """Put new labels over those in ``path``, but no older and no equal one; return all, how many are new, are older."""
    if not path.exists():
        return good.sort("id", "annotator"), len(good), 0
    before = pl.concat([pl.DataFrame(schema=LABEL), pl.read_parquet(path)], how="diagonal").select(*LABEL)
    held = before.select("id", "annotator", held="label", held_note="note", held_at="annotated_at", there=pl.lit(True))
    joined = good.join(held, on=["id", "annotator"], how="left", maintain_order="left")
    older = pl.col("annotated_at") < pl.col("held_at")
    same = pl.col("label").eq_missing(pl.col("held")) & pl.col("note").eq_missing(pl.col("held_note"))
    stays = pl.col("there").fill_null(False) & (older | same)
    new = joined.filter(~stays).select(*LABEL)
    kept = before.join(new, on=["id", "annotator"], how="anti")
    return pl.concat([new, kept]).sort("id", "annotator"), len(new), len(joined.filter(older & ~same))


def take(good: list[Row]) -> None:
    """Add good rows to the labels of their rounds, and let DVC keep them."""
    frame = pl.DataFrame(good, schema=LABEL, strict=False, orient="row")
    frame = frame.with_columns(label=pl.when(pl.col("label") != CANNOT).then("label"))
    for (name,), part in frame.group_by("round", maintain_order=True):
        path = LABELS / f"{name}.parquet"
        everything, new, older = added(path, part)
        store(path, everything)
        if fault := keep(path):  # also where nothing is new: a killed import leaves the table alone
            print(f"import: dvc add {path} did not work: {fault}")
        print(f"import: {len(part)} labels of {part['id'].n_unique()} items in {path}, {new} of them new")
        if older:
            print(f"import: {older} are older than another label of the same person, which stays")
            print("  if these are right, give them a later annotated_at, or without that column save the file again")


def list_bad(bad: list[Row], path: Path) -> None:
    """Write the bad rows for a person to mend, or take away the list of an earlier try."""
    path.unlink(missing_ok=True)
    if bad:
        columns = ("row", "reason", "id", "label", "annotator")
        rows = [[row[column] for column in columns] for row in sorted(bad, key=lambda row: row["row"])]
        write_text(path, csv_text(columns, rows))


def main() -> None:
    """Take the good rows of the file, list the bad ones."""
    parser = argparse.ArgumentParser(description="Take labels from a file.")
    for option in ("file", "by", "round"):
        parser.add_argument(f"--{option}", default="")
    asked = parser.parse_args()
    if not asked.file:
        raise UserError("no file is named", "make import", "make import FILE=<form.xlsx> BY=<who filled it in>")
    file, product = Path(asked.file).expanduser(), load()
    rows = read_returned(file, asked.by.strip(), named(asked.round or None).name, product)
    good, bad = sort_out(rows, product)
    path = REJECTED / f"import-{file.stem}.csv"
    if good:
        hold_labels()
        take(good)
    list_bad(bad, path)
    if bad:
        first = min(bad, key=lambda row: row["row"])
        print(f"import: {len(bad)} of {len(rows)} rows are not taken, first row {first['row']}: {first['reason']}")
        print(f"  all of them, with the reasons: {path}")
    if not good:
        fix = f"mend the file by {path} and import it again" if bad else "fill it in and import it again"
        raise UserError(f"no row of {file.name} is a good label", str(file), fix)
    print(f"import: all rounds so far took {spent(by_round(annotations(), product.annotation), product.annotation)}")
    print("next: git add -A && git commit, then make; make agreement shows how far people agree")


if __name__ == "__main__":
    guard(main)
