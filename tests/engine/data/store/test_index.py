"""What is known, exactly, whatever the size of memory: compared with a Python set."""

import random
from pathlib import Path

import numpy as np
import pytest

from fullstack_ml.data.store import index


@pytest.fixture(params=["all-in-memory", "mostly-in-the-file"])
def known(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> index.Index:
    """An index that holds everything in memory, or one that writes a file of many blocks."""
    if request.param == "mostly-in-the-file":
        monkeypatch.setattr(index, "HELD", 50)
        monkeypatch.setattr(index, "BLOCK", 16)
        monkeypatch.setattr(index, "RUNS", 2)
    return index.Index(tmp_path)


def test_first_records_and_their_marks_are_those_that_a_dictionary_finds(known: index.Index) -> None:
    draw, marks = random.Random(1), dict[int, int]()
    for _ in range(60):
        batch = [(draw.randrange(700) * 2**54, draw.randrange(2)) for _ in range(draw.randrange(1, 40))]
        fresh, remembered = [], []
        for key, mark in batch:
            fresh.append(key not in marks)
            marks.setdefault(key, mark)
            remembered.append(marks[key])
        found = known.sort_out(*np.array(batch, dtype=np.uint64).T)
        assert (found[0].tolist(), found[1].tolist()) == (fresh, remembered)
    assert known.count == len(marks)


def test_the_largest_and_the_smallest_key_are_found_again(known: index.Index) -> None:
    ends = np.array([2**64 - 1, 0], dtype=np.uint64)
    assert known.sort_out(ends, ends)[0].all()
    known.sort_out(np.arange(1, 200, dtype=np.uint64), np.zeros(199, dtype=np.uint64))
    assert not known.sort_out(ends, ends)[0].any()


def test_its_file_is_gone_with_it(known: index.Index) -> None:
    known.sort_out(np.arange(200, dtype=np.uint64), np.zeros(200, dtype=np.uint64))
    assert [*known.folder.iterdir()] == []
