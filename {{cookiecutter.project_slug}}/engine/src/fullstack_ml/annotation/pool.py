"""The records that a round may choose from: a filter, the label by which a pilot is stratified, and what looks alike.

Reads ``data/raw``, ``data/labelled.parquet`` and ``data/near_duplicates.parquet``; writes nothing.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

import polars as pl

from fullstack_ml.data.label.standing import of_source
from fullstack_ml.pipeline.tables import raw, slice_mask
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError, suggest
from fullstack_ml.workspace.paths import LABELLED, NEAR_DUPLICATES


def listed(file: Path) -> list[str]:
    """Return the ids of a file: those of its column ``id``, or the first word of each line.

    Raises:
        UserError: if there is no such file, or it is no text.
    """
    try:
        lines = [line.replace(",", " ").replace(";", " ").split() for line in file.read_text("utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{file} cannot be read: {error}", "FILE", "give a text or CSV file with a column id"
        ) from error
    rows = [[cell.strip("\"'") for cell in line] for line in lines if line]
    named = bool(rows) and "id" in rows[0]
    at = rows[0].index("id") if named else 0
    return [row[at] for row in rows[int(named) :] if len(row) > at]


def by_ids(wanted: Collection[str]) -> list[str]:
    """Return the records whose id begins as one of ``wanted``: pages show the first 16 characters.

    Raises:
        UserError: for an id that no record has, or several.
    """
    frame, found = raw().select("id"), list[str]()
    size = min((len(name) for name in wanted), default=0)
    heads = {name[:size] for name in wanted}
    near: dict[str, list[str]] = {}
    for record in frame.filter(pl.col("id").str.slice(0, size).is_in(list(heads))).collect()["id"]:
        near.setdefault(record[:size], []).append(record)
    for name in dict.fromkeys(wanted):
        mine = [record for record in near.get(name[:size], []) if record.startswith(name)]
        if len(mine) != 1:
            how = "no record has" if not mine else f"{len(mine)} records have"
            raise UserError(f"{how} an id that begins with {name!r}", "IDS, FILE", "copy it from a page or a report")
        found += mine
    return found


def selected(only: Mapping[str, str | None], product: Product) -> set[str] | None:
    """Return the ids that pass every filter of a round: label, slice, ids, file; None where there is no filter.

    Raises:
        UserError: for a filter that names nothing.
    """
    parts: list[set[str]] = []
    if wanted := only.get("label"):
        names = product.formulation.label_names
        if names and wanted not in names:
            raise UserError(f"there is no label {wanted!r}", "LABEL", suggest(wanted, names))
        stated = raw().filter(of_source(product) == wanted).select("id").collect()["id"]
        if LABELLED.exists():  # which knows better, where people have looked
            known = pl.read_parquet(LABELLED, columns=["id", "label"])
            stated = pl.concat([stated.filter(~stated.is_in(known["id"].implode())), known.filter(label=wanted)["id"]])
        parts.append(set(stated))
    if wanted := only.get("slice"):
        found = {part.id: part for part in product.data.slices}
        if wanted not in found:
            raise UserError(f"there is no slice {wanted!r}", "SLICE", suggest(wanted, list(found)))
        parts.append(set(raw().filter(slice_mask(found[wanted])).select("id").collect()["id"]))
    if wanted := only.get("ids"):
        parts.append(set(by_ids(wanted.replace(",", " ").split())))
    if wanted := only.get("file"):
        parts.append(set(by_ids(listed(Path(wanted)))))
    return set.intersection(*parts) if parts else None


def alike(ids: Collection[str]) -> dict[str, str]:
    """Return for every record that looks like another of ``ids`` a name that these share; the others are left out."""
    if not NEAR_DUPLICATES.exists():
        return {}
    known = set(ids)
    parent: dict[str, str] = {}

    def root(record: str) -> str:
        while parent.setdefault(record, record) != record:
            parent[record] = parent[parent[record]]
            record = parent[record]
        return record

    for first, second in pl.read_parquet(NEAR_DUPLICATES, columns=["id", "other"]).iter_rows():
        parent[root(second)] = root(first)
    return {record: root(record) for record in parent if record in known}
