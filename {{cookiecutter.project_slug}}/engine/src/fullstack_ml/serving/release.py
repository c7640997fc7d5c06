"""Move the alias by hand: the challenger becomes champion, or the version before comes back.

Reads and writes the MLflow registry, then fetches for the local server. Each version remembers in a tag which one it
replaced, by the gate or by hand. Only an accepted version is ever promoted. Run: ``make promote``,
``make promote VERSION=3``, ``make rollback``.
"""

import sys
from typing import Any

from fullstack_ml.registry import tracking
from fullstack_ml.registry.tracking import ClientRegistry
from fullstack_ml.registry.versions import BEFORE, CHALLENGER, CHAMPION, Registry
from fullstack_ml.serving.follow import once
from fullstack_ml.serving.settings import Settings, read
from fullstack_ml.workspace.errors import UserError, first_line, guard


def by_number(versions: list[str]) -> str:
    """Say how one of the accepted ``versions`` becomes champion, or how there comes to be one."""
    if not versions:
        return "make, which registers a version that meets the requirements"
    return f"name an accepted version: make promote VERSION={versions[-1]} (accepted: {', '.join(versions)})"


def promote(registry: Registry, wanted: str | None) -> tuple[str | None, str]:
    """Make ``wanted``, or else the challenger, the champion; return the versions before and after."""
    named, allowed = registry.aliases(), registry.accepted()
    after = wanted or named.get(CHALLENGER)
    if after is None:
        fix = by_number([version for version in allowed if version != named.get(CHAMPION)])
        raise UserError("there is no challenger", registry.place, fix)
    if after not in allowed:
        raise UserError(
            f"version {after} was not accepted against the requirements", registry.place, by_number(allowed)
        )
    return registry.crown(after), after


def rollback(registry: Registry) -> tuple[str | None, str]:
    """Make the version that the champion replaced the champion again; return the versions before and after.

    The version that goes is marked: ``register`` does not crown it again, ``promote`` does.
    """
    now = registry.holder(CHAMPION)
    if now is None:
        raise UserError("there is no champion", registry.place, by_number(registry.accepted()))
    target = now.tags.get(BEFORE)
    if target is None:
        fix = by_number([number for number in registry.accepted() if number != now.number])
        raise UserError(f"version {now.number} replaced none", registry.place, fix)
    return registry.crown(target, back=True), target


def let_servers_have(settings: Settings, mlflow: Any) -> None:
    """Fetch what the aliases name now, where servers follow the local store; others ask the registry themselves."""
    if settings.model == "registry" and not settings.remote:
        once(settings, mlflow)


def main() -> None:
    """Promote or roll back, then let the local server have it."""
    action, *versions = sys.argv[1:]
    mlflow = tracking.connect()
    registry = ClientRegistry(mlflow)
    try:
        before, after = promote(registry, next(iter(versions), None)) if action == "promote" else rollback(registry)
    except mlflow.exceptions.MlflowException as error:
        fix = "make, which registers a version"
        raise UserError(first_line(error), registry.place, fix) from error
    settings = read()
    let_servers_have(settings, mlflow)
    print(f"{action}: version {after} is {CHAMPION}" + (f", it was {before}" if before else ""))
    undo = "make rollback" if action == "promote" else f"make promote VERSION={before}"
    print(f"servers follow within {settings.poll_seconds:g} s; to go back: {undo}")


if __name__ == "__main__":
    guard(main)
