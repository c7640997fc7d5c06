"""Source ``slips``: about 2,000 fields of return slips, into which people write up to two reasons as digits.

The digits are the scans of source ``digits``, as people wrote them. That two of them stand in one field was made here:
each scan is used for one slip, with a second one or alone, and every slip stands there twice, with its two cells
exchanged, in one group, so that no split knows another. 2 and 3, too large and too small, never stand together. The
digits 0, 8 and 9 are no reason.
"""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl

from fullstack_ml.data.collect.sources.digits import png
from fullstack_ml.product.types import Product

# The reason that stands behind a digit.
REASONS = {
    1: "damaged",
    2: "too large",
    3: "too small",
    4: "late",
    5: "other item",
    6: "other colour",
    7: "not wanted",
}
APART = {2, 3}
ALONE = 4  # every so many slips one has one digit


def read(product: Product) -> Iterator[pl.DataFrame]:
    """Yield the whole data set as one batch."""
    package = find_spec("sklearn")  # the file of load_digits, read without the second that importing it takes
    assert package is not None and package.origin is not None
    rows = np.loadtxt(Path(package.origin).with_name("datasets") / "data/digits.csv.gz", delimiter=",")
    cells, digits = rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(int).tolist()
    blank, slips = np.zeros((8, 8)), []
    for number, slip in enumerate(paired(digits)):
        names = sorted({REASONS[digits[i]] for i in slip if digits[i] in REASONS})
        pair = [cells[i] for i in slip] + [blank] * (2 - len(slip))
        for both in (pair, pair[::-1]):
            slips.append((png(np.hstack(both)), ";".join(names) or "none", f"slip {number}"))
    frame = pl.DataFrame(slips, schema=["payload", "source_label", "group"], orient="row")
    facts = {"kind": "slip", "source": "scikit-learn: load_digits, put together", "licence": "CC-BY-4.0"}
    yield frame.with_columns(**{name: pl.lit(value) for name, value in facts.items()})


def paired(digits: list[int]) -> Iterator[list[int]]:
    """Yield the places of one or two digits for every slip, until none is left; the same at every call."""
    left = np.random.default_rng(0).permutation(len(digits)).tolist()
    number = 0
    while left:
        slip = [left.pop()]
        if number % ALONE and left:
            fits = (i for i in range(len(left) - 1, -1, -1) if {digits[slip[0]], digits[left[i]]} != APART)
            place = next(fits, None)
            slip += [] if place is None else [left.pop(place)]
        number += 1
        yield slip
