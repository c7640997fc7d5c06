"""What a change of the image may do to the answer on digits that the model has never seen, and what it must not do."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from fullstack_ml.data.collect.sources import digits
from fullstack_ml.product.types import Product

pytestmark = pytest.mark.task("image-classification")
Decide = Callable[[np.ndarray], np.ndarray]


def answers(model: Any, images: np.ndarray) -> np.ndarray:
    """Return the most probable label of every image."""
    return np.asarray(model.score(images).outputs.argmax(axis=1))


def changed(images: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Apply a change to the grey values, which stay between 0 and 255."""
    return np.asarray(np.clip(change(images.astype(np.float64)), 0, 255).round(), np.uint8)


def grain(grey: np.ndarray) -> np.ndarray:
    """Add what a cheap sensor adds."""
    return np.asarray(grey + np.random.default_rng(0).normal(0, 8, grey.shape))


# What a scanner does to an image: the answers stay, and so does the share of digits that get one.
CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "lighter": lambda grey: grey + 10,
    "grey-paper": lambda grey: grey - 10,
    "fainter-ink": lambda grey: 255 - 0.85 * (255 - grey),
    "stronger-ink": lambda grey: 255 - 1.15 * (255 - grey),
    "fewer-grey-levels": lambda grey: (grey / 32).round() * 32,
    "grain": grain,
}
# What it does rarely: the answer stays but may be withheld.
RARE: dict[str, Callable[[np.ndarray], np.ndarray]] = {"yellowed-paper": lambda grey: 0.9 * grey}


@pytest.mark.parametrize("change", [*CHANGES.values(), *RARE.values()], ids=[*CHANGES, *RARE])
def test_a_change_of_paper_or_ink_keeps_the_answers(
    change: Callable[[np.ndarray], np.ndarray], model: Any, unseen: Any, decisions: Decide
) -> None:
    images = changed(unseen.inputs, change)
    other = answers(model, images) != answers(model, unseen.inputs)
    assert other.mean() <= 0.03
    assert (other & (decisions(images) == "accept")).mean() <= 0.01


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_usual_change_is_still_answered(
    change: Callable[[np.ndarray], np.ndarray], unseen: Any, decisions: Decide
) -> None:
    images = changed(unseen.inputs, change)
    assert (decisions(images) == "accept").mean() >= 0.9 * (decisions(unseen.inputs) == "accept").mean()


def test_the_less_ink_the_less_sure(model: Any, unseen: Any) -> None:
    sure = []
    for strength in (1.0, 0.6, 0.2):
        images = (255 - strength * (255.0 - unseen.inputs)).round().astype(np.uint8)
        sure.append(model.score(images).outputs.max(axis=1).mean())
    assert sure == sorted(sure, reverse=True)


def shuffled(images: np.ndarray) -> np.ndarray:
    """Put the pixels of every image into another order."""
    flat = images.reshape(len(images), -1)
    return np.random.default_rng(0).permuted(flat, axis=1).reshape(images.shape)


STRANGE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "white-on-black": lambda images: 255 - images,
    "noise": lambda images: np.random.default_rng(0).integers(0, 256, images.shape, np.uint8),
    "shuffled-pixels": shuffled,
    "black": lambda images: np.zeros_like(images),
    "blank": lambda images: np.full_like(images, 255),
}


@pytest.mark.parametrize("make", STRANGE.values(), ids=STRANGE)
def test_what_is_no_digit_on_white_is_hardly_ever_answered(
    make: Callable[[np.ndarray], np.ndarray], unseen: Any, decisions: Decide
) -> None:
    assert (decisions(make(unseen.inputs)) == "accept").mean() <= 0.05


def test_the_sample_is_the_data_set_of_scikit_learn(product: Product) -> None:
    (batch,) = digits.read(product)
    bundled = load_digits()
    assert batch["source_label"].to_list() == [str(target) for target in bundled.target]
    grey = np.stack([np.asarray(Image.open(io.BytesIO(payload))) for payload in batch["payload"]])
    assert np.array_equal(grey, 255 - np.rint(bundled.images * 255 / 16))
