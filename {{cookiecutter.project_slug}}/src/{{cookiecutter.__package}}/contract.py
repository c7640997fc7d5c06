"""Load ``product.yaml`` and say what is wrong with it by line.

Reads ``product.yaml``; writes nothing. The classes are in ``product.py``; here stand the checks across them, and the
three-line errors.
"""

import typing
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import yaml
from pydantic import BaseModel, ValidationError

from .errors import UserError, guard, suggest
from .metrics import METRICS
from .paths import PRODUCT
from .product import Product

Location = tuple[str | int, ...]


def load(path: Path = PRODUCT) -> Product:
    """Read and check the contract.

    Raises:
        UserError: for the first mistake, with its line and the allowed values.
    """
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text)
    except FileNotFoundError as error:
        raise UserError(f"{path} is not there", str(path.resolve().parent), "run from the project's root") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"not YAML: {error.problem}", f"{path}:{line}", "mend the line") from error
    try:
        product = Product.model_validate(yaml.safe_load(text) or {})
    except ValidationError as error:
        raise _explain(error, node, path) from error
    for location, what, fix in _contradictions(product):
        raise UserError(what, f"{path}:{_line(node, location)}, {_dotted(location)}", fix)
    return product


def columns(product: Product) -> list[str]:
    """Columns by which a slice may select: the features, and those that every record has."""
    features = [feature.name for feature in product.formulation.input.features]
    return [*features, *(["ink"] if product.formulation.input.type == "image" else []), "kind", "group", "source"]


def _contradictions(product: Product) -> Iterator[tuple[Location, str, str]]:
    """Find what no single key shows: duplicates, and names that refer to nothing."""
    formulation, requirements = product.formulation, product.requirements
    slices = [part.id for part in product.data.slices]
    named = {"id": [r.id for r in requirements], "label": formulation.label_names, "slice": slices}
    places: dict[str, Location] = {
        "id": ("requirements",),
        "label": ("formulation", "labels"),
        "slice": ("data", "slices"),
    }
    for what, names in named.items():
        for name, count in Counter(names).items():
            if count > 1:
                second = [i for i, other in enumerate(names) if other == name][1]
                yield (
                    (*places[what], second),
                    f"{what} {name!r} stands {count} times",
                    f"give every {what} its own name",
                )
    for i, part in enumerate(product.data.slices):
        if part.column not in columns(product):
            where: Location = ("data", "slices", i, "column")
            yield where, f"slice {part.id!r} selects by {part.column!r}", suggest(part.column, columns(product))
    for i, r in enumerate(requirements):
        at = ("requirements", i)
        metric = METRICS.get(r.metric)
        if metric is None:
            yield (*at, "metric"), f"{r.id} names the unknown metric {r.metric!r}", suggest(r.metric, METRICS)
        elif r.operator != metric.operator:
            fix = f"{r.metric} is better when {metric.better}: use {metric.operator}"
            yield (*at, "operator"), f"{r.id} has the operator {r.operator!r} for {r.metric}", fix
        if r.slice != "all" and r.slice not in slices:
            yield (*at, "slice"), f"{r.id} names the unknown slice {r.slice!r}", suggest(r.slice, ["all", *slices])
    if product.release.better_on not in METRICS:
        metric_name = product.release.better_on
        yield (
            ("release", "better_on"),
            f"release names the unknown metric {metric_name!r}",
            suggest(metric_name, METRICS),
        )
    for i, cell in enumerate(product.evaluation):
        for name in cell.decides:
            if name not in named["id"]:
                where = ("evaluation", i, "decides")
                yield where, f"{cell.cell} decides {name!r}, which is no requirement", suggest(name, named["id"])


def _explain(error: ValidationError, node: yaml.Node | None, path: Path) -> UserError:
    """Turn pydantic's most telling complaint into three lines."""
    # A misspelled key is unknown and missing at once; the unknown one is what the reader sees in the file.
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    location: Location = tuple(first["loc"])
    where = f"{path}:{_line(node, location)}, {_dotted(location)}"
    if first["type"] == "extra_forbidden":
        return UserError(f"unknown key {location[-1]!r}", where, suggest(str(location[-1]), _keys(location[:-1])))
    if first["type"] == "missing":
        keys = ", ".join(_keys(location[:-1]))
        return UserError(f"the key {location[-1]!r} is missing", where, f"add it; the keys here are {keys}")
    return UserError(f"{_dotted(location)} is {first['input']!r}: {first['msg']}", where, "mend the value")


def _keys(location: Location) -> list[str]:
    """Name the keys that are allowed at ``location``."""
    model: typing.Any = Product
    for part in location:
        if isinstance(part, str):
            model = model.model_fields[part].annotation
            model = next(iter(typing.get_args(model)), model)
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _line(node: yaml.Node | None, location: Location) -> int:
    """Find the line (from 1) of the deepest key of ``location`` that is in the file."""
    line = 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == part]
            if not found:
                break
            line, node = found[0][0].start_mark.line + 1, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _dotted(location: Location) -> str:
    """Write a location as a reader of YAML would: ``requirements[2].metric``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".") or "(top)"


def main() -> None:
    """Say that the contract holds together, or what is wrong with it."""
    product = load()
    print(f"{PRODUCT}: {len(product.requirements)} requirements, {len(product.formulation.labels)} labels, no mistake")


if __name__ == "__main__":
    guard(main)
