"""Turn rows of any table into records: the payload columns of the task, the label and the group.

Reads and writes nothing. A value that does not fit its column is not dropped: its row carries the reason in the column
``rejected``, and the values as they came in the column ``record``.
"""

import polars as pl

from fullstack_ml.inputs import input_of
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError


def as_records(
    frame: pl.DataFrame, product: Product, label: str | None, group: str | None, place: str, where: str
) -> pl.DataFrame:
    """Select and convert the columns of a batch.

    Args:
        frame: rows in the types of their origin.
        product: the contract, whose input states the payload columns.
        label: column with the label, if there is one.
        group: column whose rows must stay in one split, if there is one.
        place: the table, for error messages.
        where: the option that names the table, for error messages.

    Raises:
        UserError: if a column is missing.
    """
    wanted = input_of(product).columns(product)
    missing = [name for name in [*wanted, *filter(None, (label, group))] if name not in frame.columns]
    if missing:
        fix = f"it has {', '.join(frame.columns)}"
        if frame.width == 1 and frame.columns[0].count(";") + frame.columns[0].count("\t"):
            fix = "separate its columns by commas, and write numbers with a decimal point"
        raise UserError(f"{place} lacks the column(s) {', '.join(missing)}", where, fix)
    text = {"source_label": label, "group": group}
    columns = [pl.col(name).cast(kind, strict=False) for name, kind in wanted.items()]
    columns += [(pl.col(old) if old else pl.lit(None)).cast(pl.String).alias(new) for new, old in text.items()]
    records = frame.select(columns)
    changed = [name for name, kind in wanted.items() if frame.schema[name] != kind]
    lost = [name for name in changed if records[name].null_count() > frame[name].null_count()]
    if not lost:
        return records
    reasons = []
    for name in lost:
        what = pl.format(
            "{} is {}, which is no {}", pl.lit(name), frame[name].cast(pl.String), pl.lit(str(wanted[name]))
        )
        reasons.append(pl.when(records[name].is_null() & frame[name].is_not_null()).then(what))
    origin = frame.select(record=pl.struct(*wanted).struct.json_encode())["record"]
    return records.with_columns(rejected=pl.coalesce(reasons), record=origin)
