"""Stage validate on a table: a value outside the range that product.yaml states is named."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullstack_ml.data.store import shards
from fullstack_ml.data.validate import __main__ as validate
from fullstack_ml.workspace.paths import RAW

pytestmark = pytest.mark.task("tabular-classification")

Refused = Callable[..., AbstractContextManager[None]]


def store(records: pl.DataFrame, column: str, value: float | None) -> None:
    """Store ten records of which the third has ``value`` in ``column``."""
    wrong = pl.when(pl.arange(0, pl.len()) == 2).then(pl.lit(value, dtype=pl.Float64)).otherwise(pl.col(column))
    shards.write_shard(records[:10].with_columns(wrong.alias(column)), 0, RAW)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), -float("inf"), "above", "below"])
def test_a_value_outside_its_range_is_named(
    value: Any, project: Path, records: pl.DataFrame, product: Any, config: Any, refused: Refused
) -> None:
    feature = product.formulation.input.features[1]
    store(records, feature.name, {"above": feature.high + 1, "below": feature.low - 1}.get(value, value))
    rule = "missing" if value is None or value != value else "out of range"
    with refused(f": {feature.name} {rule} (1); such as {feature.name} is "):
        validate.run(config)


@pytest.mark.parametrize("end", ["low", "high"])
def test_the_ends_of_a_range_belong_to_it(
    end: str, project: Path, records: pl.DataFrame, product: Any, config: Any
) -> None:
    feature = product.formulation.input.features[0]
    store(records, feature.name, float(getattr(feature, end)))
    validate.run(config)
