"""Source ``files``: a folder of images or texts, a sub-folder per label or none yet, or tables with named columns.

Reads ``options.path``, which is a path or any URL of fsspec, such as ``s3://bucket/folder``, ``sftp://`` or
``zip://inner.csv::archive.zip``; ``options.storage`` goes to fsspec, which takes secrets from the environment.
``options.group`` is the column of a table, or for images a regular expression with one pair of brackets: what they
enclose in the file name is the group. A table is a CSV file in any form, an Excel, Parquet or JSON lines file, a folder
of such files or a pattern such as ``data/inbox/*.csv``; ``reading.py`` says what is found out of a file itself.
``options.labels`` is a table that says of each image what its folder does not (``listing.py``).
"""

import io
import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import fsspec
import polars as pl

from fullstack_ml.data.collect.sources.dialect import BinaryError, encoding_of
from fullstack_ml.data.collect.sources.listing import Said, matched, read_listing
from fullstack_ml.data.collect.sources.reading import is_table
from fullstack_ml.data.collect.sources.tables import Columns, read_tables
from fullstack_ml.data.collect.sources.terms import kind_of, licence_of
from fullstack_ml.inputs import input_of
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError

BATCH_IMAGES, BATCH_BYTES = 2000, 64 * 2**20
WHERE = "source.options in conf/source/files.yaml"
SCHEMA = {"payload": pl.Binary} | dict.fromkeys(
    ("source_label", "given_split", "source", "group", "rejected"), pl.String
)


def read(
    product: Product,
    path: str,
    licence: str | None = None,
    kind: str | None = None,
    label: str | None = None,
    group: str | None = None,
    bad_rows: str = "stop",
    split: str | None = None,
    label_folder: str | None = "last",
    labels: str | None = None,
    storage: dict[str, Any] | None = None,
) -> Iterator[pl.DataFrame]:
    """Yield the records below ``path`` in batches.

    Raises:
        UserError: if the path does not exist, has the wrong form for the task, or states only one label; if the group
            of images is no regular expression with one pair of brackets.
    """
    terms = {"kind": pl.lit(kind_of(product, kind)), "licence": pl.lit(licence_of(product, licence, WHERE))}
    kind_of_file = input_of(product)
    endings, wanted = kind_of_file.FILES, kind_of_file.columns(product)
    written = pl.String() in wanted.values()  # what may be a file, or stand in a table
    system, place = open_path(path, storage or {}, WHERE, pattern=written or not endings)
    if not endings or (written and not holds_files(system, place, endings)):
        batches = read_tables(system, place, path.rstrip("/"), product, Columns(label, group, bad_rows, split), WHERE)
    elif system.isdir(place):
        source = pl.lit(path.rstrip("/")) + pl.col("source")
        listed = read_listing(labels, product, WHERE) if labels else None
        files = files_below(system, place)
        files.pop(fsspec.core.url_to_fs(labels)[1] if labels else "", None)  # the table may lie among the pictures
        stated = _stated(files, place, label_folder, listed, endings)
        images = _images(system, place, files, stated, group, endings, product.data.columns)
        batches = (batch.with_columns(source=source) for batch in images)
        batches = (as_written(batch, *wanted) for batch in batches) if written else batches
    else:
        what = f"path {path!r} has the wrong form for an input of type {product.formulation.input.type}"
        raise UserError(what, WHERE, "give a folder with one sub-folder of images per label")
    for batch in batches:
        yield batch.with_columns(**terms)


def holds_files(system: Any, place: str, endings: tuple[str, ...]) -> bool:
    """Say whether a folder holds records as files, and no table beside them."""
    names = files_below(system, place) if system.isdir(place) else {}
    tables = any(is_table(name) and not name.lower().endswith(endings) for name in names)
    return not tables and any(name.lower().endswith(endings) for name in names)


