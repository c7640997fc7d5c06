"""Models of small data, one for each fold: from which records each learns, and how long all of them do.

Reads and writes nothing.
"""

import numpy as np

from fullstack_ml.modeling.train.backends import backend_of, lesson_of
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.examples import Examples, joined
from fullstack_ml.product.types import Product

Curves = dict[str, list[float]]


def usual_rounds(config: Config, product: Product, parts: list[Examples]) -> tuple[list[int] | None, Curves]:
    """Return how many iterations a model of small data takes, and the curves of one; None where it does not choose.

    Stopped by a tenth of a few hundred records, one model may take three times as many as another. It is then as much
    surer of its answers, and a threshold that was found by the others is none for it. So every fold finds its number,
    and all models, also the one that ships, take the median.
    """
    backend, took, curves = backend_of(config.model), list[list[int]](), Curves()
    if backend.rounds is None:
        return None, curves
    for i in range(len(parts)):
        fitted = backend.fit(config.model, config.seed, lesson_of(config.model, rest_of(parts, i), product))
        took.append(backend.rounds(fitted))
        curves = curves or backend.history(fitted)
        if not took[0] or len(took[i]) != len(took[0]):
            return None, curves
    return [int(number) for number in np.median(took, axis=0)] if took else None, curves


def rest_of(parts: list[Examples], fold: int) -> Examples:
    """Return the records of all folds but one."""
    return joined([*parts[:fold], *parts[fold + 1 :]])
