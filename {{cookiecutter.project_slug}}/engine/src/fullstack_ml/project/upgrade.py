"""Bring in what has changed in the template since this project was made, as a patch by cruft.

Reads ``.cruft.json``; writes what the template changed. Asks for a clean work tree. Run: ``make upgrade``.
"""

import os
import subprocess
from pathlib import Path

from fullstack_ml.workspace import git
from fullstack_ml.workspace.errors import UserError, guard

STATE = Path(".cruft.json")
CRUFT = "cruft>=2.16,<3"


def check_merged() -> None:
    """Raise where git could not bring two changes of a file together, and has written both into it."""
    listed = git.git("-c", "core.quotePath=false", "diff", "--name-only", "--diff-filter=U", "--relative") or ""
    if files := sorted(set(listed.splitlines())):
        fix = "take what is right of each <<<<<<< … >>>>>>> in an editor, then git add -A && git commit"
        raise UserError(f"{len(files)} file(s) hold conflicts", ", ".join(files), fix)


def main() -> None:
    """Run cruft, which asks nothing, and say what to do with what it changed."""
    if not STATE.exists():
        fix = f"uvx --from '{CRUFT}' cruft link <address of the template>, commit {STATE}, then make upgrade"
        raise UserError(f"there is no {STATE}: nothing says which template this project is of", "the project", fix)
    check_merged()
    git.check_clean()
    command = [os.environ.get("UV", "uv"), "tool", "run", "--from", CRUFT, "cruft", "update", "--skip-apply-ask"]
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise UserError("cruft could not update the project", f"template in {STATE}", "read what it printed above")
    conflicts = sorted(str(path) for path in Path().glob("**/*.rej") if ".venv" not in path.parts)
    check_merged()
    if conflicts:
        raise UserError(
            f"{len(conflicts)} change(s) did not apply", ", ".join(conflicts), "merge them by hand, delete the .rej"
        )
    print("upgrade: done; next: make check && make test && make, then git add -A && git commit")


if __name__ == "__main__":
    guard(main)
