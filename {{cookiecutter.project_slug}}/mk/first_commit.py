"""Make a git repository with one commit in the author's name, where the project is in none yet.

Reads ``pyproject.toml``; writes ``.git``. Run: ``make setup``. A project inside another repository stays there, unless
that repository ignores it.
"""

import subprocess
import tomllib
from pathlib import Path


def succeeds(*command: str) -> bool:
    """Run a command silently and say whether it exits with 0."""
    return subprocess.run(command, capture_output=True).returncode == 0


def main() -> None:
    """Commit every file that git does not ignore."""
    inside = succeeds("git", "rev-parse", "--git-dir") and not succeeds("git", "check-ignore", "-q", ".")
    if inside and (succeeds("git", "rev-parse", "HEAD") or not Path(".git").exists()):
        return
    author = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["authors"][0]
    identity = ["-c", f"user.name={author['name']}", "-c", f"user.email={author['email']}"]
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main"], check=True)
    subprocess.run(["git", "add", "--all"], check=True)
    commit = ["commit", "--quiet", "--no-verify", "-m", "Generate the project from cookiecutter-fullstack-ml"]
    subprocess.run(["git", *identity, "-c", "commit.gpgsign=false", *commit], check=True)
    print("setup: made a git repository with a first commit, uv.lock included")


if __name__ == "__main__":
    main()
