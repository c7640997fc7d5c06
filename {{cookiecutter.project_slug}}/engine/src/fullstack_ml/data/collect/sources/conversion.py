"""Turn the columns of any table into the types in which records are stored: numbers, truth values, dates, text.

Reads and writes nothing. What does not fit becomes null; ``rows.py`` says which rows that were.
"""

from collections.abc import Collection

import polars as pl

from fullstack_ml.product.formulation import Feature

# How tables write that nothing is there, in lower case: no value of anything, then what may be a value of its own, such
# as a garage of kind "none". A category that lists such a word keeps it.
NOTHING = ("", "na", "n/a", "nan", "null", "#n/a", "?", "--")
MISSING = (*NOTHING, "none", "nil", "-", ".")
# As edge/page/encoding.js has them.
TRUE, FALSE = ("true", "t", "yes", "y", "1", "on"), ("false", "f", "no", "n", "0", "off")
# With an offset, then without; a day before a month only where points part them, as nobody writes months first there.
WITH_OFFSET = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z")
MOMENTS = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M")
DAYS = ("%Y-%m-%d", "%d.%m.%Y", "%Y%m%d")
NAMES = {pl.Float64: "number", pl.Int64: "whole number", pl.Boolean: "truth value", pl.Datetime: "date"}


def name_of(kind: pl.DataType) -> str:
    """Return what a person calls a type."""
    return NAMES.get(type(kind), str(kind))


def is_missing(column: pl.Expr, values: Collection[str] = ()) -> pl.Expr:
    """Tell which texts say that nothing is there; ``values`` are those that mean something."""
    return column.str.strip_chars().str.to_lowercase().is_in(MISSING) & ~column.str.strip_chars().is_in(list(values))


def converted(name: str, given: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    """Return column ``name`` of type ``given`` in the type ``wanted``, null where it does not fit."""
    column = pl.col(name)
    if given == pl.String:
        column = column.str.strip_chars()
    if wanted == pl.Boolean and given != pl.Boolean:
        text = as_text(column, given).str.to_lowercase()
        return pl.when(text.is_in(TRUE)).then(True).when(text.is_in(FALSE)).then(False).alias(name)
    if isinstance(wanted, pl.Datetime):
        return as_moment(column, given).cast(wanted).alias(name)
    if wanted == pl.Int64 and not given.is_integer():
        number = column.cast(pl.Float64, strict=False)
        return pl.when(number == number.round()).then(number).cast(pl.Int64, strict=False).alias(name)
    if wanted == pl.String:
        return as_text(column, given).alias(name)
    if wanted == pl.Float64:
        return column.cast(wanted, strict=False).fill_nan(None)
    return column.cast(wanted, strict=False)


def as_text(column: pl.Expr, given: pl.DataType) -> pl.Expr:
    """Write a column as text, a whole number without a point."""
    if given.is_float():
        return (
            pl.when(column == column.round())
            .then(column.cast(pl.Int64, strict=False).cast(pl.String))
            .otherwise(column.cast(pl.String))
        )
    return column.cast(pl.String)


def as_moment(column: pl.Expr, given: pl.DataType) -> pl.Expr:
    """Read a column as dates without an offset, in UTC where one was given."""
    if isinstance(given, pl.Datetime) and given.time_zone:
        return column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    if given.is_temporal():
        return column.cast(pl.Datetime("us"), strict=False)
    text = column.cast(pl.String).str.replace_all(r"^(\d{4})[/.](\d{1,2})[/.](\d{1,2})", "$1-$2-$3")
    aware = [
        text.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False).dt.replace_time_zone(None)
        for form in WITH_OFFSET
    ]
    naive = [text.str.to_datetime(form, time_unit="us", strict=False) for form in MOMENTS]
    dates = [text.str.to_date(form, strict=False).cast(pl.Datetime("us")) for form in DAYS]
    return pl.coalesce(*dates, *naive, *aware)


def without_missing(frame: pl.DataFrame, features: list[Feature]) -> pl.DataFrame:
    """Return ``frame`` with null for the words that say "nothing", in features that may be missing."""
    allowed = [f for f in features if f.missing == "allowed" and frame.schema[f.name] == pl.String]
    return frame.with_columns(
        pl.when(~is_missing(pl.col(feature.name), feature.values)).then(pl.col(feature.name)).alias(feature.name)
        for feature in allowed
    )
