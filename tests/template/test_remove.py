"""A part that a product does not need goes with all that belongs to it, and the rest is whole."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from test_docs import broken, code, commanded, missing, outputs, pages, read, targets  # type: ignore[import-not-found]

from conftest import Bake
from projects import Finished, Project

IMAGE, TABLE = "image-classification", "tabular-classification"
GONE = {
    "annotation": ["engine/src/fullstack_ml/annotation", "conf/annotation.yaml", "docs/2-data/annotation-tool.md"],
    "serving": ["engine/src/fullstack_ml/serving", "docker", "compose.yaml", "docs/4-deployment/serving.md"],
    "edge": ["engine/src/fullstack_ml/edge", "mk/edge.mk", "docs/4-deployment/edge.md"],
    "monitoring": ["engine/src/fullstack_ml/monitoring", "conf/monitoring.yaml", "docs/4-deployment/monitoring.md"],
}
WATCHED = ["serving", "monitoring"]
# What plays the whole loop goes with any part of it.
SIMULATION = ["engine/src/fullstack_ml/simulation", "mk/simulation.mk"]
OF_THE_LOOP = {"annotation", *WATCHED}
LEFT_OUT = {"everything": [], "service": ["edge"], "edge": WATCHED, "pipeline": [*WATCHED, "edge"]}


def git(folder: Path, *arguments: str) -> str:
    """Run git in a project as its author."""
    who = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    done = subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


def call_remove(project: Path, part: str) -> subprocess.CompletedProcess[str]:
    """Run the command, which needs nothing but Python: no installed package is in reach."""
    command = [sys.executable, "-S", "-m", "fullstack_ml.project.remove", part]
    environment = os.environ | {"PYTHONPATH": "engine/src", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)


def check_whole(project: Path) -> None:
    """Hold every page to what is there: links, paths and commands."""
    written = outputs(project)
    assert [link for page in pages(project) for link in broken(page, project, written)] == []
    assert {page.name: missing(read(page), [project], project) for page in pages(project)} == {
        page.name: [] for page in pages(project)
    }
    unknown = {page.name: commanded("\n".join(code(read(page)))) - targets(project) for page in pages(project)}
    assert {name: names for name, names in unknown.items() if names} == {}


@pytest.fixture
def project(bake: Bake) -> Path:
    """A new project, committed."""
    folder = bake(task=IMAGE)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "Begin")
    return folder


@pytest.mark.parametrize("part", GONE)
def test_a_part_goes_with_its_files_and_the_sentences_that_lead_to_them(part: str, project: Path) -> None:
    done = call_remove(project, part)
    assert (done.returncode, done.stderr) == (0, "")
    assert [name for name in GONE[part] if (project / name).exists()] == []
    assert [name for name in SIMULATION if (project / name).exists()] == ([] if part in OF_THE_LOOP else SIMULATION)
    check_whole(project)


@pytest.mark.parametrize("parts", LEFT_OUT)
def test_an_answer_leaves_out_its_parts(parts: str, bake: Bake) -> None:
    folder = bake(task=TABLE, parts=parts)
    for part, names in GONE.items():
        there = [name for name in names if (folder / name).exists()]
        assert there == ([] if part in LEFT_OUT[parts] else names)
    played = OF_THE_LOOP.isdisjoint(LEFT_OUT[parts])
    assert [name for name in SIMULATION if (folder / name).exists()] == (SIMULATION if played else [])
    check_whole(folder)


def test_removing_serving_says_that_monitoring_goes_too(project: Path) -> None:
    assert "serving, and monitoring" in call_remove(project, "serving").stdout
    for text in ("serve", "tracking"):
        assert f"{text} = [" not in (project / "pyproject.toml").read_text(encoding="utf-8")
    assert "image:" not in (project / ".github/workflows/main.yml").read_text(encoding="utf-8")
    assert "SERVE_" not in (project / ".env.example").read_text(encoding="utf-8")
    (row,) = (row for row in (project / "README.md").read_text(encoding="utf-8").splitlines() if "of Python |" in row)
    assert row.endswith("`engine/pyproject.toml` (also target-version of ruff) |"), "the image alone is gone from it"


@pytest.mark.parametrize(
    ("prepare", "part", "what"),
    [
        (lambda folder: None, "sering", "there is no part 'sering'"),
        (lambda folder: (folder / "new.txt").touch(), "edge", "1 uncommitted file(s): new.txt"),
    ],
    ids=["unknown", "dirty"],
)
def test_what_cannot_be_removed_is_three_lines_and_changes_nothing(
    prepare: Callable[[Path], None], part: str, what: str, project: Path
) -> None:
    prepare(project)
    before = git(project, "status", "--porcelain")
    done = call_remove(project, part)
    assert done.returncode == 1
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["error", "where", "fix"]
    assert what in done.stderr
    assert git(project, "status", "--porcelain") == before


def test_a_part_cannot_be_removed_twice(project: Path) -> None:
    call_remove(project, "edge")
    git(project, "commit", "--quiet", "--all", "-m", "Remove the page")
    assert "the part 'edge' is not here" in call_remove(project, "edge").stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "task"),
    [
        pytest.param(part, task, marks=pytest.mark.xdist_group(task))
        for part, task in (("annotation", TABLE), ("serving", IMAGE), ("edge", TABLE))
    ],
)
def test_everything_else_passes_without_it(
    part: str, task: str, finish: Callable[[str], Finished], tmp_path: Path
) -> None:
    project: Project = finish(task).project.copy(tmp_path / "project")
    project.commit()
    project.ok("make", "remove", f"PART={part}")
    project.ok("make", "check")
    project.ok("make", "test")
    project.commit()
    assert "registered: my_product version" in project.ok("make")
