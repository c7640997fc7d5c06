"""What became of the artefact: the version that it was registered as, and the alias that this version has now.

Reads ``reports/registration.json``, the artefact and the registry; writes nothing.
"""

from pathlib import Path
from typing import Any

from fullstack_ml.registry import tracking
from fullstack_ml.registry.versions import CHALLENGER, CHAMPION
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import read_json, sha256
from fullstack_ml.workspace.paths import MODEL, REGISTRATION

PROMOTE = {"make promote": "make the challenger champion all the same"}


def registered(artefact_sha256: str) -> dict[str, Any]:
    """Return what ``register`` last said of these very bytes; empty where that was of an artefact before them."""
    said: dict[str, Any] = read_json(REGISTRATION) if REGISTRATION.exists() else {}
    return said if said.get("artefact_sha256") == artefact_sha256 else {}


def aliases() -> dict[str, str] | None:
    """Return the version that each alias names now; None where the registry does not answer or is not here."""
    store = tracking.local_store()
    if store and not store.exists():
        return None
    try:
        return tracking.ClientRegistry().aliases()
    except UserError:
        return None


def placed(version: str, at_registration: str | None) -> str:
    """Say which alias a version has now; aliases are moved by hand too."""
    now = aliases()
    if now is None:
        return f"{'alias ' + at_registration if at_registration else 'no alias'} at registration"
    mine = sorted(alias for alias, named in now.items() if named == version)
    champion = now.get(CHAMPION)
    other = f"; champion is version {champion}" if champion and champion != version else ""
    return (f"alias {', '.join(mine)}" if mine else "no alias") + other


def standing() -> tuple[list[str], dict[str, str]]:
    """Say whether the accepted artefact is a version, or why it is none; return it with what can be typed next."""
    if not MODEL.exists():
        return [f"accepted; whether it is registered shows with {MODEL}: dvc pull"], {}
    said = registered(sha256(MODEL))
    if not said.get("registered"):
        return [f"accepted, not registered: {said.get('reason', 'run dvc repro register')}"], {}
    place = placed(said["version"], said["alias"])
    lines = [f"registered: {said['model']} version {said['version']}, {place}"]
    if not place.startswith(f"alias {CHAMPION}"):
        lines += [f"  the champion stays: {reason}" for reason in said.get("champion_stays", [])]
    # Serving is a part that can be deleted, and the command goes with it.
    challenges = place.startswith(f"alias {CHALLENGER}") and Path("mk/serving.mk").exists()
    return lines, PROMOTE if challenges else {}
