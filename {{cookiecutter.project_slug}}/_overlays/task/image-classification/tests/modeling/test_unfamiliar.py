"""Unfamiliar inputs: of the form that the model takes, and the same in every run."""

from typing import Any

import numpy as np
import pytest

from {{cookiecutter.__package}}.modeling import unfamiliar


@pytest.fixture
def inputs(product: Any) -> np.ndarray:
    """Inputs of the model."""
    shape: tuple[int, int] = product.formulation.input.shape
    return np.random.default_rng(0).integers(0, 256, (30, *shape), np.uint8)


def test_every_kind_has_the_form_of_the_inputs_and_is_none_of_them(inputs: np.ndarray) -> None:
    for name, made in unfamiliar.kinds(inputs, 1).items():
        assert (made.dtype, made.shape[1:]) == (inputs.dtype, inputs.shape[1:]), name
        assert made.flags.c_contiguous, name
        assert not (made[: len(inputs)] == inputs[: len(made)]).all(), name


def test_the_seed_decides_what_is_drawn(inputs: np.ndarray) -> None:
    first, again, other = (unfamiliar.kinds(inputs, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert any(not np.array_equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("shape", [(12, 16), (16, 12), (28, 28)], ids=["wide", "high", "square"])
def test_images_of_any_shape_have_unfamiliar_ones(shape: tuple[int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, *shape), np.uint8)
    assert {made.shape[1:] for made in unfamiliar.kinds(images, 1).values()} == {shape}
