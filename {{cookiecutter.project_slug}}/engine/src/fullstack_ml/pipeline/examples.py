"""Read a split as arrays.

Reads ``data/splits/<name>.parquet``; writes nothing.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from fullstack_ml.answers import answer_of
from fullstack_ml.inputs import input_of
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.paths import SPLITS


@dataclass(frozen=True)
class Examples:
    """``frame`` as stored; ``inputs`` for the graph; ``truth`` as the answer defines it."""

    frame: pl.DataFrame
    inputs: np.ndarray
    truth: np.ndarray


def read(split: str, product: Product) -> Examples:
    """Read the split ``train``, ``validation``, ``calibration`` or ``test``.

    Raises:
        UserError: if it holds no record.
    """
    path = SPLITS / f"{split}.parquet"
    frame = pl.read_parquet(path)
    if frame.is_empty():
        raise UserError(
            f"the split {split} holds no record", str(path), "collect more, or raise its share in conf/split.yaml"
        )
    truth = answer_of(product).truth(frame["label"].to_list(), product)
    return Examples(frame, input_of(product).matrix(frame, product), truth)
