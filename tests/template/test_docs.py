"""The documents: what they link to, name and tell to type is there, in the template and in a baked project.

Paths and commands are taken from inline code and code blocks. What the pipeline or a command writes later
counts as there: an output in dvc.yaml, a line of .gitignore, or a name in the package's source.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import ROOT, Bake
from projects import Finished

SETTINGS: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
TASKS: list[str] = SETTINGS["task"]
OWN = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PATH = re.compile(r"[\w.*-]+(/[\w.*-]+)*/?")
SUFFIX = re.compile(r"\.(csv|db|html|json|lock|md|mk|onnx|parquet|png|py|toml|txt|yaml|yml)")
# Files that a reader is told to make.
EXAMPLES = {
    "pages/catalogues/ja.yaml",
    "conf/model/forest.yaml",
    "conf/search/forest.yaml",
    "conf/enrich.yaml",
    "mk/enrich.mk",
    "tests/test_enrich.py",
    "my_product/sources/erp.py",
    "bake/my-product",
}
LONGEST_PAGE = 110
# What a tool writes beside what the project itself does: `make setup` locks every version.
BY_TOOLS = {"uv.lock"}
# Sections without which an annotation guide leaves a question open.
GUIDE = [
    "Purpose",
    "What is shown",
    "Labels",
    "What cannot be annotated",
    "How to work",
    "Format",
    "Pass and reject",
    "Review",
    "Tool manual",
    "Questions and answers",
    "Versions",
]
# Lines of a README that start a server, which a test would have to stop.
SERVERS = ("make mlflow",)


@pytest.fixture(scope="module", params=TASKS)
def project(request: pytest.FixtureRequest, bake: Bake) -> Path:
    """Bake one project per task; its documents differ by task."""
    return bake(task=request.param)


def read(path: Path) -> str:
    """Read a text."""
    return path.read_text(encoding="utf-8")


def pages(project: Path) -> list[Path]:
    """List every document of a project."""
    return sorted([project / "README.md", *project.glob("docs/**/*.md"), *project.glob("data/**/*.md")])


def outputs(project: Path) -> set[str]:
    """List what the stages of dvc.yaml write."""
    stages = yaml.safe_load(read(project / "dvc.yaml"))["stages"].values()
    listed = [out for stage in stages for kind in ("outs", "metrics") for out in stage.get(kind, [])]
    return {name for out in listed for name in ([out] if isinstance(out, str) else out)}


def ignored(project: Path) -> set[str]:
    """List the anchored lines of .gitignore, which are what tools and commands write."""
    return {line.strip("/*") for line in read(project / ".gitignore").splitlines() if line.startswith("/")}


def sources(project: Path) -> str:
    """Join what may write a file: the package, the make files and the settings of tools."""
    files = [*project.glob("engine/src/**/*.py"), *project.glob("mk/*.mk"), project / "Makefile"]
    return "\n".join(map(read, files))


def targets(folder: Path) -> set[str]:
    """List the targets of a Makefile and of the files that it includes."""
    text = "\n".join(read(file) for file in [folder / "Makefile", *folder.glob("mk/*.mk")])
    rules = re.findall(r"^([a-z][a-z -]*):(?!=)", text, re.MULTILINE)
    return {target for rule in rules for target in rule.split()}


def code(text: str) -> Iterator[str]:
    """Yield the code of a document: its blocks without their comments, then what stands between backticks."""
    yield from (re.sub(r"(^|\s)#.*", "", block) for _, block in FENCE.findall(text))
    yield from INLINE.findall(FENCE.sub("", text))


def commanded(text: str) -> set[str]:
    """List the make targets that a text tells to type."""
    return set(re.findall(r"\bmake +([a-z][a-z-]*)", text))


def anchors(page: Path) -> set[str]:
    """List the anchors of a page, as GitHub makes them from its headings."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", read(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path, root: Path, later: set[str]) -> list[str]:
    """List the links of a page that lead nowhere; ``later`` is what will be there, relative to ``root``."""
    found = []
    for target in LINK.findall(FENCE.sub("", read(page))):
        if re.match(r"https?:|mailto:", target):
            continue
        place, _, anchor = target.partition("#")
        goal = (page.parent / place).resolve() if place else page
        is_later = goal.is_relative_to(root.resolve()) and str(goal.relative_to(root.resolve())) in later
        if not goal.exists() and not is_later:
            found.append(f"{page.name}: {target}")
        elif anchor and goal.is_file() and anchor not in anchors(goal):
            found.append(f"{page.name}: {target} has no such heading")
    return found


