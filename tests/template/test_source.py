"""The budgets of the source: how much jinja, how long a file, which names, what a workflow may do.

What is about one file is checked in the template; what is about a whole project is checked in a baked one.
"""

import ast
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import ROOT, Bake

TEMPLATE = ROOT / "{{cookiecutter.project_slug}}"
SETTINGS: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
TASKS: list[str] = SETTINGS["task"]

TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
CONDITION = re.compile(r"\{%-?\s*(if|elif|for)\b")
# Copied as they stand, so their double braces are their own (cookiecutter.json: _copy_without_render).
NOT_RENDERED = ("engine/", "src/", ".github/workflows/")
# What a working copy holds besides its source.
NO_SOURCE = re.compile(r"(.*/)?(__pycache__|\.\w+_cache)/|(\.git|\.venv|\.uv|demo|bake)/")

# A machine's own folders, and hosts from which packages are installed; written so that this file has none.
MACHINE = re.compile(r"/root[/]|/Users[/]|/work[/]|/opt[/](wheels|pypi)|(?<!\w)/tmp[/]|C:[\\/]Users")
INDEX = re.compile(
    r"pypi[.](org|python)|python[h]osted|extra[-]index|index[-]url|find[-]links|[/]simple/", re.IGNORECASE
)
# Lines of Python that a room of the engine may have, so that one room does not grow at the cost of another.
ROOMS = [
    (6_415, ["data"]),  # texts, records out of scope, what git names of labels, logged predictions, words of users
    (6_860, ["modeling"]),  # parts, records out of scope, LightGBM, networks and backbones, a search, the reference
    (4_010, ["serving"]),  # many records at once; from offline to champion by one command; roll-outs by site, words
    (1_240, ["audit"]),  # lineage of an answer, the ML Test Score, debts, roles
    (2_760, ["draft"]),  # an answer that is a number, or several labels; its reasons in every language
    (2_170, ["inputs"]),  # pictures and their planes, tables, texts; what may change of them and be left out
    (3_700, ["answers"]),  # a label, several labels with candidates, a number with its interval
    (1_360, ["product"]),  # what is watched after the release
    (2_240, ["annotation"]),  # rounds by filter, copies, gold, notes; people outside, hours, the guide on the screen
    (760, ["pipeline", "project", "registry", "workspace"]),
    (1_120, ["monitoring"]),  # drift, estimates, late labels, alarms; gauges, page, who is told
    (380, ["edge", "pages", "artefact"]),
    (500, ["site"]),  # its pages, links and reports, and the words of its search
    (1_130, ["simulation"]),  # a copy of the project, its first model, traffic and its clock, the weeks, the page
]
VAGUE = {"utils", "util", "core", "common", "helpers", "helper", "manager", "managers", "misc"}


def texts(root: Path) -> Iterator[tuple[str, str]]:
    """Yield the path, relative to `root`, and the content of every text file below it."""
    for folder, folders, files in os.walk(root):
        place = Path(folder).relative_to(root)
        folders[:] = sorted(name for name in folders if not NO_SOURCE.fullmatch(f"{place / name}/"))
        for name in sorted(files):
            try:
                text = Path(folder, name).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue  # a picture
            if name not in ("uv.lock", ".git"):  # a work tree of git has a file of this name
                yield (place / name).as_posix(), text


def final(name: str) -> str:
    """Return where a file of the template ends up in a project: overlays lie at final paths."""
    return re.sub(r"^_overlays/[^/]+/[^/]+/", "", name)


def rendered(suffix: str) -> list[tuple[str, str]]:
    """List the template's files of one kind that cookiecutter renders."""
    found = [(name, text) for name, text in texts(TEMPLATE) if name.endswith(suffix)]
    return [(name, text) for name, text in found if not final(name).startswith(NOT_RENDERED)]


def over(counts: dict[str, int], limit: int) -> dict[str, int]:
    """Keep what is over the limit: a failing test then shows the names and by how much."""
    assert counts, "there is nothing to count"
    return {name: count for name, count in counts.items() if count > limit}


def lines(project: Path, *patterns: str) -> dict[str, int]:
    """Count the lines of the project's files that match a pattern."""
    files = [path for pattern in patterns for path in project.glob(pattern) if path.is_file()]
    return {str(path.relative_to(project)): len(path.read_text("utf-8").splitlines()) for path in files}


@pytest.fixture(scope="module", params=TASKS)
def project(request: pytest.FixtureRequest, bake: Bake) -> Path:
    """Bake one project per task."""
    return bake(task=request.param)


# --- jinja --------------------------------------------------------------------------------------------------


