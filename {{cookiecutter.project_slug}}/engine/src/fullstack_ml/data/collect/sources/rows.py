"""Turn rows of any table into records: the payload columns of the task, the label and the group.

Reads and writes nothing. A value that does not fit its column is not dropped: its row carries the reason in the column
``rejected``, and the values as they came in the column ``record``.
"""

import polars as pl

from fullstack_ml.answers import answer_of
from fullstack_ml.answers.words import JOINT, NONE
from fullstack_ml.data.collect.sources.conversion import as_moment, converted, name_of, without_missing
from fullstack_ml.inputs import input_of
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError, suggest


def origins_of(product: Product) -> dict[str, str]:
    """Return the column of the source for every payload column of a record."""
    wanted = product.formulation.input
    names = {feature.name: feature.origin for feature in wanted.features}
    return {name: names.get(name, wanted.column or name) for name in input_of(product).columns(product)}


def numeric_columns(product: Product, label: str | None) -> list[str]:
    """Name the columns of the source that hold numbers by the contract; ``label`` is that of the answer."""
    kinds = input_of(product).columns(product)
    answer = [label] if label and answer_of(product).SCALE == "interval" else []
    return [*(origin for name, origin in origins_of(product).items() if kinds[name].is_numeric()), *answer]


def refuse_missing(names: list[str], there: list[str], place: str, where: str) -> None:
    """Raise a ``UserError`` for the columns that are not there; it names the nearest, and all that are."""
    there = [name for name in there if not name.startswith("#")]
    missing = [name for name in names if name not in there]
    if missing:
        near = suggest(missing[0], there)
        fix = f"it has {', '.join(map(repr, there))}" + (f"; {near}" if near.startswith("did") else "")
        raise UserError(f"{place} lacks the column(s) {', '.join(map(repr, missing))}", where, fix)


def as_records(
    frame: pl.DataFrame,
    product: Product,
    label: str | None,
    group: str | None,
    place: str,
    where: str,
    split: str | None = None,
) -> pl.DataFrame:
    """Select and convert the columns of a batch.

    Args:
        frame: rows in the types of their origin.
        product: the contract, whose input states the payload columns.
        label: column with the label, if there is one.
        group: column whose rows must stay in one split, if there is one.
        place: the table, for error messages.
        where: the option that names the table, for error messages.
        split: column that says train or test, if there is one.

    Raises:
        UserError: if a column is missing.
    """
    wanted, text = input_of(product).columns(product), {"source_label": label, "group": group}
    also = {"row_key": product.data.row_key, "happened_at": product.data.time, "given_split": split}
    text |= {name: column for name, column in also.items() if column} | {name: name for name in product.data.columns}
    origins = origins_of(product)
    refuse_missing([*origins.values(), *filter(None, text.values())], frame.columns, place, where)
    given = frame.select(pl.col(old).alias(new) for new, old in origins.items())
    given = without_missing(given, product.formulation.input.features)
    others = [text_of(old, frame).alias(new) for new, old in text.items()]
    whole = as_they_are(given, wanted)
    converting = (converted(name, given.schema[name], kind) for name, kind in wanted.items() if name not in whole)
    records = given.with_columns(converting).select(*wanted)
    records = with_reasons(records.hstack(frame.with_columns(others).select(*text)), given, wanted)
    return with_place(records, frame, product.data.time, split)


def as_they_are(given: pl.DataFrame, wanted: dict[str, pl.DataType]) -> set[str]:
    """Name the columns that hold what is wanted already; to make them anew would copy every number."""
    numbers = [name for name, kind in wanted.items() if kind == pl.Float64 == given.schema[name]]
    strange = given.select(pl.col(numbers).is_nan().any()).row(0) if numbers else ()
    return {name for name, some in zip(numbers, strange, strict=True) if not some}


def text_of(name: str | None, frame: pl.DataFrame) -> pl.Expr:
    """Return a column as text, null where a number is not there, or where there is no column."""
    if name is None:
        return pl.lit(None, pl.String)
    kind = frame.schema[name]
    if isinstance(kind, pl.List):  # labels of a JSON file; nothing in the list is not nothing said
        joined = pl.col(name).cast(pl.List(pl.String)).list.join(JOINT)
        return pl.when(pl.col(name).list.len() == 0).then(pl.lit(NONE)).otherwise(joined)
    column = pl.col(name).fill_nan(None) if kind.is_float() else pl.col(name)
    return column.cast(pl.String)


def with_place(records: pl.DataFrame, frame: pl.DataFrame, time: str | None, split: str | None) -> pl.DataFrame:
    """Add what places records in a split: the time of the column ``time``, checked as the word of ``split`` is."""
    if time:
        moment = frame.select(as_moment(pl.col(time), frame.schema[time]))
        records = refused(records, moment.to_series().is_null(), f"{time} is no date, which says the time")
        records = records.with_columns(moment.to_series().cast(pl.Datetime("us")).alias("happened_at"))
    if split:
        strange = ~records["given_split"].is_in(["train", "test"]).fill_null(False)
        records = refused(records, strange, f"{split} is neither train nor test")
    return records


def refused(records: pl.DataFrame, mask: pl.Series, reason: str) -> pl.DataFrame:
    """Say of the records that ``mask`` selects why they are none, where nothing else was said."""
    if not mask.any():
        return records
    said = pl.col("rejected") if "rejected" in records.columns else pl.lit(None, pl.String)
    return records.with_columns(rejected=pl.coalesce(said, pl.when(mask).then(pl.lit(reason))))


def with_reasons(records: pl.DataFrame, given: pl.DataFrame, wanted: dict[str, pl.DataType]) -> pl.DataFrame:
    """Say in the column ``rejected`` which values were lost when ``given`` became ``records``, if any were."""
    changed = [name for name, kind in wanted.items() if given.schema[name] != kind]
    lost = [name for name in changed if records[name].null_count() > given[name].null_count()]
    if not lost:
        return records
    reasons = []
    for name in lost:
        value, kind = given[name].cast(pl.String), pl.lit(name_of(wanted[name]))
        what = pl.format("{} is {}, which is no {}", pl.lit(name), value, kind)
        reasons.append(pl.when(records[name].is_null() & given[name].is_not_null()).then(what))
    origin = given.select(record=pl.struct(*wanted).struct.json_encode())["record"]
    return records.with_columns(rejected=pl.coalesce(reasons), record=origin)
