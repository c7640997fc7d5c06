"""What ``product.yaml`` says of one label of several, and how an answer is written: by its name.

Reads and writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from fullstack_ml.product.types import Finding, Product


def check(product: Product) -> Iterator[Finding]:
    """Find fewer than two labels, one that was what it is, and a difference in accuracy that cannot be."""
    labels = product.formulation.answer.labels
    if len(labels) < 2:
        fix = "list at least two: {name: ..., definition: ...}"
        yield ("formulation", "answer", "labels"), f"an answer of type label has {len(labels)} label(s)", fix
    for i, label in enumerate(labels):
        if label.name in label.was:
            yield ("formulation", "answer", "labels", i, "was"), f"label {label.name!r} names itself", "take it out"
    for i, cell in enumerate(product.evaluation):
        if cell.plan and cell.plan.detect >= 1:
            what = f"no two accuracies differ by {cell.plan.detect:g}"
            yield ("evaluation", i, "plan", "detect"), what, "a share below 1, such as 0.03"


def illegal(answers: Sequence[str], product: Product) -> dict[str, str]:
    """Return the names that are no label of the contract, and never were."""
    names = product.formulation.label_names
    return dict.fromkeys(sorted(set(answers) - {*names, *product.formulation.earlier}), f"is not in {names}")


def written(answers: Sequence[str], renames: Mapping[str, str]) -> list[str]:
    """A label is kept as it is, under its name of now."""
    return [renames.get(name, name) for name in answers]


def named(answer: str) -> list[str]:
    """A label names itself."""
    return [answer]


def truth(answers: Sequence[str], product: Product) -> np.ndarray:
    """Return the index of every label, int64 (records,)."""
    place = {name: i for i, name in enumerate(product.formulation.label_names)}
    return np.array([place[name] for name in answers], dtype=np.int64)
