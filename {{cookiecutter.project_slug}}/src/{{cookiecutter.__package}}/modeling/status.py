"""Say where the product stands: verdict, registered version, and what to type next.

Reads the reports, and ``STARTED`` (seconds since 1970) where make sets it; writes nothing. Run: ``make status``.
"""

import os
import time

from ..contract import load
from ..errors import UserError, guard
from ..files import read_json
from ..paths import ACCEPTANCE, EVALUATION, REGISTRATION
from .accept import as_line

NEXT = {
    "make mlflow": "review, compare and find the champion in the browser",
    "make sweep": "search better parameters, then make adopt RUN=<id>",
    "make help": "the lifecycle, command by command",
}


def main() -> None:
    """Print the state of the last pipeline run."""
    if not ACCEPTANCE.exists():
        raise UserError("the pipeline has not run", str(ACCEPTANCE), "make")
    acceptance, evaluation = read_json(ACCEPTANCE), read_json(EVALUATION)
    print(f"\n{load().service.name}: model {evaluation['model']} on {evaluation['records']} test records")
    print("\n".join(map(as_line, acceptance["verdicts"])))
    registration = read_json(REGISTRATION) if REGISTRATION.exists() else {}
    if not acceptance["accepted"]:
        print(f"rejected by {', '.join(acceptance['failed'])}")
    elif registration.get("registered"):
        print(f"registered: {registration['model']} version {registration['version']}, alias {registration['alias']}")
    else:
        print(f"accepted, not registered: {registration.get('reason', 'run dvc repro register')}")
    if os.environ.get("STARTED", "").isdecimal():
        print(f"took: {time.time() - int(os.environ['STARTED']):.0f} s")
    print("next:")
    for command, purpose in NEXT.items():
        print(f"  {command:<12} {purpose}")


if __name__ == "__main__":
    guard(main)
