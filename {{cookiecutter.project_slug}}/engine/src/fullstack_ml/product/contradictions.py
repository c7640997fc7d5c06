"""Find what no single key of ``product.yaml`` shows: duplicates, and names that refer to nothing.

Reads and writes nothing. Each finding is where it stands, what is wrong, and what to do.
"""

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from fullstack_ml.product.costs import strange_error_costs, strange_input_costs
from fullstack_ml.product.formulation import Feature, place, shown
from fullstack_ml.product.metrics import applicable, metrics_of
from fullstack_ml.product.questions import strange_schedule
from fullstack_ml.product.types import Finding, Product
from fullstack_ml.product.watching import strange_cells, strange_watches
from fullstack_ml.workspace.errors import Location, UserError, suggest
from fullstack_ml.workspace.paths import PRODUCT
from fullstack_ml.workspace.seams import find_choice

WHERE = str(PRODUCT)
TEXT = ("kind", "group", "source")  # columns of every record that hold text
# Columns that stand beside the features in the tables of the pipeline: of every record, of labels, of what a source
# says to stage collect, and of the error analysis. Written out: the server reads the contract, and has no polars for
# ``pipeline/tables.py``; a test holds them to the tables.
RECORD = (
    "id",
    "group",
    "kind",
    "source",
    "source_row",
    "happened_at",
    "given_split",
    "licence",
    "collected_at",
    "source_label",
    "shard",
    "fold",
)
LABEL = ("label", "annotator", "round", "guide_version", "annotated_at", "seconds", "labelled_by", "votes", "share")
ARRIVAL = ("rejected", "record", "cursor", "row_key", "reason", "rejected_at")
VERDICT = ("predicted", "probability", "right_probability", "novelty", "decision", "error", "suspect", "moved")
INTERVAL = ("interval_low", "interval_high")
WANTED = {"number": "number, such as 1.5", "whole": "whole number", "date": "date, such as 2026-01-31"}
TAKEN = frozenset((*RECORD, *LABEL, *ARRIVAL, *VERDICT, *INTERVAL))


def chosen_input(product: Product) -> Any:
    """Return the module of seam ``inputs`` that the contract chooses; by name, since it lies above this package."""
    return find_choice("inputs", product.formulation.input.type, f"{PRODUCT}, formulation.input.type")


def columns(product: Product) -> list[str]:
    """Columns by which a slice may select: the features, and those that every record has."""
    return [*chosen_input(product).slice_columns(product), *TEXT, *product.data.columns]


def contradictions(product: Product) -> Iterator[Finding]:
    """Yield every finding, in the order of the file."""
    first = (strange_choices, duplicates, strange_error_costs, strange_features, strange_slices)
    for find in (
        *first,
        strange_requirements,
        strange_references,
        strange_cells,
        strange_watches,
        strange_schedule,
        strange_input_costs,
    ):
        yield from find(product)


def strange_choices(product: Product) -> Iterator[Finding]:
    """Find an input or an answer whose type has no module, or that lacks what its type needs."""
    types = {"input": product.formulation.input.type, "answer": product.formulation.answer.type}
    for part, name in types.items():
        at = ("formulation", part, "type")
        try:
            chosen = find_choice(f"{part}s", name, WHERE)
        except UserError as error:
            if error.where != WHERE:
                raise
            yield at, error.what, error.fix
        else:
            yield from chosen.check(product)
            if part == "input" and product.data.drawn and chosen.drawn is None:
                yield ("data", "drawn"), f"what is out of scope cannot be drawn for the input {name!r}", "take it out"


def duplicates(product: Product) -> Iterator[Finding]:
    """Find names that stand twice."""
    named: dict[str, tuple[Location, list[str]]] = {
        "id": (("requirements",), [requirement.id for requirement in product.requirements]),
        "feature": (("formulation", "input", "features"), [f.name for f in product.formulation.input.features]),
        "label": (("formulation", "answer", "labels"), product.formulation.label_names),
        "kind": (("data", "kinds"), [kind.name for kind in product.data.kinds]),
        "licence": (("data", "licences"), product.data.licences),
        "column": (("data", "columns"), product.data.columns),
        "slice": (("data", "slices"), [part.id for part in product.data.slices]),
    }
    for what, (at, names) in named.items():
        for name, count in Counter(names).items():
            if count > 1:
                second = [i for i, other in enumerate(names) if other == name][1]
                yield (*at, second), f"{what} {name!r} stands {count} times", f"give every {what} its own name"


