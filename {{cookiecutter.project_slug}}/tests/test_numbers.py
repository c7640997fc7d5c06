"""What a model of numbers promises on records it has never seen; run where the answer is a number."""

from typing import Any

import numpy as np


def test_intervals_hold_the_right_number_as_often_as_promised(model: Any, unseen: Any, least: Any) -> None:
    _, low, high = model.score(unseen.inputs).outputs.T
    held = (low <= unseen.truth) & (unseen.truth <= high)
    assert held.mean() >= least(model.rule.coverage, len(held))


def test_the_model_is_nearer_than_the_mean_of_all(model: Any, unseen: Any) -> None:
    value = model.score(unseen.inputs).outputs[:, 0]
    assert np.abs(value - unseen.truth).mean() < np.abs(unseen.truth.mean() - unseen.truth).mean()


def test_no_wide_interval_is_answered(model: Any, unseen: Any, product: Any, decisions: Any) -> None:
    options = product.formulation.answer.options
    _, low, high = model.score(unseen.inputs).outputs.T
    given = decisions(unseen.inputs) == "accept"
    assert (high - low)[given].max(initial=0) <= options.get("widest", np.inf)
    assert options["low"] <= low.min()
    assert high.max() <= options["high"]


def test_measuring_again_moves_a_number_less_than_its_interval(model: Any, unseen: Any, product: Any) -> None:
    measured = [f.type in ("number", "whole") for f in product.formulation.input.features] or [True]
    inputs = unseen.inputs.reshape(len(unseen.inputs), -1).astype(np.float64)
    noise = np.random.default_rng(0).normal(0, 0.02, inputs.shape) * np.nanstd(inputs, axis=0) * measured
    again = np.clip(inputs + noise, np.nanmin(inputs, axis=0), np.nanmax(inputs, axis=0)).astype(unseen.inputs.dtype)
    before, after = (model.score(each).outputs for each in (unseen.inputs, again.reshape(unseen.inputs.shape)))
    moved = np.abs(after[:, 0] - before[:, 0])
    assert (moved <= (before[:, 2] - before[:, 1]) / 2).mean() >= 0.97
