"""Does something beside the payload give the label away? A model that recognises it need not learn the task.

Reads and writes nothing; ``train`` reports it for the train split.
"""

from typing import Any

import numpy as np
import polars as pl

from fullstack_ml.product.metrics import wilson
from fullstack_ml.workspace.sentences import sentence

COLUMNS = ("source", "group", "kind")
# How far above always answering the most frequent label a column may predict before it is a warning.
MARGIN = 0.05


def predictable(values: np.ndarray, truth: np.ndarray, labels: int) -> int:
    """Count the records whose label is the most frequent one among the *other* records with the same value.

    Leaving the record itself out keeps a value that stands once from counting as knowledge: such a record gets the most
    frequent label of all the others, which also decides between labels that are equally frequent.
    """
    counts = np.zeros((int(values.max()) + 1, labels))
    np.add.at(counts, (values, truth), 1.0)
    overall = np.bincount(truth, minlength=labels)
    right = 0
    for label in range(labels):
        known = np.flatnonzero(counts[:, label])
        others = counts[known].copy()
        others[:, label] -= 1
        rest = overall.astype(float)
        rest[label] -= 1
        said = (others + rest / (2.0 * len(truth))).argmax(axis=1)
        right += int(counts[known[said == label], label].sum())
    return right


def check(frame: pl.DataFrame, truth: np.ndarray) -> dict[str, Any]:
    """Say per column how well it predicts the label, against always answering the most frequent one.

    ``warning`` is a ``sentence()`` when the lower end of the 95 % interval is more than ``MARGIN`` above that, or null.
    """
    labels = int(truth.max()) + 1
    baseline = float(np.bincount(truth).max() / len(truth))
    found: dict[str, Any] = {}
    for column in COLUMNS:
        # An unknown value is nobody's neighbour.
        named = frame.select(pl.coalesce(pl.col(column), pl.format("unknown {}", "id")).alias("value"))["value"]
        values = named.rank("dense").to_numpy().astype(np.int64) - 1
        right = predictable(values, truth, labels)
        bounds = wilson(right, len(truth))
        text = (
            "%(column)s alone predicts %(right)s of the labels, where the most frequent label is right in "
            "%(baseline)s; a model may learn that instead of the task: collect every label with every %(column)s"
        )
        shares = {"right": f"{100 * right / len(truth):.0f} %", "baseline": f"{100 * baseline:.0f} %"}
        warning = sentence(text, column=column, **shares)
        known = frame[column].drop_nulls()
        found[column] = {
            "values": known.n_unique(),
            "accuracy": right / len(truth),
            "accuracy_interval": bounds,
            "baseline": baseline,
            "warning": warning if bounds[0] > baseline + MARGIN else None,
        }
    return found
