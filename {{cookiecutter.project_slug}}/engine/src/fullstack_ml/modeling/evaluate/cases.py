"""Single records of the test split that a person should look at: the worst errors, and likely label errors.

Reads and writes nothing; ``evaluate`` stores the rows as ``reports/errors.parquet``, ``cards`` shows them.
"""

import numpy as np
import polars as pl

from fullstack_ml.answers.words import ACCEPT
from fullstack_ml.inputs import input_of
from fullstack_ml.modeling.measuring.measure import Tested
from fullstack_ml.product.types import Product

SHOWN = 60


def likely_label_errors(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the indices of records whose label is likely wrong, the most suspicious first.

    Confident learning (Northcutt, Jiang and Chuang 2021) by cleanlab: a record is suspect when the model gives another
    label a probability above what that label's own records get on average.
    """
    from cleanlab.filter import find_label_issues  # slow to import

    # With one label in the split there is nothing to be confused with, and cleanlab refuses it.
    if len(np.unique(truth)) < 2:
        return np.array([], dtype=np.int64)
    ranked: np.ndarray = find_label_issues(truth, probabilities, return_indices_ranked_by="normalized_margin", n_jobs=1)
    return ranked


def worst_errors(tested: Tested) -> np.ndarray:
    """Return the indices of wrong predictions: those that were answered first, then by falling probability."""
    scores = tested.scored.outputs
    wrong = np.flatnonzero(scores.argmax(axis=1) != tested.examples.truth)
    silent = tested.decisions[wrong] != ACCEPT
    order: np.ndarray = wrong[np.lexsort((-scores[wrong].max(axis=1), silent))]
    return order


def ranks(chosen: np.ndarray, records: int) -> pl.Series:
    """Return the place from 1 of every chosen record, null for the others."""
    found = np.zeros(records, dtype=np.int64)
    found[chosen] = np.arange(1, len(chosen) + 1)
    return pl.Series(found).replace(0, None)


def pick(tested: Tested, product: Product, shown: int = SHOWN) -> pl.DataFrame:
    """Return at most ``shown`` worst errors and as many likely label errors, payload included.

    ``error`` and ``suspect`` are the places in the two lists, null where a record is not in one.
    """
    scores, names = tested.scored.outputs, np.array(product.formulation.label_names)
    errors, suspects = worst_errors(tested), likely_label_errors(scores, tested.examples.truth)
    rows, truth = tested.examples.frame, tested.examples.truth
    return (
        rows.select("id", *input_of(product).columns(product))
        .with_columns(
            label=pl.Series(names[truth].tolist(), dtype=pl.String),
            predicted=pl.Series(names[scores.argmax(axis=1)].tolist(), dtype=pl.String),
            probability=pl.Series(scores.max(axis=1).astype(np.float64)),
            right_probability=pl.Series(scores[np.arange(len(truth)), truth].astype(np.float64)),
            novelty=pl.Series(tested.scored.novelty.astype(np.float64)),
            decision=pl.Series(tested.decisions.tolist(), dtype=pl.String),
            error=ranks(errors[:shown], len(rows)),
            suspect=ranks(suspects[:shown], len(rows)),
        )
        .filter(pl.col("error").is_not_null() | pl.col("suspect").is_not_null())
        .sort("error", "suspect", nulls_last=True)
    )
