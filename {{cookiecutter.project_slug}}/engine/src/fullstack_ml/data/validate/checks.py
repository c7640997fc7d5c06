"""What ``product.yaml`` allows: the types of a raw record, its values and ranges, and the records that break them.

Reads and writes nothing.
"""

from collections.abc import Iterator

import polars as pl

from fullstack_ml.answers import answer_of
from fullstack_ml.data.validate import features
from fullstack_ml.inputs import input_of
from fullstack_ml.pipeline.tables import RECORD
from fullstack_ml.product.types import Product

NEEDED = ("kind", "licence", "source")
Violation = tuple[str, str, str]  # rule, record id, what is wrong


def schema_fault(frame: pl.DataFrame, product: Product) -> str | None:
    """Say which column of a shard is missing or has another type than its stage writes."""
    also = dict.fromkeys(product.data.columns, pl.String())
    for name, kind in {**RECORD, **also, **input_of(product).columns(product)}.items():
        if name not in frame.columns:
            return f"column {name!r} is missing"
        if frame.schema[name] != kind:
            return f"column {name!r} is {frame.schema[name]}, and not what its stage writes"
    return None


def violations(frame: pl.DataFrame, doubtful: pl.DataFrame, product: Product) -> list[Violation]:
    """List (rule, record id, what is wrong) for a batch of raw records; ``doubtful`` ones may be unreadable."""
    payload = [("payload", record, what) for record, what in input_of(product).faults(doubtful, product)]
    measured = features.violations(frame, product)
    return [*measured, *_missing(frame), *_values(frame, product), *_answers(frame, product), *payload]


def _missing(frame: pl.DataFrame) -> Iterator[Violation]:
    for name in NEEDED:
        for record in frame.filter(pl.col(name).is_null())["id"]:
            yield f"{name} missing", record, f"{name} is missing"


def _values(frame: pl.DataFrame, product: Product) -> Iterator[Violation]:
    kinds = [kind.name for kind in product.data.kinds]
    for name, allowed in (("kind", kinds), ("licence", product.data.licences)):
        strange = frame.filter(pl.col(name).is_not_null() & ~pl.col(name).is_in(allowed))
        for record, value in strange.select("id", name).iter_rows():
            yield name, record, f"{name} {value!r} is not in {allowed}"


def _answers(frame: pl.DataFrame, product: Product) -> Iterator[Violation]:
    frame = frame.filter(~pl.col("kind").is_in(product.data.out_of_scope))  # whose label is none that is known
    stated = frame["source_label"].drop_nulls().unique()
    illegal = answer_of(product).illegal(stated.to_list(), product)
    wrong = frame.filter(pl.col("source_label").is_in([*illegal]))
    for record, value in wrong.select("id", "source_label").iter_rows():
        yield "source_label", record, f"source_label {value!r} {illegal[value]}"
