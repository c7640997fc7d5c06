"""What git says of the work tree: its commit, and what it does not have.

Reads the repository by calling git, and ``dvc.lock``, which says what ran; writes nothing.
"""

import os
import re
import subprocess
from pathlib import Path

from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.paths import (
    CONTRACT,
    CROISSANT,
    DATA_CARD,
    ENVIRONMENT_LOCK,
    LOCK,
    MODEL_CARD,
    PARAMS,
    PROVENANCE_PAGE,
    RAW_LOCK,
    REPORTS,
    REQUIREMENTS_PAGE,
)

# What the pipeline itself writes does not make the code uncommitted: these files, and whatever lies in such a folder.
WRITTEN = {
    LOCK,
    RAW_LOCK,
    PARAMS,
    CONTRACT,
    REPORTS,
    REQUIREMENTS_PAGE,
    DATA_CARD,
    CROISSANT,
    MODEL_CARD,
    PROVENANCE_PAGE,
}


def git(*arguments: str, given: str | None = None) -> str | None:
    """Return what git prints, ``given`` to it; None where there is no repository, no commit or no git."""
    try:
        done = _asked(*arguments, given=given)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def _asked(*arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    # A name of a file is what the disk has, which need not be UTF-8.
    command = ["git", *arguments]
    reading = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}  # a question changes nothing, and leaves no lock when killed
    return subprocess.run(
        command, input=given, capture_output=True, env=reading, encoding="utf-8", errors="surrogateescape"
    )


def check_git() -> None:
    """Raise in git's own words where it has no commit of this folder."""
    here = str(Path.cwd())
    try:
        done = _asked("rev-parse", "--verify", "HEAD")
    except OSError as error:
        raise UserError("git is not installed", "PATH", "install git, then make setup") from error
    if done.returncode:
        fix = "make setup, which makes a repository with a first commit; or git add -A && git commit"
        if "safe.directory" in done.stderr:
            fix = done.stderr.strip().splitlines()[-1].strip()  # the command with its folder
        raise UserError(f"git has no commit: {done.stderr.strip().splitlines()[0]}", here, fix)


def commit() -> str:
    """Return the hash of the current commit, or ``unknown``."""
    return (git("rev-parse", "HEAD") or "unknown").strip()


def uncommitted() -> list[str]:
    """List changed and new files, without those that the pipeline or setup writes; ``['no commit']`` without any."""
    listed = git("-c", "core.quotePath=false", "status", "--porcelain", "--untracked-files=all", "--", ".")
    if listed is None or commit() == "unknown":
        return ["no commit"]
    prefix = (git("rev-parse", "--show-prefix") or "").strip()
    first = (
        f"?? {prefix}{ENVIRONMENT_LOCK}"  # setup makes the first one, perhaps after the commit; the run keeps a copy
    )
    lines = [line for line in listed.splitlines() if line != first]
    files = [line[3:].split(" -> ")[-1].strip('"').removeprefix(prefix) for line in lines]
    changed = [file for file in files if WRITTEN.isdisjoint([Path(file), *Path(file).parents])]
    return list(dict.fromkeys([*changed, *ignored_elsewhere()]))


def ignored_elsewhere() -> list[str]:
    """List what the stages read and git does not have since a rule outside the project ignores it.

    Such a rule is one of the machine (``core.excludesFile``), of the clone or of a repository around the project. What
    the project's own ``.gitignore`` names is left out on purpose; hidden files and backups of editors are no code.
    """
    read = _read_by_stages()
    missing = git("ls-files", "--others", "-z", "--", *read) if read else None
    if not missing:
        return []
    # Four fields for each: the file with the rule, below the repository's root, its line, the rule, what it ignores.
    fields = (git("check-ignore", "--verbose", "-z", "--stdin", given=missing) or "").split("\0")
    prefix = (git("rev-parse", "--show-prefix") or "").strip()
    found = [name for rule, name in zip(fields[::4], fields[3::4], strict=False) if not _is_own(rule, prefix)]
    return [name for name in found if not re.search(r"(^|/)(\.|__pycache__/)|~$", name)]


def _read_by_stages() -> list[str]:
    """Name the files and folders that people write and stages of ``dvc.lock`` read."""
    import yaml  # here, since generation takes parts out with Python's own library alone

    lock = yaml.safe_load(LOCK.read_text(encoding="utf-8")) if LOCK.exists() else None
    stages = lock["stages"].values() if lock else ()
    written = {Path(out["path"]) for stage in stages for out in stage.get("outs", [])}
    read = {Path(dep["path"]) for stage in stages for dep in stage.get("deps", [])}
    return sorted(str(path) for path in read if written.isdisjoint([path, *path.parents]))


def _is_own(rule: str, prefix: str) -> bool:
    """Say whether the file with a rule is a ``.gitignore`` of the project, which lies in ``prefix``."""
    return rule.startswith(prefix) and Path(rule).name == ".gitignore" and not Path(rule).is_absolute()


def check_code(fix: str) -> None:
    """Raise unless git has everything but what the pipeline writes; ``fix`` says how to go on."""
    check_git()
    if outside := ignored_elsewhere():
        what = f"git ignores {len(outside)} file(s) that the pipeline reads: {', '.join(outside[:3])}"
        rule = (git("check-ignore", "--verbose", outside[0]) or "").split("\t")[0]
        mend = "take that rule out, or write its opposite into .gitignore; then git add -A && git commit"
        raise UserError(what, rule, mend)
    if changed := uncommitted():
        raise UserError(f"{len(changed)} uncommitted file(s): {', '.join(changed[:5])}", "the git work tree", fix)


def check_clean() -> None:
    """Raise unless git has everything, so that whatever is changed next can be brought back."""
    check_git()
    status = git("status", "--porcelain") or ""
    if changed := [line[3:] for line in status.splitlines()]:
        what = f"{len(changed)} uncommitted file(s): {', '.join(changed[:3])}"
        raise UserError(what, "the git work tree", "commit them first: git add -A && git commit")