def test_package_python_holds_no_jinja() -> None:
    sources = {n: t for n, t in texts(TEMPLATE) if final(n).startswith(("engine/", "src/")) and n.endswith(".py")}
    assert len(sources) > 50
    tags = {name: len([tag for tag in TAG.findall(text) if "cookiecutter" in tag]) for name, text in sources.items()}
    assert over(tags, 0) == {}


@pytest.mark.parametrize("suffix", [".py", ".yaml", ".mk", "Makefile"])
def test_a_rendered_file_holds_at_most_one_tag(suffix: str) -> None:
    """A contract holds three: the product's name, its language and the day of its start."""
    tags = {name: len(TAG.findall(text)) - 2 * name.endswith("/product.yaml") for name, text in rendered(suffix)}
    assert over(tags, 1) == {}


def test_options_are_folders_and_not_conditions() -> None:
    conditions = [name for name, text in rendered("") if CONDITION.search(text)]
    assert [name for name in conditions if not name.endswith((".j2", ".html"))] == []


def test_no_code_asks_which_option_was_chosen() -> None:
    choices = {choice for name in ("task", "license") for choice in SETTINGS[name]}
    asked = []
    for name, text in texts(TEMPLATE):
        if not final(name).startswith(("engine/", "src/")) or not name.endswith(".py"):
            continue
        for node in ast.walk(ast.parse(text)):
            cases = [node] if isinstance(node, ast.Compare | ast.MatchValue) else []
            strings = [part.value for case in cases for part in ast.walk(case) if isinstance(part, ast.Constant)]
            asked += [f"{name}: {value!r}" for value in strings if value in choices]
    assert asked == []


# --- length -------------------------------------------------------------------------------------------------


def test_a_module_is_read_in_a_few_minutes(project: Path) -> None:
    assert over(lines(project, "engine/src/**/*.py", "src/**/*.py"), 250) == {}


@pytest.mark.parametrize(("limit", "rooms"), ROOMS)
def test_a_room_of_the_engine_stays_within_its_budget(project: Path, limit: int, rooms: list[str]) -> None:
    counts = {room: sum(lines(project, f"engine/src/fullstack_ml/{room}/**/*.py").values()) for room in rooms}
    assert over(counts, limit) == {}


def test_every_room_of_the_engine_has_a_budget(project: Path) -> None:
    found = {path.parent.name for path in project.glob("engine/src/fullstack_ml/*/__init__.py")}
    assert found == {room for _, rooms in ROOMS for room in rooms}


def test_the_half_that_a_team_owns_is_small(project: Path) -> None:
    own = [
        path for path in project.rglob("*") if path.is_file() and not NO_SOURCE.match(f"{path.relative_to(project)}")
    ]
    places = [path.relative_to(project) for path in own]
    assert len([place for place in places if place.parts[0] not in ("engine", "docs", ".git")]) <= 100
    assert sum(lines(project, "src/**/*.py", "tests/**/*.py", "mk/*.py").values()) <= 1500
    assert len([*project.glob("tests/**/test_*.py")]) <= 15


def test_every_function_fits_on_a_screen(project: Path) -> None:
    lengths = {}
    for pattern in ("engine/src/**/*.py", "src/**/*.py", "tests/**/*.py", "mk/*.py"):
        for path in project.glob(pattern):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    place = f"{path.relative_to(project).as_posix()}:{node.lineno} {node.name}"
                    lengths[place] = (node.end_lineno or node.lineno) - node.lineno + 1
    assert over(lengths, 40) == {}


@pytest.mark.parametrize(
    ("limit", "patterns"),
    [
        (50, ["Makefile", "mk/*.mk"]),
        (40, ["conf/**/*.yaml"]),
        (120, ["dvc.yaml"]),
        (135, ["product.yaml"]),
        (125, ["README.md"]),
    ],
    ids=["makefiles", "conf", "dvc.yaml", "product.yaml", "readme"],
)
def test_a_file_is_short_enough_to_read(project: Path, limit: int, patterns: list[str]) -> None:
    assert over(lines(project, *patterns), limit) == {}


def test_the_files_of_the_template_are_short_enough_to_read() -> None:
    assert over(lines(ROOT, "Makefile"), 50) == {}
    assert over(lines(ROOT, ".ci/run", ".github/workflows/*.yml"), 40) == {}


# --- names and paths ----------------------------------------------------------------------------------------


def test_names_say_what_is_inside(project: Path) -> None:
    vague = [
        p for folder in ("engine", "src", "tests", "conf") for p in (project / folder).rglob("*") if p.stem in VAGUE
    ]
    assert vague == []


