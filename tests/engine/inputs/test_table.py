"""The task: how a row is named, checked and turned into the model's input."""

import struct
from hashlib import sha256
from typing import Any

import numpy as np
import polars as pl
import pytest

from fullstack_ml.inputs import records, table

pytestmark = pytest.mark.task("tabular-classification")


@pytest.fixture
def rows(product: Any) -> pl.DataFrame:
    """Five rows inside the ranges of the contract."""
    shares = np.random.default_rng(0).random(5)
    features = product.formulation.input.features
    columns = {feature.name: feature.low + shares * (feature.high - feature.low) for feature in features}
    return pl.DataFrame({"id": [f"id-{i}" for i in range(5)], **columns})


def test_a_row_is_named_by_the_sha_256_of_its_numbers(product: Any, rows: pl.DataFrame) -> None:
    values = rows.drop("id").rows()
    expected = [sha256(struct.pack(f"<{len(row)}d", *row)).hexdigest() for row in values]
    assert table.content_id(rows, product).to_list() == expected
    assert records.identities(np.array(values)) == expected


def test_the_order_of_the_columns_does_not_change_the_name(product: Any, rows: pl.DataFrame) -> None:
    other = rows.select(reversed(rows.columns))
    assert table.content_id(other, product).to_list() == table.content_id(rows, product).to_list()


def test_minus_zero_is_zero(product: Any, rows: pl.DataFrame) -> None:
    name = product.formulation.input.features[0].name
    positive, negative = (
        table.content_id(rows.with_columns(pl.lit(zero).alias(name)), product) for zero in (0.0, -0.0)
    )
    assert positive.to_list() == negative.to_list()


def test_one_digit_more_is_another_record(product: Any, rows: pl.DataFrame) -> None:
    name = product.formulation.input.features[-1].name
    other = rows.with_columns(pl.col(name) * (1 + 1e-12))
    assert not set(table.content_id(other, product)) & set(table.content_id(rows, product))


def test_the_model_gets_the_features_in_the_order_of_the_contract(product: Any, rows: pl.DataFrame) -> None:
    found = table.matrix(rows.select(reversed(rows.columns)), product)
    assert found.dtype == np.float32
    assert found == pytest.approx(rows.drop("id").to_numpy(), rel=1e-6)
