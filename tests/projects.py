"""A baked project as a thing to work with: on a machine that knows nothing of its author, and in copies."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# Settings of whoever runs the tests, which a fresh machine does not have.
FOREIGN = ("COV", "DVC", "GIT", "HYDRA", "MAKE", "MFLAGS", "MLFLOW", "PYTEST", "PYTHON", "VIRTUAL_ENV")
# A parameter per task. Tests of one task run in one process, so that its project is made once.
IMAGE, TABLE = (
    pytest.param(task, marks=pytest.mark.xdist_group(task))
    for task in ("image-classification", "tabular-classification")
)
# What tools keep for themselves in a project.
CACHES = re.compile(r"(\.git|\.venv|\.dvc/tmp|\.\w+_cache)/|(.*/)?__pycache__/")


def machine(home: Path) -> dict[str, str]:
    """Return a machine that has packages in its cache, and no settings of git, DVC or MLflow."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    places = ("GLOBAL_CONFIG_DIR", "SYSTEM_CONFIG_DIR", "SITE_CACHE_DIR")
    dvc = {f"DVC_{name}": str(home / name) for name in places} | {"DVC_NO_ANALYTICS": "1"}
    return kept | dvc | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def sha256(path: Path) -> str:
    """Return the hash of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True)
class Project:
    """A project's folder and the environment that its commands run in."""

    folder: Path
    environment: Mapping[str, str]

    def variables(self) -> dict[str, str]:
        """Put the project's programs first, and its own code before what is installed, as make does."""
        programs = self.folder / ".venv" / "bin"
        path = f"{programs}{os.pathsep}{self.environment['PATH']}"
        code = [self.folder / "engine" / "src", self.folder / "src"]
        return {**self.environment, "PATH": path, "PYTHONPATH": os.pathsep.join(map(str, code))}

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the project's folder."""
        environment = self.variables() | variables
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def ok(self, *command: str) -> str:
        """Run a command that has to succeed and return what it printed."""
        done = self.run(*command)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def commit(self) -> None:
        """Commit everything, as the author would."""
        self.ok("git", "add", "--all")
        self.ok("git", "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-qm", "change")

    def replace(self, path: str, old: str, new: str) -> None:
        """Edit a file: `old` has to be there exactly once."""
        text = (self.folder / path).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{path} holds {old!r} {text.count(old)} times"
        (self.folder / path).write_text(text.replace(old, new), encoding="utf-8")

    def json(self, path: str) -> Any:
        """Read a report."""
        return json.loads((self.folder / path).read_text(encoding="utf-8"))

    def files(self) -> dict[str, str]:
        """Hash what the project holds."""
        paths = {p.relative_to(self.folder).as_posix(): p for p in self.folder.rglob("*") if p.is_file()}
        return {name: sha256(path) for name, path in paths.items() if not CACHES.match(name)}

    def copy(self, place: Path) -> "Project":
        """Copy the project as it stands, with its data and its store, next to nothing else."""
        shutil.copytree(self.folder, place, symlinks=True, ignore=shutil.ignore_patterns(".venv"))
        return self._at(place)

    def clone(self, place: Path) -> "Project":
        """Clone the project's commits: no data, no cache, no reports but those that are committed."""
        subprocess.run(["git", "clone", "--quiet", self.folder, place], env=self.variables(), check=True)
        return self._at(place)

    def _at(self, place: Path) -> "Project":
        """Lend the installed packages to a copy, unseen by git."""
        (place / ".venv").symlink_to((self.folder / ".venv").resolve())
        with (place / ".git" / "info" / "exclude").open("a", encoding="utf-8") as exclude:
            exclude.write("/.venv\n")
        return Project(place, self.environment)


@dataclass(frozen=True)
class Finished:
    """A project after `make setup` and `make`, and what these printed."""

    project: Project
    setup: str
    make: str


def finished(bake: Callable[[], Path], environment: Mapping[str, str]) -> Finished:
    """Bake, set up and run a project."""
    project = Project(bake(), environment)
    return Finished(project, project.ok("make", "setup"), project.ok("make"))
