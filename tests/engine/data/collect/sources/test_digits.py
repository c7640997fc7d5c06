"""Source sample: the bundled digits, as the contract wants them."""

import io
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from fullstack_ml.data.collect.sources import digits as sample

pytestmark = pytest.mark.task("image-classification")


@pytest.fixture(scope="module")
def found(product: Any) -> pl.DataFrame:
    """All records of the source."""
    return pl.concat(sample.read(product))


def test_every_record_keeps_the_contract(found: pl.DataFrame, product: Any) -> None:
    assert len(found) == 1797
    assert found["payload"].n_unique() == 1797
    assert set(found["source_label"].unique()) == set(product.formulation.label_names)
    assert set(found["licence"].unique()) <= set(product.data.licences)
    assert set(found["kind"].unique()) <= {kind.name for kind in product.data.kinds if kind.scope == "in"}


def test_a_decoded_image_has_the_ink_of_the_original(found: pl.DataFrame, product: Any) -> None:
    original = load_digits()
    for i in range(0, 1797, 100):
        grey = np.asarray(Image.open(io.BytesIO(found["payload"][i])), dtype=float)
        assert ((255 - grey) * 16 / 255).round().astype(int).tolist() == original.images[i].astype(int).tolist()
        assert found["source_label"][i] == str(original.target[i])


def test_reading_again_gives_the_same_bytes(found: pl.DataFrame, product: Any) -> None:
    assert pl.concat(sample.read(product)).equals(found)
