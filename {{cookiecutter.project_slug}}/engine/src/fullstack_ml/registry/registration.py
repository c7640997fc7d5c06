"""What became of the artefact: the version that it was registered as, and the alias that this version has now.

Reads ``reports/registration.json``, the artefact and the registry; writes nothing.
"""

from pathlib import Path
from typing import Any

from fullstack_ml.registry import tracking
from fullstack_ml.registry.versions import CHALLENGER, CHAMPION, SHA256
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import read_json, sha256
from fullstack_ml.workspace.paths import MODEL, REGISTRATION

FILL = {"make": "register it there once more"}
PROMOTE = {"make promote": "make the challenger champion all the same"}


def registered(artefact_sha256: str) -> dict[str, Any]:
    """Return what ``register`` last said of these very bytes; empty where that was of an artefact before them."""
    said: dict[str, Any] = read_json(REGISTRATION) if REGISTRATION.exists() else {}
    return said if said.get("artefact_sha256") == artefact_sha256 else {}


def in_registry(artefact_sha256: str) -> tuple[list[str], dict[str, str]]:
    """Ask the registry which versions have these very bytes, and which version each alias names.

    Raises:
        UserError: if the registry does not answer.
    """
    store = tracking.local_store()
    if store and not store.exists():  # to ask would make it
        return [], {}
    registry = tracking.ClientRegistry()
    same = [version.number for version in registry.versions() if version.tags.get(SHA256) == artefact_sha256]
    return same, registry.aliases()


def lost() -> bool:
    """Say whether ``register`` made a version of the artefact, and the registry, which answers, does not have it."""
    digest = sha256(MODEL) if MODEL.exists() else ""
    try:
        return bool(registered(digest).get("registered")) and not in_registry(digest)[0]
    except UserError:
        return False


def placed(version: str, aliases: dict[str, str]) -> str:
    """Say which alias a version has now; aliases are moved by hand too."""
    mine = sorted(alias for alias, named in aliases.items() if named == version)
    champion = aliases.get(CHAMPION)
    other = f"; champion is version {champion}" if champion and champion != version else ""
    return (f"alias {', '.join(mine)}" if mine else "no alias") + other


def standing() -> tuple[list[str], dict[str, str]]:
    """Say whether the accepted artefact is a version, or why it is none; return it with what can be typed next."""
    if not MODEL.exists():
        return [f"accepted; whether it is registered shows with {MODEL}: dvc pull"], {}
    digest = sha256(MODEL)
    said = registered(digest)
    if not said.get("registered"):
        return [f"accepted, not registered: {said.get('reason', 'make, whose last stage registers it')}"], {}
    try:
        numbers, aliases = in_registry(digest)
    except UserError as error:
        return [f"it was registered as {said['model']} version {said['version']}; now {error.what}"], {}
    if not numbers:
        return [
            f"accepted, and not in the registry any more: {tracking.without_password(tracking.tracking_uri())}"
        ], FILL
    version = said["version"] if said["version"] in numbers else numbers[-1]
    place = placed(version, aliases)
    lines = [f"registered: {said['model']} version {version}, {place}"]
    if not place.startswith(f"alias {CHAMPION}"):
        lines += [f"  the champion stays: {reason}" for reason in said.get("champion_stays", [])]
    # Serving is a part that can be deleted, and the command goes with it.
    challenges = place.startswith(f"alias {CHALLENGER}") and Path("mk/serving.mk").exists()
    return lines, PROMOTE if challenges else {}