def paths(text: str) -> set[str]:
    """List what a document names as a file or folder: code with a slash or a known ending."""
    spans = INLINE.findall(FENCE.sub("", text))
    return {s for s in spans if PATH.fullmatch(s) and ("/" in s or SUFFIX.fullmatch(Path(s).suffix))} - EXAMPLES


def missing(text: str, roots: list[Path], project: Path) -> list[str]:
    """List the paths of a text that are not there and that nothing writes."""
    written, source = outputs(project) | ignored(project) | BY_TOOLS, sources(project)

    def known(path: str) -> bool:
        name = path.strip("/")
        if any(any(root.glob(name)) for root in roots):
            return True
        if any(name == out or name.startswith(f"{out}/") or out.startswith(f"{name}/") for out in written):
            return True
        last = name.rsplit("/", 1)[-1]
        return "*" not in last and re.search(rf"(?<![\w.]){re.escape(last)}\b", source) is not None

    return sorted(path for path in paths(text) if not known(path))


# --- the template -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", OWN, ids=lambda page: page.name)
def test_links_of_the_template_lead_somewhere(page: Path) -> None:
    assert broken(page, ROOT, set()) == []


@pytest.mark.parametrize("page", OWN, ids=lambda page: page.name)
def test_paths_and_targets_of_the_template_are_there(page: Path, project: Path) -> None:
    engine = project / "engine" / "src" / "fullstack_ml"
    assert missing(read(page), [ROOT, project, engine, next((project / "src").iterdir())], project) == []
    assert commanded("\n".join(code(read(page)))) - targets(ROOT) - targets(project) == set()


def test_every_question_and_choice_is_explained() -> None:
    questions = {name: answer for name, answer in SETTINGS.items() if not name.startswith("_")}
    choices = {choice for answer in questions.values() if isinstance(answer, list) for choice in answer}
    explained = INLINE.findall(read(ROOT / "docs" / "1-generate.md"))
    assert sorted({*questions, *choices} - set(explained)) == []


# --- a project ----------------------------------------------------------------------------------------------


def test_links_of_a_project_lead_somewhere(project: Path) -> None:
    later = outputs(project)
    assert [link for page in pages(project) for link in broken(page, project, later)] == []


def test_paths_that_a_project_names_are_there_or_written_later(project: Path) -> None:
    found = {page.name: missing(read(page), [project], project) for page in pages(project)}
    assert {name: names for name, names in found.items() if names} == {}


def test_targets_that_a_project_names_are_there(project: Path) -> None:
    texts = {page.name: "\n".join(code(read(page))) for page in pages(project)}
    others = (".github/workflows/ci.yml", ".pre-commit-config.yaml", ".env.example")
    texts |= {name: read(project / name) for name in others}
    unknown = {name: commanded(text) - targets(project) for name, text in texts.items()}
    assert {name: names for name, names in unknown.items() if names} == {}


def test_the_table_of_stages_is_the_pipeline(project: Path) -> None:
    text = read(project / "docs" / "index.md")
    stages = yaml.safe_load(read(project / "dvc.yaml"))["stages"]
    table = text.partition("## Stages")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(stages)


def test_the_readme_leads_to_the_page_that_answers_each_question(project: Path) -> None:
    """Who, why and whose; data; weak places; a pilot; a release and back; what is watched: README and one page each."""
    table = read(project / "README.md").partition("## Where the answers are")[2].partition("\n## ")[0]
    linked = {Path(link).stem for link in LINK.findall(table)}
    wanted = {"requirements", "data-card", "model-card", "annotation-tool", "release", "after-release", "incident"}
    assert linked == wanted | {"index", "glossary"}


def test_the_share_of_answers_is_watched_by_the_limit_of_its_requirement(project: Path) -> None:
    contract = yaml.safe_load(read(project / "product.yaml"))
    rows = [*contract["requirements"], *contract["monitoring"]["watch"]]
    limits = [(row["operator"], row["threshold"]) for row in rows if row["metric"] == "answered_share"]
    assert len(limits) == 2
    assert limits[0] == limits[1]


def test_pages_are_short(project: Path) -> None:
    lengths = {page.name: len(read(page).splitlines()) for page in pages(project)}
    assert {name: length for name, length in lengths.items() if length > LONGEST_PAGE} == {}


