"""Say what is weak about a model, and what is not known, in sentences that need no other page.

Reads and writes nothing; ``templates/said.j2`` has the sentences before these on the pages of stage ``cards``.
"""

from typing import Any

from fullstack_ml.answers import answer_of
from fullstack_ml.pages.formats import quantity, share
from fullstack_ml.pages.words import words
from fullstack_ml.product.metrics import unit_of
from fullstack_ml.product.types import Product

SHOWN = 3  # labels that are named
SELDOM = 0.8  # a label that is answered in fewer cases is named


def meaning(product: Product, evaluation: dict[str, Any], validation: dict[str, Any]) -> list[str]:
    """Return sentences, the most important first: what is weak, what is not known."""
    answer = answer_of(product)
    row = answer.METRICS[answer.MAIN]
    weak = weak_slices(evaluation, answer.MAIN, row.better == "higher", unit_of(row, product))
    return [*weak_labels(evaluation), *weak, *unknown(product, evaluation, validation)]


def weak_labels(evaluation: dict[str, Any]) -> list[str]:
    """Name the labels that are missed most, and those that often go to a person; nothing for numbers."""
    rows, said = evaluation.get("labels", {}), []
    missed = sorted((row["recall"], name) for name, row in rows.items() if (row.get("recall") or 1) < 1)[:SHOWN]
    if missed:
        names = ", ".join(words("%(name)s (%(share)s found)", name=name, share=share(part)) for part, name in missed)
        said.append(words("Labels that are missed most: %(names)s.", names=names))
    asked = sorted((row["answered_share"], name) for name, row in rows.items() if row.get("answered_share") is not None)
    seldom = ", ".join(f"{name} ({share(part)})" for part, name in asked[:SHOWN] if part < SELDOM)
    if seldom:
        said.append(words("Labels that the model answers least often: %(names)s.", names=seldom))
    return said


def weak_slices(evaluation: dict[str, Any], main: str, higher: bool, unit: str) -> list[str]:
    """Name the slice on which the main metric is worst."""
    whole = evaluation["metrics"][main]
    rows = {name: row[main] for name, row in evaluation["slices"].items() if row.get(main) is not None}
    if len(rows) < 2 or whole is None:
        return []
    better = 1 if higher else -1
    name = min(rows, key=lambda part: better * rows[part])
    shown = {key: quantity(value, unit) for key, value in (("value", rows[name]), ("whole", whole))}
    values = {"name": name, "metric": main, **shown}
    return [words("The weakest slice is %(name)s: %(metric)s %(value)s, against %(whole)s of all records.", **values)]


def unknown(product: Product, evaluation: dict[str, Any], validation: dict[str, Any]) -> list[str]:
    """Name kinds without a record and slices with too few, and tell how far models of so few records differ."""
    said = []
    kinds = [kind.name for kind in product.data.kinds if not validation["kinds"][kind.name]["found"]]
    if kinds:
        text = "No records of these kinds were collected, so how the model treats them is untested: %(names)s."
        said.append(words(text, names=", ".join(kinds)))
    few = [name for name, row in evaluation["slices"].items() if "not_measurable" in row]
    if few:
        said.append(words("Slices with too few records to judge: %(names)s.", names=", ".join(few)))
    if shares := evaluation["answered_by_fold"]:
        text = (
            "The models of the %(folds)s folds answer between %(least)s and %(most)s of their records. The shipped "
            "model is one more of their kind, and no interval here includes how far they differ."
        )
        said.append(words(text, folds=len(shares), least=share(min(shares), 0), most=share(max(shares), 0)))
    return said
