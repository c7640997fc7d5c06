"""What a search tries: the ranges of ``conf/search/<model>.yaml``, and one draw from them.

Reads ``conf/``; writes nothing.
"""

import copy
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import optuna
import yaml
from pydantic import TypeAdapter, ValidationError

from fullstack_ml.pipeline.config import Interval, Model
from fullstack_ml.workspace.aliases import refuse_bomb
from fullstack_ml.workspace.errors import UserError, explain, suggest
from fullstack_ml.workspace.paths import CONF

Space = dict[str, Interval | list[Any]]


def read_conf(name: str, kind: Any) -> Any:
    """Read a file of ``conf/`` that only a sweep needs.

    Raises:
        UserError: if it is not there, or holds something else than ``kind``.
    """
    path = CONF / name
    if not path.exists():
        there = [file.stem for file in path.parent.glob("*.yaml")]
        raise UserError(f"there is no {path}", str(path), f"{suggest(path.stem, there)}; or write it")
    refuse_bomb(path)
    try:
        return TypeAdapter(kind).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise explain(error, kind, lambda location: f"{path}, {location[0] if location else ''}") from error


def draw(trial: optuna.Trial, space: Space, model: Model) -> Model:
    """Return ``model`` with the values that the sampler draws for a trial."""
    settings = copy.deepcopy(asdict(model))
    for key, values in space.items():
        *parents, last = key.split(".")
        place = settings
        for parent in parents:
            place = place.get(parent, {})
        if key.split(".")[0] not in settings:
            where, fix = f"conf/search/{model.name}.yaml", "name keys of conf/model, such as estimator.alpha"
            raise UserError(f"a model has no setting {key!r}", where, fix)
        place[last] = drawn(trial, key, values)
    return Model(**settings)


def drawn(trial: optuna.Trial, key: str, values: Interval | list[Any]) -> Any:
    """Draw one value."""
    if isinstance(values, list):  # as text, since Optuna stores no lists
        return json.loads(trial.suggest_categorical(key, [json.dumps(value) for value in values]))
    if isinstance(values.low, int) and isinstance(values.high, int):
        return trial.suggest_int(key, values.low, values.high, step=int(values.step or 1), log=values.log)
    return trial.suggest_float(key, values.low, values.high, step=values.step, log=values.log)


def stated(space: Space, model: Model) -> dict[str, Any]:
    """Return the values that ``conf/model`` has for the keys of ``space``, as Optuna keeps them."""
    found = {}
    for key, values in space.items():
        value: Any = asdict(model)
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            found[key] = json.dumps(value) if isinstance(values, list) else value
    return inside(space, found)


def inside(space: Space, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of ``values`` that lie in the ranges of ``space``."""

    def fits(key: str, value: Any) -> bool:
        allowed = space.get(key, [])
        if isinstance(allowed, list):
            return value in [json.dumps(choice) for choice in allowed]
        return isinstance(value, int | float) and allowed.low <= value <= allowed.high

    return {key: value for key, value in values.items() if fits(key, value)}