def strange_features(product: Product) -> Iterator[Finding]:
    """Find names that the pipeline needs for itself, and what does not go with a feature's type."""
    held = TAKEN.union(("payload",), chosen_input(product).slice_columns(product))
    for i, name in enumerate(product.data.columns):
        if name in held:
            what = f"column {name!r} is one that every record has already"
            yield ("data", "columns", i), what, "take it out, or give the column another name in the source"
    for i, feature in enumerate(product.formulation.input.features):
        name, at = feature.name, ("formulation", "input", "features", i)
        if name in TAKEN:
            fix = f"choose another name, and add column: {name} for the name in the source"
            yield (*at, "name"), f"feature {name!r} has the name of a column of the pipeline's own", fix
        elif name == "*" or (name.startswith("^") and name.endswith("$")):  # to polars, a pattern
            fix = f"choose another name, and add column: '{name}' for the name in the source"
            yield (*at, "name"), f"feature {name!r} has a name that stands for many columns", fix
        for key, what, fix in mistakes(feature):
            yield (*at, key), f"feature {name!r} {what}", fix


def mistakes(feature: Feature) -> Iterator[tuple[str, str, str]]:
    """Yield key, what is wrong and what to do for a feature whose keys do not go with its type."""
    kind, listed = feature.type, feature.type in ("category", "ordered")
    if feature.values and not listed:
        yield "values", f"is a {kind} and has values", "leave the values out, or make it type: category or ordered"
    if listed and not feature.values:
        yield "type", f"is of type {kind} and has no values", "add values: [...], every text that it may hold"
    for value, count in Counter(feature.values).items():
        if count > 1:
            yield "values", f"has the value {value!r} {count} times", "list every value once"
    if feature.length and kind != "text":
        yield "length", f"is a {kind} and has a length", "leave length out; only a text may have it"
    if feature.other == "allowed" and kind != "category":
        yield "other", f"is a {kind} and allows other values", "leave other out; only a category may have it"
    if not feature.ranged:
        for key in ("low", "high"):
            if getattr(feature, key) is not None:
                yield key, f"is a {kind} and has a {key}", f"leave {key} out; number, whole and date have it"
        return
    for key in ("low", "high"):
        bound = getattr(feature, key)
        if bound is None:
            if kind != "date":
                yield "name", f"has no {key}", f"add {key}, the limit that nature sets to it"
        elif not is_bound(bound, kind):
            yield key, f"has the {key} {bound!r}", f"write a {WANTED[kind]}"
    if all(bound is None or is_bound(bound, kind) for bound in (feature.low, feature.high)):
        low, high = feature.bounds
        if not low < high:
            said = f"has no value from {shown(feature.low)} to {shown(feature.high)}"
            yield "low", said, "give a low that is below high"


def is_bound(bound: float | str, kind: str) -> bool:
    """Tell whether a low or high fits a number, a whole number or a date."""
    if kind != "date":
        return isinstance(bound, float) and math.isfinite(bound) and (kind == "number" or bound.is_integer())
    try:
        return isinstance(bound, str) and math.isfinite(place(bound))
    except ValueError:
        return False


