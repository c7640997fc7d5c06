"""Load ``product.yaml`` and say what is wrong with it by line.

Reads ``product.yaml``; writes nothing. The classes are in ``product.py``, the checks across them in
``contradictions.py``; here stand the three-line errors.
"""

import typing
from datetime import date
from pathlib import Path

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from fullstack_ml.product.contradictions import Location, contradictions
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError, guard, suggest
from fullstack_ml.workspace.paths import PRODUCT


def load(path: Path = PRODUCT) -> Product:
    """Read and check the contract.

    Raises:
        UserError: for the first mistake, with its line and the allowed values.
    """
    try:
        text = path.read_text(encoding="utf-8")
        node, plain = yaml.compose(text), yaml.safe_load(text)
    except FileNotFoundError as error:
        raise UserError(f"{path} is not there", str(path.resolve().parent), "run from the project's root") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        what = f"not UTF-8: byte {error.object[error.start]:#x}"
        raise UserError(what, f"{path}:{line}", "save it as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"not YAML: {error.problem}", f"{path}:{line}", "mend the line") from error
    except (yaml.YAMLError, ValueError) as error:  # a character, such as NUL; a value, such as the 31st of February
        raise UserError(f"not YAML: {str(error).splitlines()[0]}", str(path), "mend the value") from error
    _refuse_twins(node, path)
    try:
        product = Product.model_validate(plain or {})
    except ValidationError as error:
        raise _explain(error, node, path) from error
    for location, what, fix in contradictions(product):
        raise UserError(what, f"{path}:{_line(node, location)}, {_dotted(location)}", fix)
    return product


def _refuse_twins(node: yaml.Node | None, path: Path) -> None:
    """Raise for a key that stands twice in one mapping: YAML would silently take the last."""
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                first = f"it stands in line {seen[key.value]} too; delete one of them"
                raise UserError(f"the key {key.value!r} stands twice", f"{path}:{line}", first)
            seen[key.value] = line
            _refuse_twins(value, path)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_twins(item, path)


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
    return UserError(f"{_dotted(location)} is {first['input']!r}: {first['msg']}", where, _advice(first))


def _advice(error: ErrorDetails) -> str:
    """Say how to write the value, where YAML reads it in a way that surprises."""
    given = error["input"]
    if error["type"] == "string_type" and isinstance(given, int | float | date):
        return "put it in quotes: YAML reads it as a number, a date or a truth value"
    if error["type"] in ("float_parsing", "int_parsing") and "," in given:
        return f"use a point: {given.replace(',', '.')}"
    return "mend the value"


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
    print(f"{PRODUCT}: {len(product.requirements)} requirements, no mistake")


if __name__ == "__main__":
    guard(main)
