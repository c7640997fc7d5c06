"""What is out of scope can be drawn: of the form of the records, as dark as they are, and never one of the labels."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fullstack_ml.inputs import glyphs


def asking(*names: str, labels: tuple[str, ...] = ("0", "1")) -> Any:
    """Return a contract that has these drawn."""
    return SimpleNamespace(data=SimpleNamespace(drawn=names), formulation=SimpleNamespace(label_names=labels))


@pytest.fixture
def inputs() -> np.ndarray:
    """Records with a dark bar, 6 of 8 pixels high."""
    made = np.full((30, 8, 8), 255, np.uint8)
    made[:, 1:7, 3:6] = 0
    return made


def test_characters_have_the_form_and_the_size_of_the_records(inputs: np.ndarray) -> None:
    made = glyphs.drawn(inputs, asking("letters", "signs"), 0)
    assert {name: len(rows) for name, rows in made.items()} == {
        "letters": 52 * len(glyphs.FACES),
        "signs": len(glyphs.CHARACTERS["signs"]) * len(glyphs.FACES),
    }
    for rows in made.values():
        assert (rows.dtype, rows.shape[1:]) == (np.uint8, (8, 8))
        assert (rows.min(axis=(1, 2)) < 255).all(), "nothing is blank"
        inside = rows[:, 1:7, 2:7].mean()
        assert rows[:, 0].mean() > 200 > inside, "as high as the records, but for the breadth of the pen"
        assert rows[:, :, :2].mean() > 200 > inside, "and no wider"
        ink = 1 - rows.mean() / 255
        assert abs(ink - (1 - inputs.mean() / 255)) < 0.1, "as dark as the records"


def test_a_character_that_is_a_label_is_in_scope(inputs: np.ndarray) -> None:
    made = glyphs.drawn(inputs, asking("letters", labels=("a", "B")), 0)
    assert len(made["letters"]) == 48 * len(glyphs.FACES)


def test_a_picture_in_colour_has_its_channels(inputs: np.ndarray) -> None:
    colour = np.repeat(inputs[:, :, :, np.newaxis], 3, axis=3)
    made = glyphs.drawn(colour, asking("letters", "pairs"), 0)
    assert {rows.shape[1:] for rows in made.values()} == {(8, 8, 3)}


def test_a_pair_shows_both_records(inputs: np.ndarray) -> None:
    made = glyphs.drawn(inputs, asking("pairs"), 0)["pairs"]
    left, right = made[:, :, :4], made[:, :, 4:]
    assert np.array_equal(left, right)
    assert left.min() < 128
    assert np.array_equal(made, glyphs.drawn(inputs, asking("pairs"), 0)["pairs"])
