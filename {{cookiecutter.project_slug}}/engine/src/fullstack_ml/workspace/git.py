"""What git says of the work tree: its commit, and what it does not have.

Reads the repository by calling git; writes nothing.
"""

import subprocess
from pathlib import Path

from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.paths import (
    CONTRACT,
    DATA_CARD,
    LOCK,
    MODEL_CARD,
    PARAMS,
    RAW_LOCK,
    REPORTS,
    REQUIREMENTS_PAGE,
)

# What the pipeline itself writes does not make the code uncommitted: these files, and whatever lies in such a folder.
WRITTEN = {LOCK, RAW_LOCK, PARAMS, CONTRACT, REPORTS, REQUIREMENTS_PAGE, DATA_CARD, MODEL_CARD}


def git(*arguments: str) -> str | None:
    """Return what git prints, or None where there is no repository, no commit or no git."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout


def commit() -> str:
    """Return the hash of the current commit, or ``unknown``."""
    return (git("rev-parse", "HEAD") or "unknown").strip()


def uncommitted() -> list[str]:
    """List changed and new files, without those that the pipeline writes; ``['no commit']`` without a repository."""
    listed = git("-c", "core.quotePath=false", "status", "--porcelain", "--untracked-files=all", "--", ".")
    if listed is None or commit() == "unknown":
        return ["no commit"]
    prefix = (git("rev-parse", "--show-prefix") or "").strip()
    files = [line[3:].split(" -> ")[-1].strip('"').removeprefix(prefix) for line in listed.splitlines()]
    return [file for file in files if WRITTEN.isdisjoint([Path(file), *Path(file).parents])]


def check_code(fix: str) -> None:
    """Raise unless git has everything but what the pipeline writes; ``fix`` says how to go on."""
    if changed := uncommitted():
        raise UserError(f"{len(changed)} uncommitted file(s): {', '.join(changed[:5])}", "the git work tree", fix)


def check_clean() -> None:
    """Raise unless git has everything, so that whatever is changed next can be brought back."""
    status = git("status", "--porcelain")
    if status is None:
        raise UserError("there is no git repository here", str(Path.cwd()), "make setup, which makes one")
    if changed := [line[3:] for line in status.splitlines()]:
        what = f"{len(changed)} uncommitted file(s): {', '.join(changed[:3])}"
        raise UserError(what, "the git work tree", "commit them first: git add -A && git commit")
