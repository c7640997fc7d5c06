"""Source ``files``: a folder with one sub-folder of images per label, or a CSV or Parquet file with named columns.

Reads ``options.path``; the label of an image is its folder's name, the label of a row its ``label`` column.
"""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from ... import task
from ...errors import UserError
from ...product import Product

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
BATCH_IMAGES = 2000
WHERE = "source.options in conf/source/files.yaml"


def read(
    product: Product, path: str, licence: str, kind: str, label: str | None = None, group: str | None = None
) -> Iterator[pl.DataFrame]:
    """Yield the records below ``path`` in batches.

    Raises:
        UserError: if the path does not exist, has the wrong form for the task, or states only one label.
    """
    place = Path(path)
    if not place.exists():
        raise UserError(f"path {path!r} does not exist", WHERE, "give a folder or a file that is there")
    is_image = product.formulation.input.type == "image"
    if place.is_dir() != is_image:
        form = "a folder with one sub-folder of images per label" if is_image else "a CSV or Parquet file"
        raise UserError(f"path {path!r} has the wrong form for {product.formulation.task}", WHERE, f"give {form}")
    batches = _images(place) if is_image else _table(place, product, label, group)
    for batch in batches:
        source = pl.lit(place.as_posix() + "/") + pl.col("source") if is_image else pl.lit(place.as_posix())
        yield batch.with_columns(kind=pl.lit(kind), licence=pl.lit(licence), source=source)


def _images(folder: Path) -> Iterator[pl.DataFrame]:
    """Read the images of every sub-folder, ``BATCH_IMAGES`` at a time, in the order of their names."""
    files = sorted(file for file in folder.glob("*/*") if file.suffix.lower() in IMAGES)
    labels = sorted({file.parent.name for file in files})
    if len(labels) < 2:
        what = f"{folder} holds images of {len(labels)} label(s): {', '.join(labels) or 'none'}"
        raise UserError(what, WHERE, "make one sub-folder of images for each of at least two labels")
    for start in range(0, len(files), BATCH_IMAGES):
        part = files[start : start + BATCH_IMAGES]
        yield pl.DataFrame(
            {
                "payload": [file.read_bytes() for file in part],
                "source_label": [file.parent.name for file in part],
                "source": [file.relative_to(folder).as_posix() for file in part],
                "group": [None] * len(part),
            },
            schema={"payload": pl.Binary, "source_label": pl.String, "source": pl.String, "group": pl.String},
        )


def _table(file: Path, product: Product, label: str | None, group: str | None) -> Iterator[pl.DataFrame]:
    """Read the feature, label and group columns of a table."""
    wanted = task.columns(product)
    try:
        frame = pl.scan_parquet(file) if file.suffix == ".parquet" else pl.scan_csv(file, infer_schema_length=None)
        present = frame.collect_schema().names()
    except pl.exceptions.PolarsError as error:
        raise UserError(f"{file} is unreadable: {error}", WHERE, "give a CSV or Parquet file") from error
    missing = [name for name in [*wanted, *filter(None, (label, group))] if name not in present]
    if missing:
        raise UserError(f"{file} lacks the column(s) {', '.join(missing)}", WHERE, f"it has {', '.join(present)}")
    text = {"source_label": label, "group": group}
    columns = [pl.col(name).cast(kind, strict=False) for name, kind in wanted.items()]
    columns += [(pl.col(old) if old else pl.lit(None)).cast(pl.String).alias(new) for new, old in text.items()]
    if label and frame.select(pl.col(label).n_unique()).collect().item() < 2:
        raise UserError(f"column {label!r} of {file} holds one label only", WHERE, "give records of at least two labels")
    yield frame.select(columns).collect()
