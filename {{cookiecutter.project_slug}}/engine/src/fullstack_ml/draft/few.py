"""What few records ask for: folds instead of a test split, and a word on labels that a split will lack.

Reads and writes nothing.
"""

from collections.abc import Iterator

from fullstack_ml.data.split.place import NAMES
from fullstack_ml.draft.requirements import Size
from fullstack_ml.pages.words import words

FOLDS, FEWEST, MANY = 5, 40, 500  # folds, and the labelled records from and below which a draft chooses them


def folds_of(labels: dict[str, int], records: int) -> int:
    """Return the folds that few records are tested in; 0 where a test split of its own is large enough, or too small.

    Each of 500 records tested once says as much as the test split of 2,500 does: an accuracy to about 3 points.
    """
    return FOLDS if labels and FEWEST <= records < MANY and min(labels.values()) >= FOLDS else 0


def small_labels(size: Size) -> Iterator[str]:
    """Say which labels are absent of a split."""
    for label, count in size.labels.items():
        if count < len(NAMES) and size.test < 1:
            text = "label %(label)s has %(records)s records: too few for one in each of %(splits)s splits"
            yield words(text, label=repr(label), records=count, splits=len(NAMES))