def as_written(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return files as texts in the column ``name``, in whatever encoding they are; what is no text is rejected."""
    texts, faults = [], []
    for payload in frame["payload"]:
        fault, text = None, None
        try:
            text = payload.decode(encoding_of(io.BytesIO(payload))).strip() if payload else None
        except BinaryError as error:
            fault = str(error)
        texts.append(text)
        faults.append(fault)
    said = pl.coalesce("rejected", pl.Series(faults, dtype=pl.String))
    return frame.drop("payload").with_columns(pl.Series(name, texts, dtype=pl.String), rejected=said)


def open_path(path: str, storage: dict[str, Any], where: str, pattern: bool) -> tuple[Any, str]:
    """Return the file system and the place of what is at ``path``; it may be a ``pattern`` of names.

    Raises:
        UserError: if it cannot be opened, or nothing is there.
    """
    try:
        system, place = fsspec.core.url_to_fs(path, **storage)
        there = system.exists(place) or (pattern and bool(system.glob(place)))
    except (OSError, ValueError, ImportError) as error:
        raise UserError(f"path {path!r} cannot be opened: {error}", where, "check the path and the access") from error
    if not there:
        raise UserError(f"path {path!r} does not exist", where, "give a folder or a file that is there")
    return system, place


def _grouping(group: str | None) -> re.Pattern[str] | None:
    """Compile the expression that finds the group in a file name."""
    if group is None:
        return None
    with suppress(re.error):
        pattern = re.compile(group)
        if pattern.groups == 1:
            return pattern
    fix = "such as '^(.+)_' for the part of the file name before the last underscore"
    raise UserError(f"group {group!r} is no regular expression with one pair of brackets", WHERE, fix)


def files_below(system: Any, folder: str) -> dict[str, int]:
    """Return the size of every file at any depth by its path, in the order of the paths, hidden ones left out."""
    # Not glob, to which a bracket or a star in a name is a pattern.
    found = system.find(folder, detail=True)
    kept = [path for path in sorted(found) if not any(name.startswith(".") for name in names_below(path, folder))]
    return {path: found[path]["size"] or 0 for path in kept if found[path]["type"] == "file"}


def names_below(path: str, folder: str) -> list[str]:
    """Return the names from ``folder`` to a file, as people type them: macOS writes letters and their marks apart."""
    return unicodedata.normalize("NFC", path.removeprefix(folder)).strip("/").split("/")


def _label(path: str, folder: str, which: str | None) -> str | None:
    """Return the first or last sub-folder of a file; None where it has none, or none is its label."""
    above = names_below(path, folder)[:-1]
    return above[0 if which == "first" else -1] if above and which else None


def _stated(
    files: dict[str, int], folder: str, which: str | None, listed: dict[str, Said] | None, endings: tuple[str, ...]
) -> dict[str, Said]:
    """Return what the table, or else its folder, says of every file.

    Raises:
        UserError: if there is no image, all are of one label, or the table names a file that is not there.
    """
    if which not in ("first", "last", None):
        raise UserError(f"label_folder is {which!r}", WHERE, "write first, last, or null where there are no labels")
    if listed is None:
        stated: dict[str, Said] = {file: {"source_label": _label(file, folder, which)} for file in files}
    else:
        names = {file: "/".join(names_below(file, folder)) for file in files}
        said, missing = matched(listed, list(names.values()))
        if missing:
            what = f"labels names {len(missing)} file(s) that {folder} does not hold, such as {missing[0]}"
            raise UserError(what, WHERE, "write names as they are below the folder, or take these rows out")
        stated = {file: said.get(name, {}) for file, name in names.items()}
    found = {stated[file].get("source_label") for file in files if file.lower().endswith(endings)}
    if not found:
        raise UserError(f"{folder} holds no image", WHERE, f"put in files that end in {', '.join(endings)}")
    if len(labels := sorted(filter(None, found))) == 1:
        what = f"{folder} holds images of 1 label: {labels[0]}"
        fix = "make one sub-folder of images for each of at least two labels, or write label_folder: null"
        raise UserError(what, WHERE, fix)
    return stated


def _images(
    system: Any,
    folder: str,
    files: dict[str, int],
    stated: dict[str, Said],
    group: str | None,
    endings: tuple[str, ...],
    extra: list[str],
) -> Iterator[pl.DataFrame]:
    """Read the images of a folder in the order of their names, with what is stated of each."""
    pattern = _grouping(group)
    for lot in lots(files):
        named = [pattern.search(names_below(file, folder)[-1]) if pattern else None for file in lot]
        columns = {
            **{name: [stated[file].get(name) for file in lot] for name in ("source_label", "given_split", *extra)},
            "group": [m[1] if m else stated[file].get("group") for m, file in zip(named, lot, strict=True)],
            "unnamed": [f"no group {group} in its name" if pattern and not match else None for match in named],
        }
        said = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
        read = read_lot(system, folder, lot, endings).hstack(said)
        read = read.with_columns(rejected=pl.coalesce("rejected", "unnamed"))
        yield read.select(*SCHEMA, *extra)


def read_lot(system: Any, folder: str, lot: list[str], endings: tuple[str, ...]) -> pl.DataFrame:
    """Read files of a folder: ``payload``, ``source`` (the name below the folder, after a slash), ``rejected``."""
    # Together, since a remote system then sends them at the same time; cat would take a name for a pattern.
    kept = [file for file in lot if file.lower().endswith(endings)]
    content = dict(zip(kept, system.cat_ranges(kept, None, None, on_error="return"), strict=True))
    payloads = [content.get(file) for file in lot]
    columns = {
        "payload": [payload if isinstance(payload, bytes) else None for payload in payloads],
        "source": ["/" + "/".join(names_below(file, folder)) for file in lot],
        "rejected": [_fault(payload, endings) for payload in payloads],
    }
    return pl.DataFrame(columns, schema={name: SCHEMA[name] for name in columns})


def lots(files: dict[str, int]) -> Iterator[list[str]]:
    """Cut the list where ``BATCH_IMAGES`` or ``BATCH_BYTES`` are reached."""
    batch: list[str] = []
    held = 0
    for file, size in files.items():
        batch.append(file)
        held += size
        if len(batch) == BATCH_IMAGES or held > BATCH_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _fault(payload: object, endings: tuple[str, ...]) -> str | None:
    """Say why a file gave no bytes."""
    if payload is None:
        return f"not one of {', '.join(endings)}"
    if isinstance(payload, Exception):
        return f"unreadable: {payload}"
    return None if payload else "empty file"