def strange_slices(product: Product) -> Iterator[Finding]:
    """Find slices by a column that no record has, by bounds of text, or by a value that the feature cannot have."""
    known, features = columns(product), {feature.name: feature for feature in product.formulation.input.features}
    text = {*TEXT, *product.data.columns, *(name for name, feature in features.items() if not feature.ranged)}
    for i, part in enumerate(product.data.slices):
        at = ("data", "slices", i)
        if part.column not in known:
            yield (*at, "column"), f"slice {part.id!r} selects by {part.column!r}", suggest(part.column, known)
            continue
        feature = features.get(part.column)
        bounds = [bound for bound in (part.at_least, part.below) if bound is not None]
        if (part.column in text) == bool(bounds) or (part.column in text) != (part.equals is not None):
            fix = "use equals alone" if part.column in text else "use at_least, below or both"
            yield (*at, "column"), f"slice {part.id!r} selects by {part.column!r} in the wrong way", fix
        elif feature and part.equals is not None and feature.type != "text":
            values = feature.values or ["true", "false"]
            if part.equals not in values and feature.other == "refused":
                yield (*at, "equals"), f"slice {part.id!r} equals {part.equals!r}", suggest(part.equals, values)
        kind = "date" if feature and feature.type == "date" else "number"
        if not all(is_bound(bound, kind) for bound in bounds):
            yield at, f"slice {part.id!r} has a bound that is no {kind}", f"write a {WANTED[kind]}"
        elif len(bounds) == 2 and not place(bounds[0]) < place(bounds[1]):
            what = f"slice {part.id!r} holds no value from {shown(bounds[0])} to below {shown(bounds[1])}"
            yield (*at, "at_least"), what, "give an at_least that is lower than below"


def strange_requirements(product: Product) -> Iterator[Finding]:
    """Find requirements on an unknown metric or slice, or with an operator, unit or threshold that makes no sense."""
    slices = ["all", *(part.id for part in product.data.slices)]
    metrics = metrics_of(product)
    for i, r in enumerate(product.requirements):
        at = ("requirements", i)
        metric = metrics.get(r.metric)
        if metric is None:
            yield (*at, "metric"), f"{r.id} names the unknown metric {r.metric!r}", suggest(r.metric, metrics)
        elif metric.needs and not getattr(product.formulation.answer, metric.needs):
            fix = f"add {metric.needs}: true under formulation.answer if it is so"
            yield (*at, "metric"), f"{r.id} names {r.metric}, which needs formulation.answer.{metric.needs}", fix
        elif r.operator != metric.operator:
            fix = f"{r.metric} is better when {metric.better}: use {metric.operator}"
            yield (*at, "operator"), f"{r.id} has the operator {r.operator!r} for {r.metric}", fix
        elif r.unit != metric.unit and (metric.unit, r.unit) != ("cost", product.service.error_cost.unit):
            fix = f"{r.metric} is measured in {metric.unit}: state it, and the threshold, in {metric.unit}"
            yield (*at, "unit"), f"{r.id} has the unit {r.unit!r} for {r.metric}", fix
        elif metric.unit == "share" and not 0 <= r.threshold <= 1:
            fix = "a share is from 0 to 1, such as 0.92 for 92 %"
            yield (*at, "threshold"), f"{r.id} has the threshold {r.threshold:g} for {r.metric}", fix
        if r.metric.startswith("worst_slice") and len(slices) == 1:
            fix = "name parts of the records in data.slices, or take the requirement out"
            yield (*at, "metric"), f"{r.id} asks for the worst slice, and there are no slices", fix
        if r.slice not in slices:
            yield (*at, "slice"), f"{r.id} names the unknown slice {r.slice!r}", suggest(r.slice, slices)


def strange_references(product: Product) -> Iterator[Finding]:
    """Find a release by an unknown metric, unknown requirements that a cell decides, and some that none decides."""
    metric, ids = product.release.better_on, [requirement.id for requirement in product.requirements]
    known = [name for name, row in applicable(product).items() if row.compared]
    if metric not in known:
        yield ("release", "better_on"), f"release cannot be decided by {metric!r}", suggest(metric, known)
    for i, cell in enumerate(product.evaluation):
        for name in cell.decides:
            if name not in ids:
                where = ("evaluation", i, "decides")
                yield where, f"{cell.cell} decides {name!r}, which is no requirement", suggest(name, ids)
    decided = {name for cell in product.evaluation for name in cell.decides}
    for name in ids if decided else []:
        if name not in decided:
            yield ("evaluation",), f"no cell decides {name}", "add it to decides of the cell whose method measures it"
