"""Likely label errors: the answers of cleanlab 2.9 (find_label_issues, prune by noise rate), written down."""

import numpy as np
import pytest

from fullstack_ml.answers.label.confident import likely_label_errors, mistaken


def drawn(seed: int, labels: int, records: int) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities and truth; every ninth record has a wrong label."""
    random, right = np.random.default_rng(seed), np.arange(records) % labels
    truth = np.where(np.arange(records) % 9 == 0, (right + 1) % labels, right)
    scores = random.normal(0, 1, (records, labels))
    scores[np.arange(records), right] += 1.5
    shares = np.exp(scores)
    return shares / shares.sum(axis=1, keepdims=True), truth


@pytest.mark.parametrize(
    ("made", "by", "expected"),
    [
        ((1, 3, 60), "margin", [36, 27, 18, 41, 10, 40, 51, 0, 45, 9, 54, 23]),
        ((1, 3, 60), "confidence", [18, 36, 27, 41, 10, 40, 54, 0, 9, 45, 51, 23]),
        ((2, 4, 80), "margin", [9, 54, 0, 55, 72, 57, 18, 51, 44, 14, 36, 10, 49, 63, 58, 45, 75, 26, 48, 69]),
        ((2, 4, 80), "confidence", [54, 9, 18, 55, 45, 0, 72, 51, 57, 63, 44, 58, 75, 49, 14, 10, 36, 69, 48, 26]),
    ],
)
def test_suspects_are_those_of_cleanlab(made: tuple[int, int, int], by: str, expected: list[int]) -> None:
    assert likely_label_errors(*drawn(*made), by).tolist() == expected


def test_the_counts_keep_how_many_records_have_each_label() -> None:
    probabilities, truth = drawn(2, 4, 80)
    assert mistaken(probabilities, truth).sum(axis=1).tolist() == np.bincount(truth).tolist()


def test_where_the_model_agrees_nothing_is_suspect() -> None:
    truth = np.arange(30) % 3
    assert likely_label_errors(np.eye(3)[truth] * 0.7 + 0.1, truth).size == 0


def test_a_label_without_records_and_a_split_with_one_label_are_no_error() -> None:
    probabilities, truth = drawn(1, 3, 60)
    assert likely_label_errors(probabilities[truth != 2], truth[truth != 2]).size > 0
    assert likely_label_errors(probabilities[:10], np.zeros(10, dtype=np.int64)).size == 0
