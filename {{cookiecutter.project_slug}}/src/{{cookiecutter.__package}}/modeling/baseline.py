"""What needs no model: always the most frequent label, and the shares of the labels as probabilities.

Reads and writes nothing. Both are measured on the test split in every evaluation, with what the train split says.
"""

from typing import Any

import numpy as np

from .scores import accuracy, confusion, headline, macro_f1


def baselines(counts: dict[str, int], names: list[str], truth: np.ndarray, bins: int) -> dict[str, Any]:
    """Measure both baselines; ``counts`` are the records per label of the train split.

    ``majority`` answers with certainty, so that its log loss is infinite wherever it is wrong: it is left out.
    """
    shares = np.array([counts[name] for name in names], dtype=np.float64)
    shares /= shares.sum()
    often = int(shares.argmax())
    always = np.broadcast_to(np.eye(len(names))[often], (len(truth), len(names)))
    matrix = confusion(np.full(len(truth), often), truth, len(names))
    return {
        "majority": {"label": names[often], "accuracy": accuracy(always, truth), "macro_f1": macro_f1(matrix)},
        "prior": headline(np.broadcast_to(shares, (len(truth), len(names))), truth, bins),
    }
