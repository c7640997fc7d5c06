"""Source ``digits``: 1,797 scans of handwritten digits that are bundled with scikit-learn.

Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, CC BY 4.0.
Each scan is 8 x 8 pixels with 17 levels of ink; it is written as a grey PNG, dark ink on white.
"""

import io
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from fullstack_ml.product.types import Product

FULL_INK = 16


def png(ink: np.ndarray) -> bytes:
    """Encode an array of ink levels from 0 to ``FULL_INK``, shape (height, width), as a grey PNG on white."""
    grey = 255 - np.rint(ink * (255 / FULL_INK)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, format="PNG")
    return buffer.getvalue()


def read(product: Product) -> Iterator[pl.DataFrame]:
    """Yield the whole data set as one batch."""
    package = find_spec("sklearn")  # the file of load_digits, read without the second that importing it takes
    assert package is not None and package.origin is not None
    rows = np.loadtxt(Path(package.origin).with_name("datasets") / "data/digits.csv.gz", delimiter=",")
    yield pl.DataFrame(
        {
            "payload": [png(ink.reshape(8, 8)) for ink in rows[:, :-1]],
            "source_label": [f"{target:.0f}" for target in rows[:, -1]],
        }
    ).with_columns(
        kind=pl.lit("scan"),
        group=pl.lit(None, dtype=pl.String),
        source=pl.lit("scikit-learn: load_digits"),
        licence=pl.lit("CC-BY-4.0"),
    )
