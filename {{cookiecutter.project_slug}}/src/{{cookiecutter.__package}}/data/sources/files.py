"""Source ``files``: a folder with one sub-folder of images per label, or a CSV or Parquet file with named columns.

Reads ``options.path``, which is a path or any URL of fsspec, such as ``s3://bucket/folder``, ``sftp://`` or
``zip://inner.csv::archive.zip``; ``options.storage`` goes to fsspec, which takes secrets from the environment.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import fsspec
import polars as pl

from ...errors import UserError
from ...product import Product
from ..rows import as_records
from ..tables import READERS, read_table

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
BATCH_IMAGES, BATCH_BYTES = 2000, 64 * 2**20
WHERE = "source.options in conf/source/files.yaml"
SCHEMA = dict.fromkeys(("source_label", "source", "group", "rejected"), pl.String) | {"payload": pl.Binary}


def read(
    product: Product,
    path: str,
    licence: str,
    kind: str,
    label: str | None = None,
    group: str | None = None,
    storage: dict[str, Any] | None = None,
) -> Iterator[pl.DataFrame]:
    """Yield the records below ``path`` in batches.

    Raises:
        UserError: if the path does not exist, has the wrong form for the task, or states only one label.
    """
    try:
        system, place = fsspec.core.url_to_fs(path, **(storage or {}))
        is_folder = system.isdir(place)
        there = is_folder or system.exists(place)
    except (OSError, ValueError, ImportError) as error:
        raise UserError(f"path {path!r} cannot be opened: {error}", WHERE, "check the path and the access") from error
    if not there:
        raise UserError(f"path {path!r} does not exist", WHERE, "give a folder or a file that is there")
    is_image = product.formulation.input.type == "image"
    if is_folder != is_image or not (is_image or PurePosixPath(place).suffix.lower() in READERS):
        form = "a folder with one sub-folder of images per label" if is_image else "a CSV or Parquet file"
        raise UserError(f"path {path!r} has the wrong form for {product.formulation.task}", WHERE, f"give {form}")
    batches = _images(system, place) if is_image else _table(system, place, path, product, label, group)
    for batch in batches:
        source = pl.lit(path.rstrip("/")) + pl.col("source")
        yield batch.with_columns(kind=pl.lit(kind), licence=pl.lit(licence), source=source)


def _images(system: Any, folder: str) -> Iterator[pl.DataFrame]:
    """Read the images of every sub-folder, ``BATCH_IMAGES`` at a time, in the order of their names."""
    found = [PurePosixPath(file) for file in sorted(system.glob(f"{folder}/*/*", detail=False))]
    files = [file for file in found if not file.name.startswith(".")]
    labels = sorted({file.parent.name for file in files if file.suffix.lower() in IMAGES})
    if len(labels) < 2:
        what = f"{folder} holds images of {len(labels)} label(s): {', '.join(labels) or 'none'}"
        raise UserError(what, WHERE, "make one sub-folder of images for each of at least two labels")
    rows: list[dict[str, Any]] = []
    held = 0
    for file in files:
        payload, reason = _content(system, file)
        source = f"/{file.parent.name}/{file.name}"
        rows.append({"payload": payload, "source_label": file.parent.name, "source": source, "rejected": reason})
        held += len(payload or b"")
        if len(rows) == BATCH_IMAGES or held > BATCH_BYTES:
            yield pl.DataFrame(rows, schema=SCHEMA)
            rows, held = [], 0
    if rows:
        yield pl.DataFrame(rows, schema=SCHEMA)


def _content(system: Any, file: PurePosixPath) -> tuple[bytes | None, str | None]:
    """Read a file, or say why it is no image."""
    if file.suffix.lower() not in IMAGES:
        return None, f"not one of {', '.join(IMAGES)}"
    try:
        payload: bytes = system.cat_file(str(file))
    except OSError as error:
        return None, f"unreadable: {error}"
    return (payload, None) if payload else (None, "empty file")


def _table(
    system: Any, place: str, path: str, product: Product, label: str | None, group: str | None
) -> Iterator[pl.DataFrame]:
    """Read the feature, label and group columns of a table."""
    labels: set[str] = set()
    row = 1
    with system.open(place, "rb") as file:
        for frame in read_table(file, PurePosixPath(place).suffix.lower(), path, WHERE):
            batch = as_records(frame, product, label, group, path, WHERE)
            labels.update(batch["source_label"].drop_nulls().unique().head(2))
            if "rejected" in batch.columns:  # name the row, so that a person finds it
                number = pl.format("#row {}", pl.int_range(row, row + len(batch)))
                source = pl.when(pl.col("rejected").is_null()).then(pl.lit("")).otherwise(number)
            yield batch.with_columns(source=source if "rejected" in batch.columns else pl.lit(""))
            row += len(batch)
    if label and len(labels) < 2:
        raise UserError(f"column {label!r} of {path} holds one label only", WHERE, "give records of two labels or more")
