"""What may change in the world: the records stay what the contract allows, and differ from before."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from fullstack_ml.inputs import input_of, shifts
from fullstack_ml.product import contract


def png(values: np.ndarray) -> bytes:
    """Encode a grey picture."""
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.mark.task("image-classification")
def test_a_scan_becomes_darker_at_the_edges_of_its_strokes_and_stays_readable(project: Path) -> None:
    product = contract.load()
    stroke = np.full((8, 8), 255, np.uint8)
    stroke[2:6, 3] = 0
    frame = pl.DataFrame({"payload": [png(stroke)] * 3})
    after = shifts.of_pictures(frame, product, 1)
    matrix = input_of(product).matrix(after, product)
    assert (matrix <= stroke).all(), "nothing becomes lighter"
    assert (matrix[:, 3, 3] == 0).all(), "the stroke stays"
    assert (matrix[:, 3, 4] < 255).all(), "and reaches further"
    assert (matrix[:, 0, :] == 255).all(), "far from it the paper stays white"
    assert len({one.tobytes() for one in matrix}) == 3, "each by an amount of its own"
    assert shifts.of_pictures(frame, product, 1).equals(after), "the same seed gives the same pictures"


@pytest.mark.task("tabular-classification")
def test_numbers_grow_and_stay_within_the_contract(project: Path) -> None:
    product = contract.load()
    features = product.formulation.input.features
    low, high = ({f.name: f.bounds[end] for f in features} for end in (0, 1))
    frame = pl.DataFrame([{name: (low[name] + high[name]) / 2 for name in low}, high])
    after = shifts.of_table(frame, product, 1)
    for name in low:
        middle, end = after[name]
        assert (low[name] + high[name]) / 2 < middle <= high[name]
        assert end == high[name]


@pytest.mark.task("tabular-classification")
def test_where_all_numbers_are_whole_they_grow_and_stay_whole(project: Path) -> None:
    product = contract.load()
    whole = [f.model_copy(update={"type": "whole", "low": 0, "high": 100}) for f in product.formulation.input.features]
    given = product.formulation.input.model_copy(update={"features": whole})
    counts = product.model_copy(update={"formulation": product.formulation.model_copy(update={"input": given})})
    frame = pl.DataFrame({f.name: [10, 60, None, 100] for f in whole})
    after = shifts.of_table(frame, counts, 1)
    assert after.schema == frame.schema
    for name in frame.columns:
        assert 10 < after[name][0] <= 14
        assert 60 < after[name][1] <= 84
        assert after[name].to_list()[2:] == [None, 100]


def test_a_text_is_typed_on_the_keys_of_another_keyboard() -> None:
    assert shifts.mistyped("안녕") == "dkssud", "as two-set Korean on an English keyboard"
    assert shifts.mistyped("값") == "rkqt"
    assert shifts.mistyped("Hello!") == "d.nnr!", "as English on Dvorak's"


def test_the_shift_of_a_text_fits_its_length() -> None:
    class Wanted:
        length = 20

    product: Any = type("P", (), {"formulation": type("F", (), {"input": Wanted})})
    frame = pl.DataFrame({"text": ["안녕하세요 반갑습니다 여러분", "one two three"]})
    after = shifts.of_text(frame, product, 3)["text"].to_list()
    assert all(0 < len(text) <= Wanted.length for text in after)
    assert all(old != new for old, new in zip(frame["text"], after, strict=True))
