"""What the passing of time costs a model: how well it answers records of its own time, and later ones.

Reads and writes nothing. Where the splits follow time, a random fifth of the training records is held out beside the
validation split, which is later: one model, fitted on the rest, is measured on both. What it loses from the one to the
other it will lose in use; a random split would have hidden it.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from fullstack_ml.answers import answer_of
from fullstack_ml.artefact.graph import features_of
from fullstack_ml.modeling.train.backends import backend_of, lesson_of
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.examples import Examples
from fullstack_ml.product.types import Product

SHARE = 0.2


def is_later(first: pl.DataFrame, second: pl.DataFrame) -> bool:
    """Tell whether every record of ``second`` is later than all of ``first``, as in splits by time."""
    end, start = first["happened_at"].max(), second["happened_at"].min()
    return end is not None and start is not None and bool(start >= end)  # type: ignore[operator]


def cost_of_time(config: Config, product: Product, known: Examples, later: Examples) -> dict[str, Any] | None:
    """Return the main score on records of the same time and on ``later`` ones; None where time does not part them.

    Records of one group are held out together.
    """
    from sklearn.model_selection import GroupShuffleSplit

    groups = known.frame.select(pl.coalesce(pl.col("group").cast(pl.String), pl.col("id"))).to_series().to_numpy()
    if not is_later(known.frame, later.frame) or len(set(groups)) < 1 / SHARE:
        return None
    cut = GroupShuffleSplit(1, test_size=SHARE, random_state=config.seed)
    fitted_on, held_out = next(cut.split(known.inputs, groups=groups))
    answer, backend = answer_of(product), backend_of(config.model)
    truth = known.truth[fitted_on]
    if answer.missing(answer.summary(truth, product), product):
        return None
    lesson = lesson_of(config.model, known, product)
    rows = lesson.rows
    fitted = backend.fit(config.model, config.seed, replace(lesson, rows=rows[fitted_on], truth=truth))

    def score(values: np.ndarray, right: np.ndarray) -> float:
        return float(answer.headline(backend.outputs(fitted, values), right)[answer.HEADLINE[0]])

    same = score(rows[held_out], known.truth[held_out])
    return {
        "metric": answer.HEADLINE[0],
        "same_time": same,
        "later": score(features_of(later.inputs, product, config.model.takes), later.truth),
    }
