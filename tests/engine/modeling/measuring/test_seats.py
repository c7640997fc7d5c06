"""What becomes of inputs out of scope: records that the data have, and what is drawn."""

import numpy as np
import pytest

from fullstack_ml.answers.words import ACCEPT, UNCERTAIN
from fullstack_ml.modeling.measuring.seats import Judged, outside


def judged(answered: int, others: int) -> Judged:
    """Return inputs of which so many are answered."""
    words = np.array([ACCEPT] * answered + [UNCERTAIN] * others, dtype=object)
    return Judged(np.zeros(len(words)), words)


@pytest.mark.parametrize(
    ("unknown", "drawn", "wanted"),
    [
        ((1, 3), {}, {"unknown_detected": 0.75, "unknown_answered": 0.25}),
        ((0, 0), {"letters": (1, 9), "signs": (3, 7)}, {"unknown_answered": 0.3}),
        ((2, 2), {"letters": (1, 9)}, {"unknown_detected": 0.5, "unknown_answered": 0.5}),
        ((0, 0), {}, {}),
    ],
    ids=["records", "drawn", "both", "neither"],
)
def test_the_kind_that_is_answered_most_counts(
    unknown: tuple[int, int], drawn: dict[str, tuple[int, int]], wanted: dict[str, float]
) -> None:
    made = {name: judged(*counts) for name, counts in drawn.items()}
    shares, ends = outside(judged(*unknown).words, made, 50, 0)
    assert {name: values[0] for name, values in shares.items()} == wanted
    assert all(len(values) == 51 for values in shares.values())
    assert all(ends[name][0] < value < ends[name][1] for name, value in wanted.items())
