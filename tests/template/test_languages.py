"""The pages of every language say the same: headings, commands, names and links, page by page."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from binaryornot.check import is_binary
from test_docs import FENCE, INLINE, LINK, TASKS, broken, code, commanded, missing, outputs, read, targets  # type: ignore[import-not-found]

from conftest import ROOT, Bake

PROJECT = ROOT / "{{cookiecutter.project_slug}}"
OVERLAYS = PROJECT / "_overlays"
DRAFT = PROJECT / "engine/src/fullstack_ml/draft/templates"
SETTINGS: dict[str, Any] = json.loads(read(ROOT / "cookiecutter.json"))
OTHERS = [language for language in SETTINGS["language"] if language != "en"]
ONLY_ENGLISH = {"data/labels/README.md", "data/rounds/README.md", "engine/README.md"}
# Keys of a contract that people read. A unit may stay, such as ms; who published the data is named as they ask for.
SAID = {"meaning", "definition", "reason", "note", "owner", "method", "who", "when", "follows", "device", "group"}
SAID |= {"users", "decision", "why_now", "functions", "online_target", "outsourcing", "in_scope", "out_of_scope"}
SAID |= {"proxy_metric", "baseline", "kill_criterion", "decides", "does", "reviews", "told"}
SAID |= {"sampling", "collection", "changes", "schedule"}
SEAL = "# nobody has changed this file"  # of the engine, which reads it
LETTERS = {"ko": re.compile(r"[가-힣]")}


def translated(language: str) -> dict[Path, Path]:
    """Return the pages of a language with the English ones that they stand for."""
    pages, samples = OVERLAYS / "language" / language, OVERLAYS / "sample" / language
    found = {page: PROJECT / page.relative_to(pages) for page in pages.rglob("*.md")}
    found |= {page: OVERLAYS / "task" / page.relative_to(samples) for page in samples.rglob("*.md")}
    return {**found, DRAFT / f"annotation-guide.{language}.md.j2": DRAFT / "annotation-guide.md.j2"}


PAIRS = [pair for language in OTHERS for pair in sorted(translated(language).items())]
# Words that a reader of Korean stumbles over: they translate English, and say nothing more.
STIFF = re.compile(
    r"에 대한|에 대해|[을를] 통해|되어지|되어진|함에 있어|에 있어서|로부터의|가지고 있습니다|하는 것이 가능"
)


def commands(text: str) -> list[list[str]]:
    """Return the lines of every code block without comments; those of a picture of folders name them alone."""
    blocks = [re.sub(r"(^|\s+)#[^\n]*", "", block).splitlines() for _, block in FENCE.findall(text)]
    return [[re.split(r"\s{2,}(?=\S*[^\x00-\x7f])|\s{3,}", line)[0].rstrip() for line in block] for block in blocks]


def goals(text: str) -> list[str]:
    """Return what a page links to; an anchor is a heading, which has another name in another language."""
    return sorted(target.partition("#")[0] for target in LINK.findall(FENCE.sub("", text)))


def shown(value: Any) -> str:
    """Name a page as pytest shows it."""
    return "-".join(value.relative_to(PROJECT).parts[-3:])


@pytest.mark.parametrize("language", OTHERS)
def test_every_page_is_translated_or_named_here(language: str) -> None:
    assert (PROJECT / "engine/src/fullstack_ml/pages/catalogues" / f"{language}.yaml").is_file()
    apart = {path for folder in ("language", "sample") for path in (OVERLAYS / folder).rglob("*.md")}
    english, there = set(PROJECT.rglob("*.md")) - apart, set(translated(language).values()) - {*DRAFT.iterdir()}
    assert {path.relative_to(PROJECT).as_posix() for path in english - there} == ONLY_ENGLISH
    assert there <= english


@pytest.mark.parametrize(("page", "english"), PAIRS, ids=shown)
def test_a_translation_has_the_headings_tables_and_links_of_its_page(page: Path, english: Path) -> None:
    texts = read(english), read(page)
    for pattern in (r"^(#+) ", r"^(\|-[-|]*)$", r"^(- \[ \])", r"^(\d+\.) ", r"^(version: .*)$"):
        marks = [re.findall(pattern, FENCE.sub("", text), re.MULTILINE) for text in texts]
        assert marks[0] == marks[1], pattern
    rows = [[row.count("|") for row in text.splitlines() if row.startswith("|")] for text in texts]
    assert rows[0] == rows[1]
    assert goals(texts[1]) == goals(texts[0])


@pytest.mark.parametrize(("page", "english"), PAIRS, ids=shown)
def test_a_translation_has_the_commands_and_names_of_its_page(page: Path, english: Path) -> None:
    texts = read(english), read(page)
    assert commands(texts[1]) == commands(texts[0])
    spans = [re.findall(r"`([^`]+)`", FENCE.sub("", text)) for text in texts]
    names = [{" ".join(name.split()) for name in found} for found in spans]
    assert names[0] == names[1]


def test_what_is_rendered_is_text_to_cookiecutter() -> None:
    """It takes a file for binary whose byte 512 lies within a letter, and copies its braces: move a space before it."""
    rendered = [path for path in OVERLAYS.rglob("*") if path.is_file() and "{{ cookiecutter." in read(path)]
    assert len(rendered) > 20
    assert [shown(path) for path in rendered if is_binary(str(path))] == []


@pytest.mark.parametrize("page", [page for page, _ in PAIRS], ids=shown)
def test_a_page_is_written_as_people_write_in_its_language(page: Path) -> None:
    text = read(page)
    assert [line for line in text.splitlines() if STIFF.search(line)] == []
    prose = INLINE.sub("", FENCE.sub("", text))
    plain = [end for end in re.findall(r"(\w+)\. ", prose) if end.endswith(("한다", "이다", "했다", "된다"))]
    assert plain == [], "a document says 합니다"


def divided(part: Any, key: str = "") -> tuple[Any, list[str]]:
    """Return a contract without what people read, and the texts that they read, in the order of the file."""
    if isinstance(part, dict):
        halves = {name: divided(value, key if key == "schedule" else name) for name, value in part.items()}
        if key == "schedule":  # its keys are texts, but for the day from which the weeks count
            return len(part), [text for name, value in part.items() if name != "start" for text in (name, value)]
        return {name: half for name, (half, _) in halves.items()}, [
            text for _, said in halves.values() for text in said
        ]
    if isinstance(part, list) and key != "decides":
        parts = [divided(one, key) for one in part]
        return [half for half, _ in parts], [text for _, said in parts for text in said]
    return (..., [part]) if key in SAID and isinstance(part, str) else (part, [])


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("language", OTHERS)
def test_a_contract_in_another_language_differs_in_what_people_read_alone(language: str, task: str, bake: Bake) -> None:
    english, other = (read(bake(language=name, task=task) / "product.yaml") for name in ("en", language))
    (decides, told), (same, said) = (divided(yaml.safe_load(text)) for text in (english, other))
    assert len(said) == len(told) > 100
    assert [text for text in said if not LETTERS[language].search(text)] == []
    assert [
        (one, two) for one, two in zip(places(decides), places(same), strict=True) if differ(one, two, language)
    ] == []
    lines = english.splitlines(), other.splitlines()
    assert len(lines[0]) == len(lines[1]) <= 135
    notes = [line.partition("# ")[2] for line in lines[1] if not line.startswith(SEAL)]
    assert [note for note in notes if note and not LETTERS[language].search(note)] == []


def places(part: Any, place: str = "") -> list[tuple[str, Any]]:
    """List what a contract decides by, with its place."""
    named = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else None
    return [(place, part)] if named is None else [leaf for key, one in named for leaf in places(one, f"{place}.{key}")]


def differ(english: tuple[str, Any], other: tuple[str, Any], language: str) -> bool:
    """Tell whether two places differ in more than the language, or a unit that is written in words."""
    if english[0] == other[0] and english[0] == ".service.language":
        return other[1] != language
    worded = english[0].endswith(".unit") and LETTERS[language].search(str(other[1]))
    return english[0] != other[0] or (english[1] != other[1] and not worded)


def laid(project: Path) -> list[Path]:
    """List the pages of a baked project that a language lays."""
    return sorted([project / "README.md", *project.glob("docs/**/*.md")])


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("language", OTHERS)
def test_a_project_in_another_language_names_what_is_there(language: str, task: str, bake: Bake) -> None:
    project = bake(language=language, task=task)
    contract = read(project / "product.yaml")
    assert f"\n  language: {language} " in contract
    assert [link for page in laid(project) for link in broken(page, project, outputs(project))] == []
    found = {page.name: missing(read(page), [project], project) for page in laid(project)}
    assert {name: names for name, names in found.items() if names} == {}
    texts = "\n".join(map(read, laid(project)))
    assert commanded("\n".join(code(texts))) - targets(project) == set()
    assert "{" + "{" not in texts and "{" + "%" not in texts
    labels = yaml.safe_load(contract)["formulation"]["answer"].get("labels", [])
    guide = read(project / "docs/2-data/annotation-guide.md")
    assert [label["name"] for label in labels if f"| `{label['name']}` |" not in guide] == []


@pytest.mark.parametrize("language", OTHERS)
def test_a_part_that_is_left_out_leaves_no_sentence_about_it(language: str, bake: Bake) -> None:
    project = bake(language=language, parts="pipeline")
    assert not (project / "docs/4-deployment/serving.md").exists()
    assert [link for page in laid(project) for link in broken(page, project, outputs(project))] == []
    assert commanded("\n".join(code("\n".join(map(read, laid(project)))))) - targets(project) == set()
