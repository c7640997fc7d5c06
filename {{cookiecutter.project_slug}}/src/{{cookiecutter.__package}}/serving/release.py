"""Move the alias by hand: the challenger becomes champion, or the version before comes back.

Reads and writes the MLflow registry, then fetches for the local server. Each version remembers in a tag which one it
replaced. Only an accepted version is ever promoted. Run: ``make promote``, ``make promote VERSION=3``,
``make rollback``.
"""

import sys
from typing import Any

from .. import tracking
from ..errors import UserError, guard, suggest
from .fetch import CHALLENGER, CHAMPION
from .follow import once
from .settings import read

BEFORE = "champion.before"


def aliased(client: Any, alias: str) -> str | None:
    """Return the version that has the alias."""
    found = client.get_registered_model(tracking.NAME).aliases.get(alias)
    return None if found is None else str(found)


def accepted(client: Any) -> list[str]:
    """Return the versions that the gate accepted, the oldest first."""
    found = client.search_model_versions(f"name = '{tracking.NAME}'")
    return sorted((str(v.version) for v in found if v.tags.get("verdict") == "accepted"), key=int)


def promote(client: Any, wanted: str | None) -> tuple[str | None, str]:
    """Make ``wanted``, or else the challenger, the champion; return the versions before and after."""
    before, challenger = aliased(client, CHAMPION), aliased(client, CHALLENGER)
    after = wanted or challenger
    if after is None:
        fix = "register one with dvc repro, or name a version: make promote VERSION=2"
        raise UserError("there is no challenger", f"the registry, model {tracking.NAME}", fix)
    if after not in accepted(client):
        what = f"version {after} was not accepted against the requirements"
        raise UserError(what, f"the registry, model {tracking.NAME}", suggest(after, accepted(client) or ["none"]))
    if after != before:
        if before:
            client.set_model_version_tag(tracking.NAME, after, BEFORE, before)
        client.set_registered_model_alias(tracking.NAME, CHAMPION, after)
    if after == challenger:
        client.delete_registered_model_alias(tracking.NAME, CHALLENGER)
    return before, after


def rollback(client: Any) -> tuple[str | None, str]:
    """Make the version that the champion replaced the champion again; return the versions before and after."""
    now = aliased(client, CHAMPION)
    if now is None:
        fix = "dvc repro registers one"
        raise UserError("there is no champion", f"the registry, model {tracking.NAME}", fix)
    earlier = [version for version in accepted(client) if int(version) < int(now)]
    target = client.get_model_version(tracking.NAME, now).tags.get(BEFORE) or (earlier[-1] if earlier else None)
    if target is None:
        fix = "name a version: make promote VERSION=2"
        raise UserError(f"version {now} replaced none", f"the registry, model {tracking.NAME}", fix)
    client.set_registered_model_alias(tracking.NAME, CHAMPION, target)
    return now, target


def main() -> None:
    """Promote or roll back, then let the local server have it."""
    action, *versions = sys.argv[1:]
    mlflow = tracking.connect()
    client = mlflow.MlflowClient()
    try:
        before, after = promote(client, next(iter(versions), None)) if action == "promote" else rollback(client)
    except mlflow.exceptions.MlflowException as error:
        fix = "dvc repro registers a first version"
        raise UserError(str(error).splitlines()[0], f"the registry, model {tracking.NAME}", fix) from error
    settings = read()
    if settings.model == "registry" and not settings.remote:
        once(settings, mlflow)
    print(f"{action}: version {after} is {CHAMPION}" + (f", it was {before}" if before else ""))
    print(f"servers follow within {settings.poll_seconds:g} s; to go back: make rollback")


if __name__ == "__main__":
    guard(main)