def test_the_index_leads_to_every_page(project: Path) -> None:
    linked = set(LINK.findall(read(project / "docs" / "index.md")))
    written = {str(Path(out).relative_to("docs")) for out in outputs(project) if out.startswith("docs/")}
    there = {page.relative_to(project / "docs").as_posix() for page in project.glob("docs/*/*.md")}
    assert linked == there | written | {"glossary.md"}


@pytest.mark.parametrize("language", SETTINGS["language"])
def test_the_index_names_a_page_as_the_page_does(language: str, bake: Bake) -> None:
    """Title and row of a page are the same, with the number of the step, which no other page has."""
    docs = bake(language=language) / "docs"
    rows = re.findall(r"^\| ([^|]*) \| \[([^\]]*)\]\(([^)]*\.md)\) \|", read(docs / "index.md"), re.MULTILINE)
    named = {page: f"{step} {title}" if step[:1].isdigit() else title for step, title, page in rows}
    written = {page: FENCE.sub("", read(docs / page)) for page in named if (docs / page).exists()}
    titles = {page: re.findall(r"^# (.*)$", text, re.MULTILINE)[0] for page, text in written.items()}
    guide = "2-data/annotation-guide.md"
    assert titles.pop(guide) in named[guide]
    assert titles == {page: named[page] for page in titles}
    steps = [step for step, _, _ in rows if step[:1].isdigit()]
    assert len(steps) == len({*steps}) > 15


def test_the_guide_has_a_version_every_section_and_every_label(project: Path) -> None:
    text = read(project / "docs" / "2-data" / "annotation-guide.md")
    assert re.match(r'---\nversion: "\d+\.\d+"\n---\n', text)
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == GUIDE
    labels = yaml.safe_load(read(project / "product.yaml"))["formulation"]["answer"].get("labels", [])
    table = text.partition("## Labels")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines() if row.startswith("| `")]
    assert [row[0].strip("`") for row in rows] == [label["name"] for label in labels]
    assert [row for row in rows if len(row) != 4 or not all(row)] == [], "what it is, what it is not, an edge case"


def test_what_a_reader_wants_to_change_is_where_the_readme_says(project: Path) -> None:
    table = read(project / "README.md").partition("## To change X, edit Y")[2].partition("\n## ")[0]
    rows = [row.split("|")[1:3] for row in table.splitlines() if row.startswith("| ")][1:]
    assert len(rows) >= 20
    for _, places in rows:
        named = [span for span in INLINE.findall(places) if PATH.fullmatch(span) and ("/" in span or "." in span)]
        commands = commanded(" ".join(INLINE.findall(places)))
        assert named or commands, places
        assert [name for name in named if not any(project.glob(name.strip("/")))] == []
        assert commands <= targets(project)


def test_the_rooms_of_the_engine_stand_in_their_order(project: Path) -> None:
    rooms = re.findall(r"^[├└]── (\w+)/", read(project / "engine/README.md"), re.MULTILINE)
    assert sorted(rooms) == sorted(path.parent.name for path in project.glob("engine/src/fullstack_ml/*/__init__.py"))
    contracts = tomllib.loads(read(project / "engine/pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one["type"] == "layers")
    there = [name.strip("()") for name in reversed(layers) if name.strip("()") in rooms]
    assert rooms == there


def test_settings_of_the_server_exist(project: Path) -> None:
    fields = re.findall(r"^    (\w+): ", read(project / "engine/src/fullstack_ml/serving/settings.py"), re.MULTILINE)
    named = re.findall(r"SERVE_([A-Z_]+)", "\n".join(map(read, [project / ".env.example", *pages(project)])))
    assert named
    assert {name.lower() for name in named} - set(fields) == set()


@pytest.mark.slow
@pytest.mark.xdist_group("image-classification")
def test_the_commands_of_the_readme_work_in_their_order(finish: Callable[[str], Finished], tmp_path: Path) -> None:
    project = finish("image-classification").project.copy(tmp_path / "team" / "my-product")
    blocks = [block for language, block in FENCE.findall(read(project.folder / "README.md")) if language == "bash"]
    typed = [line for line in "".join(blocks).splitlines() if not line.startswith(SERVERS)]
    assert [line.split()[0] for line in typed][:4] == ["make", "git", "git", "source"]
    who = {f"GIT_{role}_{key}": "a@example.com" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    done = project.run("bash", "-e", "-o", "pipefail", "-c", "\n".join(typed), **who)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert project.ok("git", "status", "--porcelain") == "", "the last command goes back to the commit"
    assert "up to date" in project.ok("dvc", "status")
