"""Find what is wrong with the costs of ``product.yaml``: of errors, and of what a record of the input takes to have.

Reads and writes nothing. Each finding is where it stands, what is wrong, and what to do.
"""

from collections.abc import Iterator

from fullstack_ml.product.types import Finding, Product
from fullstack_ml.workspace.errors import Location, suggest


def strange_input_costs(product: Product) -> Iterator[Finding]:
    """Find a cost of what is neither the input nor a feature of it."""
    known = [product.formulation.input.name, *(feature.name for feature in product.formulation.input.features)]
    for name in product.data.costs:
        if name not in known:
            what = f"a cost is given for the unknown feature {name!r}"
            yield ("data", "costs", name), what, suggest(name, known)


def strange_error_costs(product: Product) -> Iterator[Finding]:
    """Find a cost of an error between labels that do not exist, or are the same, or by a distance that is none."""
    names: list[str] = product.formulation.label_names
    at: Location = ("service", "error_cost", "by_label")
    if product.service.error_cost.by_distance and not product.formulation.answer.ordered:
        what, fix = (
            "costs by distance need labels that are steps",
            "add ordered: true under formulation.answer if they are",
        )
        yield ("service", "error_cost", "by_distance"), what, fix
    for right, row in product.service.error_cost.by_label.items():
        if right not in names:
            yield (*at, right), f"a cost is given for the unknown label {right!r}", suggest(right, names)
        for given in row:
            if given not in names:
                where = (*at, right, given)
                yield where, f"a cost is given for the unknown label {given!r}", suggest(given, names)
            elif given == right:
                what = f"a cost is given for answering {right!r} where it is right"
                yield (*at, right, given), what, "take it out: what is right costs nothing"
