"""Unfamiliar images: of the shape of the images that they are made from."""

from typing import Any

import numpy as np
import pytest

from fullstack_ml.inputs import image

pytestmark = pytest.mark.task("image-classification")


@pytest.mark.parametrize("shape", [(12, 16), (16, 12), (28, 28)], ids=["wide", "high", "square"])
def test_images_of_any_shape_have_unfamiliar_ones(shape: tuple[int, int], product: Any) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, *shape), np.uint8)
    assert {made.shape[1:] for made in image.strangers(images, product, 1).values()} == {shape}
