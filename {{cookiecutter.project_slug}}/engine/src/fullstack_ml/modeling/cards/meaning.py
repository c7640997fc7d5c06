"""Say what the figures of a model mean for the people who will use it, in sentences that need no other page.

Reads and writes nothing; the pages of stage ``cards`` begin with these sentences.
"""

import math
from typing import Any

from fullstack_ml.answers import answer_of
from fullstack_ml.pages.formats import number, quantity, share
from fullstack_ml.pages.words import words
from fullstack_ml.product.metrics import unit_of
from fullstack_ml.product.types import Product

SHOWN = 3  # labels that are named
SELDOM = 0.8  # a label that is answered in fewer cases is named


def meaning(product: Product, evaluation: dict[str, Any], validation: dict[str, Any]) -> list[str]:
    """Return sentences, the most important first: what 1,000 records become, what is weak, what is not known."""
    answer = answer_of(product)
    row = answer.METRICS[answer.MAIN]
    weak = weak_slices(evaluation, answer.MAIN, row.better == "higher", unit_of(row, product))
    said = [*answered(product, evaluation), *weak_labels(evaluation), *weak]
    return [*said, *unknown(product, evaluation, validation)]


def answered(product: Product, evaluation: dict[str, Any]) -> list[str]:
    """Say how many of 1,000 records are answered, how many answers are wrong, and what a record costs."""
    metrics, intervals, costs = evaluation["metrics"], evaluation["intervals"], product.service.error_cost
    given, wrong, bounds = metrics["answered_share"], metrics["answered_error"], intervals["answered_error"]
    many = round(1000 * given)
    said = [words("Of 1,000 records %(many)s are answered and %(rest)s go to a person.", many=many, rest=1000 - many)]
    if wrong is None or bounds is None:
        return said
    most = math.ceil(1000 * bounds[1])
    if wrong:
        text = "About %(wrong)s of 1,000 answers are wrong; by this test it may be %(least)s to %(most)s."
        said.append(words(text, wrong=round(1000 * wrong), least=math.floor(1000 * bounds[0]), most=most))
    else:
        said.append(words("No answer in the test was wrong; by this test up to %(most)s of 1,000 may be.", most=most))
    # With no error seen, the resampled cost has none either: the bound of the errors counts, at their usual cost.
    worst = max(intervals["cost_per_record"][1], costs.of(given, bounds[1]))
    text = (
        "A record costs %(cost)s %(unit)s on average, at worst about %(worst)s; giving every record to a person would "
        "cost %(alone)s."
    )
    shown = {"cost": number(metrics["cost_per_record"], 2), "worst": number(worst, 2), "alone": number(costs.abstain)}
    return [*said, words(text, unit=costs.unit, **shown)]


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
