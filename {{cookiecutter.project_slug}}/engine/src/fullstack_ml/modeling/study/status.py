"""Say where the product stands: verdict, registered version, and what to type next.

Reads the reports, the artefact, the aliases of the registry, git, and ``STARTED`` (seconds since 1970) where make sets
it; writes nothing. Run: ``make status``.
"""

import os
import time

from fullstack_ml.modeling.accept.__main__ import as_line
from fullstack_ml.product.contract import load
from fullstack_ml.registry.registration import standing
from fullstack_ml.workspace import git
from fullstack_ml.workspace.errors import UserError, guard
from fullstack_ml.workspace.files import read_json
from fullstack_ml.workspace.paths import ACCEPTANCE, EVALUATION

# Not `commit -a`: it leaves out what is new, such as the report on the first version.
KEEP = {"git add -A && git commit": "keep what this run wrote beside what it was made from"}
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
    rejected = [f"rejected by {', '.join(acceptance['failed'])}"], dict[str, str]()
    lines, first = standing() if acceptance["accepted"] else rejected
    print("\n".join(lines))
    if os.environ.get("STARTED", "").isdecimal():
        print(f"took: {time.time() - int(os.environ['STARTED']):.0f} s")
    keep = KEEP if git.git("status", "--porcelain") else {}
    print("next:")
    for command, purpose in {**keep, **first, **NEXT}.items():
        print(f"  {command:<24}  {purpose}")


if __name__ == "__main__":
    guard(main)
