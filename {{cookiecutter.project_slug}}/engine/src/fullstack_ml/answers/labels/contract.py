"""What ``product.yaml`` says of several labels, and how an answer is written: ``a;b`` by the alphabet, or ``none``.

Reads and writes nothing. People and files may write the labels in any order, with ``;`` or ``|`` between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from pydantic import Field, ValidationError

from fullstack_ml.answers.words import JOINT, MARKS, NONE, names_in
from fullstack_ml.product.formulation import Strict, Text
from fullstack_ml.product.types import Finding, Product

PLACE = ("formulation", "answer", "options")
EXAMPLE = "options: {excludes: [[new, used], [small, medium, large]]}"


class Options(Strict):
    """``formulation.answer.options`` of several labels.

    ``excludes``: lists of labels that exclude each other; of each list a record has at most one.
    """

    excludes: list[list[Text]] = Field([])


def options_of(product: Product) -> Options:
    """Return the options, which ``make check`` has found right."""
    return Options(**product.formulation.answer.options)


def excluded(product: Product) -> list[list[int]]:
    """Return the places of the labels of every list in ``excludes``."""
    place = {name: i for i, name in enumerate(product.formulation.label_names)}
    return [[place[name] for name in group] for group in options_of(product).excludes]


def check(product: Product) -> Iterator[Finding]:
    """Find too few labels, names that cannot be written beside others, costs by label, and wrong ``excludes``."""
    labels, at = product.formulation.answer.labels, ("formulation", "answer", "labels")
    if not labels:
        yield at, "an answer of type labels has no label", "list at least one: {name: ..., definition: ...}"
    for i, label in enumerate(labels):
        for name in (label.name, *label.was):
            if MARKS.search(name) or name.strip() != name:
                yield (*at, i, "name"), f"label {name!r} has a mark that stands between labels", "leave out ; and |"
            if name.lower() == NONE:
                what = f"label {name!r} says that a record has no label, which needs no label"
                yield (*at, i, "name"), what, "take it out, or give it another name"
        for name in label.was:
            if len(product.formulation.earlier[name]) > 1 or name in product.formulation.label_names:
                what = (
                    f"{name!r} may be several labels now, and nobody has said which of a record with others beside it"
                )
                yield (*at, i, "was"), what, "give every label its own earlier names, and label these records again"
    if product.formulation.answer.ordered:
        what = "several labels are no steps, of which a record has one"
        yield ("formulation", "answer", "ordered"), what, "leave it out, or choose type: label"
    if product.service.error_cost.by_label:
        what = "a cost of taking one label for another, and a record may have several"
        yield ("service", "error_cost", "by_label"), what, "leave it out"
    yield from strange_kinds(product)
    yield from strange_options(product)


def strange_kinds(product: Product) -> Iterator[Finding]:
    """Find kinds out of scope whose name could be read as labels, or as none."""
    for i, kind in enumerate(product.data.kinds):
        if kind.scope == "out" and (MARKS.search(kind.name) or kind.name in (NONE, *product.formulation.label_names)):
            what = f"kind {kind.name!r}, which is out of scope, reads like an answer"
            yield ("data", "kinds", i, "name"), what, "give it a name that is no label, without ; and |"


def strange_options(product: Product) -> Iterator[Finding]:
    """Find options that are wrong, and ``excludes`` that name what is no label, or one label alone."""
    try:
        groups = options_of(product).excludes
    except ValidationError as error:
        for fault in error.errors():
            key = str(fault["loc"][0]) if fault["loc"] else ""
            yield (*PLACE, key), f"options of labels: {key}: {fault['msg'].lower()}", EXAMPLE
        return
    for i, group in enumerate(groups):
        for name in group:
            if name not in product.formulation.label_names:
                yield (*PLACE, "excludes", i), f"excludes names {name!r}, which is no label", EXAMPLE
        if len(set(group)) < 2 or len(set(group)) < len(group):
            yield (*PLACE, "excludes", i), f"{group} does not name two or more labels, each once", EXAMPLE


def joined(names: Iterable[str]) -> str:
    """Write labels as one text, in the order of the alphabet: the tables outlive the order of the contract."""
    return JOINT.join(sorted(names)) or NONE


def written(answers: Sequence[str], renames: Mapping[str, str]) -> list[str]:
    """Write every answer in the one way in which the tables keep it, with the names of now."""
    return [
        joined({renames.get(name, name) for name in names_in(text)}) if text.strip(" ;|") else text for text in answers
    ]


def contrary(names: Sequence[str], product: Product) -> list[str]:
    """Return the labels among ``names`` that exclude each other, of the first list of which there are two."""
    for group in options_of(product).excludes:
        if len(both := [name for name in group if name in names]) > 1:
            return both
    return []


def illegal(answers: Sequence[str], product: Product) -> dict[str, str]:
    """Return the texts that are no answer, each with what is wrong."""
    return {text: fault for text in sorted(set(answers)) if (fault := fault_of(text, product))}


def fault_of(text: str, product: Product) -> str:
    """Say what is wrong with an answer as text, or nothing."""
    names, known = names_in(text), product.formulation.label_names
    strange = [name for name in names if name not in known and name not in product.formulation.earlier]
    if strange:
        return f"names {strange[0]!r}, which is not in {known}"
    if not names and text.strip().lower() not in (NONE, "[]"):
        return f"says nothing; a record without a label is {NONE!r}"
    both = contrary([product.formulation.renames.get(name, name) for name in names], product)
    return f"names {' and '.join(both)}, which exclude each other" if both else ""


def truth(answers: Sequence[str], product: Product) -> np.ndarray:
    """Return which labels every record has, bool (records, labels)."""
    place = {name: i for i, name in enumerate(product.formulation.label_names)}
    found = np.zeros((len(answers), len(place)), dtype=bool)
    for i, text in enumerate(answers):
        found[i, [place[name] for name in names_in(text)]] = True
    return found


def texts(given: np.ndarray, product: Product) -> list[str]:
    """Write which labels every record has, (records, labels), as text."""
    names = np.array(product.formulation.label_names, dtype=object)
    return [joined(names[row]) for row in given]
