"""Near-duplicates: the same pairs as comparing every image with every other."""

import numpy as np
import polars as pl
import pytest

from fullstack_ml.data.validate import duplicates


def prints(values: np.ndarray) -> pl.DataFrame:
    """Make images of these fingerprints, every second one in a group."""
    groups = [None if i % 2 else f"g{i}" for i in range(len(values))]
    columns = {"id": [f"{i:04}" for i in range(len(values))], "group": groups, "fingerprint": values}
    return pl.DataFrame(columns, schema_overrides={"group": pl.String, "fingerprint": pl.UInt64})


@pytest.mark.parametrize("bits", [0, 1, 4, 7])
def test_the_pairs_are_those_of_comparing_all(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "CHUNK", 37)
    draw = np.random.default_rng(0)
    values = draw.integers(0, 2**64, 150, dtype=np.uint64, endpoint=False)
    for i in range(0, 140, 2):  # neighbours that differ in 1 to 9 bits
        flips = sum(1 << int(bit) for bit in draw.choice(64, 1 + i % 9, replace=False))
        values[i + 1] = values[i] ^ np.uint64(flips)
    different = np.bitwise_count(values[:, None] ^ values[None, :])
    expected = {(f"{i:04}", f"{j:04}", int(different[i, j])) for i, j in np.argwhere(np.triu(different <= bits, 1))}
    found = duplicates.near_duplicates(prints(values), bits)
    assert set(found.select("id", "other", "distance").rows()) == expected
    assert found["distance"].is_sorted()


def test_many_equal_images_are_each_paired_with_the_first() -> None:
    found = duplicates.near_duplicates(prints(np.full(1000, 7, dtype=np.uint64)), 4)
    assert found["id"].unique().to_list() == ["0000"]
    assert len(found) == 999
    assert found["group"].unique().to_list() == ["g0"]
    assert found["other_group"].null_count() == 500


def test_an_unreadable_image_has_no_pair() -> None:
    frame = prints(np.array([1, 1], dtype=np.uint64)).with_columns(fingerprint=pl.lit(None, pl.UInt64))
    assert duplicates.near_duplicates(frame, 4).is_empty()
