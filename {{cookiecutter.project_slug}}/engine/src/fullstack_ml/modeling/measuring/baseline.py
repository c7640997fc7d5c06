"""What needs no model: always the most frequent label, and the shares of the labels as probabilities.

Reads and writes nothing. Both are measured on the test split in every evaluation, with what the train split says.
"""

from typing import Any

import numpy as np

from fullstack_ml.modeling.measuring.scores import headline


def baselines(counts: dict[str, int], names: list[str], truth: np.ndarray, bins: int) -> dict[str, Any]:
    """Measure both baselines; ``counts`` are the records per label of the train split.

    ``majority`` answers with certainty, so that its log loss is infinite wherever it is wrong: it is left out.
    """
    shares = np.array([counts[name] for name in names], dtype=np.float64)
    shares /= shares.sum()
    often = int(shares.argmax())
    always = np.broadcast_to(np.eye(len(names))[often], (len(truth), len(names)))
    known = headline(always, truth, bins)
    return {
        "majority": {"label": names[often], "accuracy": known["accuracy"], "macro_f1": known["macro_f1"]},
        "prior": headline(np.broadcast_to(shares, (len(truth), len(names))), truth, bins),
    }
