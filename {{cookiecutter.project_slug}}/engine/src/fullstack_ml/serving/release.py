"""Move the alias by hand: the challenger becomes champion, or the version before comes back.

Reads and writes the MLflow registry, then fetches for the local server. Each version remembers in a tag which one it
replaced, by the gate or by hand. Only an accepted version is ever promoted. Run: ``make promote``,
``make promote VERSION=3``, ``make rollback``.
"""

import sys
from typing import Any

from fullstack_ml.modeling.register.versions import BEFORE, crown
from fullstack_ml.registry import tracking
from fullstack_ml.registry.tracking import CHALLENGER, CHAMPION
from fullstack_ml.serving.follow import once
from fullstack_ml.serving.settings import read
from fullstack_ml.workspace.errors import UserError, guard


def accepted(client: Any) -> list[str]:
    """Return the versions that the gate accepted, the oldest first."""
    found = client.search_model_versions(f"name = '{tracking.model_name()}'")
    return sorted((str(v.version) for v in found if v.tags.get("verdict") == "accepted"), key=int)


def by_number(versions: list[str]) -> str:
    """Say how one of the accepted ``versions`` becomes champion, or how there comes to be one."""
    if not versions:
        return "dvc repro registers a version that meets the requirements"
    return f"name an accepted version: make promote VERSION={versions[-1]} (accepted: {', '.join(versions)})"


def promote(client: Any, wanted: str | None) -> tuple[str | None, str]:
    """Make ``wanted``, or else the challenger, the champion; return the versions before and after."""
    named, allowed = tracking.aliases(client), accepted(client)
    after = wanted or named.get(CHALLENGER)
    if after is None:
        fix = by_number([version for version in allowed if version != named.get(CHAMPION)])
        raise UserError("there is no challenger", f"the registry, model {tracking.model_name()}", fix)
    if after not in allowed:
        what = f"version {after} was not accepted against the requirements"
        raise UserError(what, f"the registry, model {tracking.model_name()}", by_number(allowed))
    return crown(client, after), after


def rollback(client: Any) -> tuple[str | None, str]:
    """Make the version that the champion replaced the champion again; return the versions before and after."""
    now = tracking.aliases(client).get(CHAMPION)
    if now is None:
        raise UserError(
            "there is no champion", f"the registry, model {tracking.model_name()}", by_number(accepted(client))
        )
    target = client.get_model_version(tracking.model_name(), now).tags.get(BEFORE)
    if target is None:
        fix = by_number([version for version in accepted(client) if version != now])
        raise UserError(f"version {now} replaced none", f"the registry, model {tracking.model_name()}", fix)
    return crown(client, target, back=True), target


def main() -> None:
    """Promote or roll back, then let the local server have it."""
    action, *versions = sys.argv[1:]
    mlflow = tracking.connect()
    client = mlflow.MlflowClient()
    try:
        before, after = promote(client, next(iter(versions), None)) if action == "promote" else rollback(client)
    except mlflow.exceptions.MlflowException as error:
        fix = "dvc repro registers a first version"
        raise UserError(str(error).splitlines()[0], f"the registry, model {tracking.model_name()}", fix) from error
    settings = read()
    if settings.model == "registry" and not settings.remote:
        once(settings, mlflow)
    print(f"{action}: version {after} is {CHAMPION}" + (f", it was {before}" if before else ""))
    undo = "make rollback" if action == "promote" else f"make promote VERSION={before}"
    print(f"servers follow within {settings.poll_seconds:g} s; to go back: {undo}")


if __name__ == "__main__":
    guard(main)
