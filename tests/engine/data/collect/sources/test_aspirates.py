"""Source sample: the bundled measurements, as the contract wants them."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_breast_cancer

from fullstack_ml.data.collect.sources import aspirates as sample

pytestmark = pytest.mark.task("tabular-classification")


@pytest.fixture(scope="module")
def found(product: Any) -> pl.DataFrame:
    """All records of the source."""
    return pl.concat(sample.read(product))


def test_every_record_keeps_the_contract(found: pl.DataFrame, product: Any) -> None:
    assert len(found) == 569
    assert set(found["source_label"].unique()) == set(product.formulation.label_names)
    assert set(found["licence"].unique()) <= set(product.data.licences)
    assert set(found["kind"].unique()) <= {kind.name for kind in product.data.kinds if kind.scope == "in"}
    for feature in product.formulation.input.features:
        assert found[feature.name].is_between(feature.low, feature.high).all(), feature.name


def test_values_and_labels_are_those_of_the_original(found: pl.DataFrame, product: Any) -> None:
    original = load_breast_cancer()
    names = [name.replace(" ", "_") for name in original.feature_names]
    assert np.array_equal(found.select(names).to_numpy(), original.data)
    assert found["source_label"].to_list() == [original.target_names[target] for target in original.target]


def test_reading_again_gives_the_same_rows(found: pl.DataFrame, product: Any) -> None:
    assert pl.concat(sample.read(product)).equals(found)
