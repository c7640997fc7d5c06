"""Read a split, or the folds of small data, as arrays.

Reads ``data/splits/<name>.parquet``; writes nothing.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from fullstack_ml.answers import answer_of
from fullstack_ml.inputs import input_of
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.paths import OUT_OF_SCOPE, SPLITS


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
    return examples_of(pl.read_parquet(path), product, path)


def examples_of(frame: pl.DataFrame, product: Product, path: Path) -> Examples:
    """Turn stored records into arrays; ``path`` is where they stand."""
    if frame.is_empty():
        raise UserError(
            f"the split {path.stem} holds no record", str(path), "collect more, or raise its share in conf/split.yaml"
        )
    truth = answer_of(product).truth(frame["label"].to_list(), product)
    return Examples(frame, input_of(product).matrix(frame, product), truth)


def read_out_of_scope(product: Product) -> np.ndarray:
    """Return the inputs of the records of kinds that are out of scope, of which there may be none."""
    frame = pl.read_parquet(OUT_OF_SCOPE) if OUT_OF_SCOPE.exists() else pl.DataFrame()
    return np.empty(0) if frame.is_empty() else input_of(product).matrix(frame, product)


def moments_of(frame: pl.DataFrame) -> np.ndarray | None:
    """Return when every record was, datetime64 (records,); None where one does not say it."""
    return None if frame["happened_at"].null_count() else frame["happened_at"].to_numpy()


def read_folds(product: Product) -> list[Examples]:
    """Return the records of each fold, or nothing where there is a test split."""
    path = SPLITS / "folds.parquet"
    frame = pl.read_parquet(path) if path.exists() else pl.DataFrame({"fold": [], "id": []})
    return [
        examples_of(part, product, path) for part in frame.sort("fold", "id").partition_by("fold", maintain_order=True)
    ]


def joined(parts: list[Examples]) -> Examples:
    """Put the records of several folds behind each other."""
    frame = pl.concat([part.frame for part in parts])
    inputs, truth = (np.concatenate([getattr(part, name) for part in parts]) for name in ("inputs", "truth"))
    return Examples(frame, inputs, truth)