@pytest.mark.parametrize("place", [ROOT, TEMPLATE], ids=["template", "project"])
def test_every_ignored_pattern_is_anchored(place: Path) -> None:
    """`models/` without a slash in front drops a package of that name; caches, editors and extensions name no code."""
    patterns = (place / ".gitignore").read_text(encoding="utf-8").splitlines()
    hidden = r"\.(DS_Store|idea/|vscode/|\*\.sw\?)"
    harmless = re.compile(rf"#.*|!?/.+|{hidden}|\*~|\*\.(tmp|py\[cod\])|__pycache__/|\.[\w*]*_cache/|")
    assert [pattern for pattern in patterns if not harmless.fullmatch(pattern)] == []


def test_git_leaves_alone_what_dvc_keeps(project: Path) -> None:
    """DVC ignores an output only after its stage; one that a failed stage wrote would be added, and stop the next."""
    stages = yaml.safe_load((project / "dvc.yaml").read_text(encoding="utf-8"))["stages"].values()
    told = [out if isinstance(out, dict) else {out: {}} for stage in stages for out in stage.get("outs", [])]
    cached = [name for out in told for name, options in out.items() if options.get("cache", True)]
    patterns = [f"{line}/" for line in (project / ".gitignore").read_text(encoding="utf-8").splitlines()]
    ignored = tuple(line.replace("//", "/") for line in patterns if line.startswith("/"))
    assert [name for name in cached if not f"/{name}/".startswith(ignored)] == []
    assert len(cached) > 10


def test_git_takes_every_generated_file(project: Path) -> None:
    files = "\n".join(str(path.relative_to(project)) for path in project.rglob("*") if path.is_file())
    git = ["git", "-C", str(project), "-c", "core.excludesFile="]
    subprocess.run([*git, "init", "--quiet"], check=True)
    asked = subprocess.run([*git, "check-ignore", "--stdin"], input=files, capture_output=True, text=True)
    shutil.rmtree(project / ".git")
    ignored = [name for name in asked.stdout.splitlines() if not NO_SOURCE.match(name)]
    assert (ignored, asked.stderr) == ([], "")


@pytest.mark.parametrize("pattern", [MACHINE, INDEX], ids=["machine", "index"])
def test_nothing_names_a_machine_or_a_package_index(pattern: re.Pattern[str]) -> None:
    hits = [f"{name}: {hit[0]}" for name, text in texts(ROOT) for hit in pattern.finditer(text)]
    assert hits == []


# --- workflows ----------------------------------------------------------------------------------------------

WORKFLOWS = [
    path
    for root in (ROOT, TEMPLATE)
    for folder in (root, *root.glob("_overlays/*/*"))
    for path in sorted((folder / ".github" / "workflows").glob("*.y*ml"))
]


def steps(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every step of every job; a job that calls another workflow counts as a step."""
    for job in workflow["jobs"].values():
        yield from job.get("steps", [job])


def test_the_template_and_the_project_have_workflows() -> None:
    for root in (ROOT, TEMPLATE):
        assert [path for path in WORKFLOWS if path.is_relative_to(root / ".github")], root


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_workflow_trusts_as_little_as_it_can(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] in ({}, {"contents": "read"})
    for name, job in workflow["jobs"].items():
        assert job.get("timeout-minutes") or "uses" in job, f"{name} may hang for hours"
        assert "write-all" not in str(job.get("permissions", "")), name
    for step in steps(workflow):
        uses = step.get("uses", "")
        assert not uses or uses.startswith("./") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", uses), uses
        if uses.startswith("actions/checkout@"):
            assert step.get("with", {}).get("persist-credentials") is False, "the token stays in .git/config"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_workflow_runs_no_text_of_a_stranger(path: Path) -> None:
    """A branch name or a title inside `run:` is code; it has to come in through `env:`."""
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert "pull_request_target" not in str(workflow.get(True, workflow.get("on")))
    untrusted = re.compile(r"\$\{\{\s*(github\.(event|head_ref)|inputs)")
    assert [step for step in steps(workflow) if untrusted.search(str(step.get("run", "")))] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_pipe_of_a_workflow_hides_no_failure(path: Path) -> None:
    """A step that names no shell runs without pipefail, so that its exit code is that of the last command."""
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    usual = workflow.get("defaults", {}).get("run", {}).get("shell")
    piped = [step for step in steps(workflow) if re.search(r"(?<!\|)\|(?!\|)", step.get("run", ""))]
    assert [step["run"] for step in piped if step.get("shell", usual) != "bash"] == []
