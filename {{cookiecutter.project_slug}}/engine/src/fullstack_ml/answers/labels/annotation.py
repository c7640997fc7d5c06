"""Several labels at the annotator's screen: choices of Label Studio of which many may be taken, and what was chosen.

Reads and writes nothing.
"""

from typing import Any

import numpy as np

from fullstack_ml.answers.label.annotation import CANNOT_KEY, choices, hotkeys
from fullstack_ml.answers.labels.contract import options_of
from fullstack_ml.answers.words import JOINT, NONE, Words, names_in, outside
from fullstack_ml.product.types import Product

# Two answers are as far apart as the labels that only one of them has.
SCALE = "sets"


def asked(product: Product, cannot: str, words: Words) -> list[dict[str, str]]:
    """List the labels with their definitions and keys, that there is none of them, the kinds out of scope, and last
    that none can be given."""
    known, groups = product.formulation.answer.labels, options_of(product).excludes
    told = [(NONE, words("no label holds for it")), *outside(product.data.kinds, words)]
    keys = hotkeys([*(label.name for label in known), *(name for name, _ in told)])
    rows = []
    for label, key in zip(known, keys, strict=False):
        group = dict.fromkeys(other for group in groups if label.name in group for other in group)
        without = ", ".join(other for other in group if other != label.name)
        says = label.definition + (words("; never with %(others)s", others=without) if without else "")
        rows.append({"name": label.name, "says": says, "key": key})
    others = zip(told, keys[len(known) :], strict=True)
    rows += [{"name": name, "says": says, "key": key} for (name, says), key in others]
    return [*rows, {"name": cannot, "says": words("see the guide for what counts"), "key": CANNOT_KEY}]


def control(product: Product, cannot: str, words: Words) -> str:
    """Return a choice per label, of which several may be taken."""
    header = words("Which labels? All that hold; the key stands behind each.")
    message = words("Choose every label that holds, or: none, or: cannot be annotated")
    return choices(asked(product, cannot, words), "multiple", header, message)


def said(result: list[dict[str, Any]]) -> list[str]:
    """Return all that was chosen as one answer; ``none`` or a kind beside a label is part of it, and not allowed."""
    chosen = [name for part in result if part["type"] == "choices" for name in part["value"]["choices"]]
    return [JOINT.join(chosen)] if chosen else []


def suggestion(answer: str) -> dict[str, Any]:
    """Return an answer as choices."""
    choices = names_in(answer) or [answer]
    return {"from_name": "answer", "to_name": "record", "type": "choices", "value": {"choices": choices}}


def unsure(outputs: np.ndarray) -> np.ndarray:
    """One minus how far the most doubtful label is from a toss: 1 is a tie (binary minimum, Brinker 2006)."""
    return np.asarray(1 - 2 * np.abs(outputs.astype(np.float64) - 0.5).min(axis=1))
