"""The exact files of every choice, and that each of them is whole: rendered, parsed, ended, never empty.

The expected files stand in files.txt. Whoever adds a file to the template adds its name there too, and so
sees what every new project will carry.
"""

import ast
import itertools
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from cookiecutter.utils import create_env_with_context
from dvc_render.html import HTML

from conftest import ROOT, Bake

SETTINGS: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
CHOICES = [
    dict(zip(("task", "license", "python_version", "language"), answers, strict=True))
    for answers in itertools.product(SETTINGS["task"], SETTINGS["license"], ["3.11"], ["en"])
]
CHOICES += [CHOICES[0] | {"python_version": version} for version in ("3.12", "3.13")]
CHOICES += [CHOICES[0] | {"language": language} for language in SETTINGS["language"][1:]]
CACHES = {"__pycache__", ".ruff_cache", ".mypy_cache", ".pytest_cache"}
MEANT_TO_BE_EMPTY = {"py.typed", "__init__.py"}


def named(choice: dict[str, str]) -> str:
    """Name a combination of answers, as pytest shows it."""
    return "-".join(choice.values())


def files(project: Path) -> set[str]:
    """List the files of a project, without what tools left in a working copy of the template."""
    paths = {path.relative_to(project) for path in project.rglob("*") if not path.is_dir()}
    return {path.as_posix() for path in paths if CACHES.isdisjoint(path.parts)}


def expected(answers: dict[str, str]) -> set[str]:
    """Read files.txt: a line `[option choice]` opens the files of that choice only."""
    chosen, found = True, set()
    for line in (ROOT / "tests" / "template" / "files.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            option, _, choice = line.strip("[]").partition(" ")
            chosen = answers[option] == choice
        elif chosen and line and not line.startswith("#"):
            found.add(line)
    return found | {name for name in engine() if not name.startswith(".")}


def engine() -> set[str]:
    """List the files of the engine, which is copied as it stands; git knows what is no cache."""
    folder = ROOT / "{{cookiecutter.project_slug}}"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "engine"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return {name for name in listed.splitlines() if (folder / name).is_file()}


@pytest.fixture(scope="module", params=SETTINGS["task"])
def project(request: pytest.FixtureRequest, bake: Bake) -> Path:
    """Bake one project per task."""
    return bake(task=request.param)


@pytest.mark.parametrize("choice", CHOICES, ids=named)
def test_a_choice_has_exactly_its_files(choice: dict[str, str], bake: Bake) -> None:
    # The hook writes cruft's file only where the template is a clean checkout.
    there, wanted = files(bake(**choice)) - {".cruft.json"}, expected(choice)
    wrong = [f"+ {name}" for name in sorted(there - wanted)] + [f"- {name}" for name in sorted(wanted - there)]
    assert not wrong, "made (+) or missing (-), against tests/template/files.txt:\n" + "\n".join(wrong)


def test_nothing_of_the_template_is_left(project: Path) -> None:
    assert not (project / "_overlays").exists()
    assert [path for path in project.rglob("*") if "cookiecutter" in path.name] == []
    for name in files(project):
        content = (project / name).read_bytes()
        assert b"cookiecutter." not in content.replace(b"cookiecutter.json", b""), name
        assert b"__package}" not in content, name


def test_no_folder_is_empty(project: Path) -> None:
    assert [path for path in project.rglob("*") if path.is_dir() and not any(path.iterdir())] == []


def test_no_file_is_empty_or_badly_ended(project: Path) -> None:
    for name in sorted(files(project)):
        content = (project / name).read_bytes()
        if Path(name).name in MEANT_TO_BE_EMPTY:
            continue
        assert content.strip(), f"{name} is empty"
        if b"\0" not in content:
            assert content.endswith(b"\n") and not content.endswith(b"\n\n"), f"{name} does not end in one newline"
            assert b"\r" not in content, f"{name} has the line ends of another system"


class Strict(yaml.SafeLoader):
    """YAML lets a second key of the same name win in silence; here it is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        if twice := {key for key in keys if keys.count(key) > 1}:
            raise yaml.constructor.ConstructorError(None, None, f"{twice} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


PARSERS: dict[str, Callable[[str], object]] = {
    ".py": ast.parse,
    ".json": json.loads,
    ".toml": tomllib.loads,
    ".yaml": lambda text: yaml.load(text, Strict),
    ".yml": lambda text: yaml.load(text, Strict),
    ".j2": jinja2.Environment(autoescape=True, extensions=["jinja2.ext.i18n"]).parse,
}


@pytest.mark.parametrize("suffix", PARSERS)
def test_every_file_parses(suffix: str, project: Path) -> None:
    for name in sorted(name for name in files(project) if name.endswith(suffix)):
        try:
            PARSERS[suffix]((project / name).read_text(encoding="utf-8"))
        except (ValueError, SyntaxError, yaml.YAMLError, jinja2.TemplateError) as error:
            pytest.fail(f"{name}: {error}")


def test_every_command_of_the_makefile_is_explained(project: Path) -> None:
    """`make help` reads the makefiles with awk, and make itself has to parse them for it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(["make", "help"], cwd=project, env=clean, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    shown = [re.sub(r"\033\[\d+m", "", line) for line in done.stdout.splitlines()]
    explained = {line.split()[0] for line in shown}
    columns = {line.index(line.split(maxsplit=1)[1]) for line in shown}
    assert len(columns) == 1, "the explanations are one column"
    makefiles = [project / "Makefile", *sorted((project / "mk").glob("*.mk"))]
    phony = {
        target
        for path in makefiles
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith(".PHONY:")
        for target in line.split()[1:]
    }
    assert phony == explained


def test_the_hook_run_again_changes_nothing(project: Path) -> None:
    before = {name: (project / name).read_bytes() for name in files(project)}
    context = {"cookiecutter": {"task": "another", "license": "another"}}
    hook = (ROOT / "hooks" / "post_gen_project.py").read_text(encoding="utf-8")
    source = create_env_with_context(context).from_string(hook).render(**context)
    subprocess.run([sys.executable, "-c", source], cwd=project, check=True)
    assert {name: (project / name).read_bytes() for name in files(project)} == before


def test_the_page_of_plots_says_what_to_look_at_without_a_network() -> None:
    folder = ROOT / "{{cookiecutter.project_slug}}" / ".dvc"
    name = re.search(r"^\s*html_template = (\S+)$", (folder / "config").read_text(encoding="utf-8"), re.MULTILINE)
    assert name, "dvc plots show writes its own page, which is blank without a network"
    page = HTML((folder / name[1]).read_text(encoding="utf-8")).with_scripts("SCRIPTS").with_element("PLOTS").embed()
    assert 0 < page.index("reports/figures") < page.index("SCRIPTS") < page.index("PLOTS") < page.index(".hidden =")
