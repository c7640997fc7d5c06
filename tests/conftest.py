"""Generate projects from this template, away from the settings and the history of whoever runs the tests."""

import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
from cookiecutter.main import cookiecutter

from projects import Finished, finished, machine

ROOT = Path(__file__).resolve().parents[1]


class Bake(Protocol):
    """Generate a project with the given answers, the rest by default, and return its folder."""

    def __call__(self, **answers: str) -> Path: ...


@dataclass(frozen=True)
class Run:
    """What one run of the real command did."""

    code: int
    stdout: str
    stderr: str
    folder: Path

    @property
    def files(self) -> list[Path]:
        """Every file that the run left behind, relative to the folder that it was given."""
        return sorted(path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file())


class Generate(Protocol):
    """Run `cookiecutter` the way a person does, on the command line, and report all of it."""

    def __call__(
        self,
        *options: str,
        answers: Mapping[str, str] | None = None,
        typed: str | None = None,
        template: Path = ROOT,
    ) -> Run: ...


def pytest_configure(config: pytest.Config) -> None:
    """Know the marker of the long tests, also where a single file is run without the project's settings."""
    config.addinivalue_line("markers", "slow: bakes a project and runs its lifecycle; minutes, not seconds")
    config.addinivalue_line("markers", "studio: starts the real Label Studio, which it installs")


@pytest.fixture(scope="session")
def template() -> Path:
    """Return the root of the template's repository."""
    return ROOT


@pytest.fixture(scope="session")
def user_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stand in for `~/.cookiecutterrc`, so that neither the defaults nor the replays of a user take part."""
    home = tmp_path_factory.mktemp("home")
    config = home / "config.yaml"
    config.write_text(f"replay_dir: {home / 'replay'}\ncookiecutters_dir: {home / 'templates'}\n")
    return config


@pytest.fixture(scope="session")
def bake(tmp_path_factory: pytest.TempPathFactory, user_config: Path) -> Bake:
    """Bake in this process, which is fast; a refused answer raises cookiecutter's own exception."""

    def make(**answers: str) -> Path:
        folder = tmp_path_factory.mktemp("bake")
        with pytest.MonkeyPatch.context() as patch:
            # Cookiecutter leaves its rendered hooks in the temporary folder.
            patch.setattr(tempfile, "tempdir", str(user_config.parent))
            project = cookiecutter(
                str(ROOT),
                no_input=True,
                extra_context=answers,
                output_dir=str(folder),
                config_file=str(user_config),
            )
        return Path(project)

    return make


@pytest.fixture
def generate(tmp_path: Path, user_config: Path) -> Generate:
    """Run the real command, for what only it shows: the exit code, the printed error, what stays behind."""

    def run(
        *options: str,
        answers: Mapping[str, str] | None = None,
        typed: str | None = None,
        template: Path = ROOT,
    ) -> Run:
        folder = tmp_path / "projects"
        folder.mkdir(exist_ok=True)
        ask = [] if typed is not None else ["--no-input"]
        places: list[str | Path] = ["--config-file", user_config, "--output-dir", folder, template]
        given = [f"{name}={value}" for name, value in (answers or {}).items()]
        done = subprocess.run(
            [sys.executable, "-m", "cookiecutter", *options, *ask, *places, *given],
            input=typed,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=os.environ | {"TMPDIR": str(user_config.parent), "PYTHONUTF8": "1", "COLUMNS": "200"},
            check=False,
        )
        return Run(done.returncode, done.stdout, done.stderr, folder)

    return run


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Stand in for the settings of whoever runs the tests."""
    return machine(tmp_path_factory.mktemp("machine"))


@pytest.fixture(scope="session")
def finish(bake: Bake, environment: dict[str, str]) -> Callable[[str], Finished]:
    """Set up and run the project of a task, once for all tests, also where that fails."""

    @functools.cache
    def outcome(task: str) -> Finished | Exception:
        try:
            return finished(lambda: bake(task=task, author_name="Kim Min-seo"), environment)
        except Exception as error:
            return error

    def finish(task: str) -> Finished:
        result = outcome(task)
        if isinstance(result, Exception):
            raise result
        return result

    return finish
