"""What ``product.yaml`` allows, as a pandera schema, and the records of a batch that break it.

Reads and writes nothing.
"""

from typing import Any

import polars as pl

from fullstack_ml.inputs import input_of
from fullstack_ml.pipeline.tables import RECORD
from fullstack_ml.product.types import Product

NEEDED = ("kind", "licence", "source")


def allowed(product: Product) -> dict[str, list[str]]:
    """Return the values that a column may have."""
    return {
        "source_label": product.formulation.label_names,
        "kind": [kind.name for kind in product.data.kinds],
        "licence": product.data.licences,
    }


def record_schema(product: Product) -> Any:
    """Build the pandera schema of a raw record: types, what must be there, values, ranges."""
    import pandera.polars as pa  # slow to import, and only this stage needs it

    values, ranges = allowed(product), {feature.name: feature for feature in product.formulation.input.features}
    out = [kind.name for kind in product.data.kinds if kind.scope == "out"]
    columns = {}
    for name, kind in {**RECORD, **input_of(product).columns(product)}.items():
        checks = [pa.Check.isin(values[name])] if name in values else []
        if name in ranges:
            checks.append(pa.Check.in_range(ranges[name].low, ranges[name].high))
        if name == "kind":
            checks.append(pa.Check.notin(out))
        columns[name] = pa.Column(kind, checks, nullable=name not in NEEDED and name not in ranges)
    return pa.DataFrameSchema(columns)


def failures(frame: pl.DataFrame, schema: Any) -> list[dict[str, Any]]:
    """Return a row per failure: column, check, failure_case, index (None: the whole column)."""
    from pandera.errors import SchemaErrors

    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as error:
        found: list[dict[str, Any]] = error.failure_cases.to_dicts()
        return found
    return []


def schema_fault(found: list[dict[str, Any]], frame: pl.DataFrame) -> str | None:
    """Say which column of a shard is missing or has another type."""
    for row in found:
        if row["check"] == "column_in_dataframe":
            return f"column {row['failure_case']!r} is missing"
        if row["index"] is None:
            return f"column {row['column']!r} is {frame.schema[row['column']]}, and not what its stage writes"
    return None


def violations(frame: pl.DataFrame, product: Product, found: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """List (rule, record id, what is wrong) for a batch of raw records."""
    values, ranges = allowed(product), {feature.name: feature for feature in product.formulation.input.features}
    said: dict[tuple[str, str], tuple[str, str]] = {}
    for row in found:
        record, name, case = frame["id"][row["index"]], row["column"], row["failure_case"]
        if name in ranges:
            feature = ranges[name]
            value = frame[name][row["index"]]
            said[record, name] = ("payload", f"{name} is {value}, allowed {feature.low:g} to {feature.high:g}")
        elif row["check"] == "not_nullable":
            said[record, name] = ("missing", f"{name} is missing")
        elif name == "kind" and case in values[name]:
            said[record, name] = ("scope", f"{name} {case!r} is out of scope")
        else:
            said[record, name] = (name, f"{name} {case!r} is not in {values[name]}")
    payload = [("payload", record, what) for record, what in input_of(product).faults(frame, product)]
    return [(rule, record, what) for (record, _), (rule, what) in said.items()] + payload
