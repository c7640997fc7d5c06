"""Folds for small data: every record is tested once, by a model that has not seen it.

Reads ``data/labelled.parquet``; writes ``folds.parquet`` beside the splits: all records with the number of their fold,
or none of them where ``folds`` of ``conf/split.yaml`` is 0.
"""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from fullstack_ml.answers import answer_of
from fullstack_ml.data.split.place import HEX, key
from fullstack_ml.pipeline.tables import write_parquet
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.paths import LABELLED

WHERE, NAME = "folds in conf/split.yaml", "folds.parquet"


def write_folds(folder: Path, folds: int, product: Product) -> None:
    """Write every record with its fold, in the order of the ids."""
    labels, named = product.formulation.label_names, answer_of(product).named
    frame = (pl.read_parquet(LABELLED) if folds else pl.scan_parquet(LABELLED).head(0).collect()).sort("id")
    frame = frame.with_columns(fold=pl.Series(folds_of(frame, folds, labels, named) if folds else [], dtype=pl.Int64))
    write_parquet(folder / NAME, [frame])


def folds_of(frame: pl.DataFrame, folds: int, labels: list[str], named: Callable[[str], list[str]]) -> np.ndarray:
    """Return the fold of every record, 0, 1 ...: groups and equal contents stay together, labels are spread.

    ``labels`` are those of the contract, ``named`` gives those of an answer.

    Raises:
        UserError: if there are fewer groups than folds, or a label stands in one fold only: its records would be tested
            by models that know no such label.
    """
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    units = key(frame).str.slice(0, HEX).rank("dense").to_numpy()
    count = len(np.unique(units))
    if count < folds:
        what = f"{len(frame)} labelled records in {count} groups cannot be cut into {folds} folds"
        raise UserError(what, WHERE, "label more, or set fewer folds")
    cutter = StratifiedGroupKFold if labels else GroupKFold
    found = np.zeros(len(frame), dtype=np.int64)
    truth = frame["label"].cast(pl.String).to_numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a label of fewer records than folds
        for fold, (_, held) in enumerate(cutter(folds, shuffle=True, random_state=0).split(units, truth, units)):
            found[held] = fold
    where: dict[str, set[int]] = {label: set() for label in labels}
    for text, fold in frame.select("label", fold=pl.Series(found)).unique().iter_rows():
        for label in named(text):
            where[label].add(fold)
    alone = [label for label in labels if len(where[label]) < 2]
    if alone:
        what = f"all records of the label(s) {', '.join(alone)} stand in one fold, or there are none"
        raise UserError(what, WHERE, "label more of them, in other groups, or take the label out of product.yaml")
    return found
