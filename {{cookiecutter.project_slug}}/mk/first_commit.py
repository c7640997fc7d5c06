"""Make a git repository with one commit in the author's name, where the project is in none yet.

Reads ``pyproject.toml``; writes ``.git``. Run: ``make setup``. A project inside another repository stays there, unless
that repository ignores it.
"""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

NO_HOOKS = ["-c", "core.hooksPath=/dev/null"]


def succeeds(*command: str) -> bool:
    """Run a command silently and say whether it exits with 0."""
    return subprocess.run(command, capture_output=True).returncode == 0


def run(command: str, *options: str, settings: list[str] = NO_HOOKS) -> None:
    """Run a command of git, or stop with what it said in three lines."""
    done = subprocess.run(
        ["git", *settings, command, *options], capture_output=True, encoding="utf-8", errors="replace"
    )
    if done.returncode:
        said = next(iter(done.stderr.strip().splitlines()), "no word")
        fix = "mend what git says, then make setup"
        if "safe.directory" in done.stderr:
            fix = done.stderr.strip().splitlines()[-1].strip()
        sys.exit(f"error: git {command} failed: {said}\nwhere: {Path.cwd()}\nfix:   {fix}")


def spare_long_hashes() -> None:
    """Let DVC leave ``git add`` to people where the repository has SHA-256, in which it cannot do that itself."""
    shown = subprocess.run(["git", "rev-parse", "--show-object-format"], capture_output=True, encoding="utf-8").stdout
    settings = Path(".dvc/config.local")
    if shown.strip() == "sha256" and not settings.exists():
        settings.write_text("[core]\n    autostage = false\n", encoding="utf-8")
        print("setup: this repository has SHA-256 hashes: DVC runs, but git add is yours, and dvc exp does not work")


def main() -> None:
    """Commit every file that git does not ignore."""
    if not shutil.which("git"):
        sys.exit("error: git is not installed\nwhere: PATH\nfix:   install git, then make")
    inside = succeeds("git", "rev-parse", "--git-dir") and not succeeds("git", "check-ignore", "-q", ".")
    if inside:
        spare_long_hashes()
    if inside and (succeeds("git", "rev-parse", "HEAD") or not Path(".git").exists()):
        return
    author = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["authors"][0]
    identity = [
        "-c",
        f"user.name={author['name']}",
        "-c",
        f"user.email={author['email']}",
        "-c",
        "commit.gpgsign=false",
    ]
    # SHA-1 also where the machine is set to SHA-256, which DVC does not read.
    run("init", "--quiet", "--initial-branch=main", "--object-format=sha1")
    run("add", "--all")
    message = "Generate the project from cookiecutter-fullstack-ml"
    run("commit", "--quiet", "--no-verify", "-m", message, settings=[*NO_HOOKS, *identity])
    print("setup: made a git repository with a first commit, uv.lock included")


if __name__ == "__main__":
    main()
