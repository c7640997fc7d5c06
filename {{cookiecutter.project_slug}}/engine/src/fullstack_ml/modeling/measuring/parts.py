"""What the parts of a record add to an answer: the words of a text, the values of a row, the regions of a picture.

Reads and writes nothing.
"""

from typing import Any

import numpy as np

from fullstack_ml.artefact.session import Artefact
from fullstack_ml.inputs import input_of
from fullstack_ml.product.types import Product


def replaced(inputs: np.ndarray, others: np.ndarray, index: tuple[Any, ...]) -> np.ndarray:
    """Return a copy of ``inputs`` in which the part at ``index`` comes from ``others``, record by record."""
    copy, place = inputs.copy(), (slice(None), *index)
    copy[place] = others[place]
    return copy


def effects(
    artefact: Artefact, values: np.ndarray, others: np.ndarray, place: int, product: Product
) -> list[tuple[float, str]]:
    """Return what each part of one input adds to the output at ``place``, and its name, the largest effect first.

    That is the output, less its mean when the part is as in other records (situational importance: Strumbelj and
    Kononenko 2014, Explaining prediction models and individual predictions with feature contributions).
    """
    parts, count = list(input_of(product).regions(product, values)), len(others)
    if not parts:
        return []
    same = np.repeat(values[np.newaxis], count, axis=0)
    asked = [values[np.newaxis], *(replaced(same, others, index) for _, _, index in parts)]
    outputs = artefact.score(np.concatenate(asked)).outputs[:, place]
    usual = outputs[1:].reshape(len(parts), count).mean(axis=1)
    found = [(float(outputs[0] - mean), name) for (name, _, _), mean in zip(parts, usual, strict=True)]
    return sorted(found, key=lambda item: -abs(item[0]))
