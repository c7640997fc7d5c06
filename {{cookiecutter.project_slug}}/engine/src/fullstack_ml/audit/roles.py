"""Who decides, does, reviews and is told, step by step, and what is not settled.

Reads ``roles`` of ``product.yaml``; where it is left out, the owners of requirements and who judges the evaluation.
"""

from dataclasses import dataclass
from typing import Any, get_args

from fullstack_ml.product import types
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.sentences import sentence

NOBODY = {
    "decides": "nobody decides",
    "does": "nobody does it",
    "reviews": "nobody reviews it",
    "told": "nobody is told",
}


@dataclass(frozen=True)
class Step:
    """A step of the lifecycle with its people; ``gaps`` say which parts nobody has, or one has alone."""

    name: str
    people: dict[str, str | None]
    gaps: list[Any]


def steps(product: Product) -> list[Step]:
    """Return every step of the lifecycle."""
    found = []
    for name in get_args(types.Step):
        role = product.roles.get(name)
        people = {part: getattr(role, part) if role else None for part in NOBODY}
        gaps: list[Any] = [NOBODY[part] for part, who in people.items() if not who]
        if people["does"] and people["does"] == people["reviews"]:
            gaps.append(sentence("%(who)s reviews the own work", who=people["does"]))
        found.append(Step(name, people, gaps))
    return found


def named(product: Product) -> list[str]:
    """Name who answers for requirements and judges the evaluation: people whom ``roles`` should know."""
    return sorted({r.owner for r in product.requirements} | {cell.who for cell in product.evaluation})
