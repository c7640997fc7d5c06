"""Say where the product stands: verdict, registered version, and what to type next.

Reads the reports, the artefact, and ``STARTED`` (seconds since 1970) where make sets it; writes nothing. Run:
``make status``.
"""

import os
import time
from typing import Any

from ..contract import load
from ..errors import UserError, guard
from ..files import read_json, sha256
from ..paths import ACCEPTANCE, EVALUATION, MODEL, REGISTRATION
from .accept import as_line

NEXT = {
    "make mlflow": "review, compare and find the champion in the browser",
    "make sweep": "search better parameters, then make adopt RUN=<id>",
    "make help": "the lifecycle, command by command",
}


def registered(artefact_sha256: str) -> dict[str, Any]:
    """Return what ``register`` last said of these very bytes; empty where that was of an artefact before them."""
    said: dict[str, Any] = read_json(REGISTRATION) if REGISTRATION.exists() else {}
    return said if said.get("artefact_sha256") == artefact_sha256 else {}


def standing() -> str:
    """Say whether the accepted artefact is a version, or why it is none."""
    if not MODEL.exists():
        return f"accepted; whether it is registered shows with {MODEL}: dvc pull"
    said = registered(sha256(MODEL))
    if said.get("registered"):
        return f"registered: {said['model']} version {said['version']}, alias {said['alias']}"
    return f"accepted, not registered: {said.get('reason', 'run dvc repro register')}"


def main() -> None:
    """Print the state of the last pipeline run."""
    if not ACCEPTANCE.exists():
        raise UserError("the pipeline has not run", str(ACCEPTANCE), "make")
    acceptance, evaluation = read_json(ACCEPTANCE), read_json(EVALUATION)
    print(f"\n{load().service.name}: model {evaluation['model']} on {evaluation['records']} test records")
    print("\n".join(map(as_line, acceptance["verdicts"])))
    print(standing() if acceptance["accepted"] else f"rejected by {', '.join(acceptance['failed'])}")
    if os.environ.get("STARTED", "").isdecimal():
        print(f"took: {time.time() - int(os.environ['STARTED']):.0f} s")
    print("next:")
    for command, purpose in NEXT.items():
        print(f"  {command:<12} {purpose}")


if __name__ == "__main__":
    guard(main)
