"""Unfamiliar inputs: of the form that the model takes, and the same in every run."""

from typing import Any

import numpy as np
import pytest

from fullstack_ml.inputs import input_of


@pytest.fixture
def inputs(product: Any) -> np.ndarray:
    """Inputs of the model."""
    wanted, random = product.formulation.input, np.random.default_rng(0)
    if wanted.shape:
        return random.integers(0, 256, (30, *wanted.shape), np.uint8)
    return random.normal(size=(30, len(wanted.features))).astype(np.float32)


def test_every_kind_has_the_form_of_the_inputs_and_is_none_of_them(inputs: np.ndarray, product: Any) -> None:
    for name, made in input_of(product).strangers(inputs, product, 1).items():
        assert (made.dtype, made.shape[1:]) == (inputs.dtype, inputs.shape[1:]), name
        assert made.flags.c_contiguous, name
        assert not (made[: len(inputs)] == inputs[: len(made)]).all(), name


def test_the_seed_decides_what_is_drawn(inputs: np.ndarray, product: Any) -> None:
    first, again, other = (input_of(product).strangers(inputs, product, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert any(not np.array_equal(first[name], other[name]) for name in first)
