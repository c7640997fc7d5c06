"""The pages of every language say the same: headings, commands, names and links, page by page."""

import json
import re
from typing import Any

import pytest
from test_docs import FENCE, INLINE, LINK, TASKS, broken, commanded, missing, outputs, read, targets  # type: ignore[import-not-found]

from conftest import ROOT, Bake

PROJECT = ROOT / "{{cookiecutter.project_slug}}"
SETTINGS: dict[str, Any] = json.loads(read(ROOT / "cookiecutter.json"))
OTHERS = [language for language in SETTINGS["language"] if language != "en"]
# A sample's guide speaks of labels that its product.yaml defines in English.
ONLY_ENGLISH = {"data/labels/README.md", "data/rounds/README.md", "docs/2-data/annotation-guide.md", "engine/README.md"}
ONLY_TRANSLATED = {"docs/glossary.md"}
TRANSLATED = [
    (language, path.relative_to(PROJECT / "_overlays/language" / language).as_posix())
    for language in OTHERS
    for path in sorted((PROJECT / "_overlays/language" / language).rglob("*.md"))
]
PAIRS = [pair for pair in TRANSLATED if pair[1] not in ONLY_TRANSLATED]
# Words that a reader of Korean stumbles over: they translate English, and say nothing more.
STIFF = re.compile(
    r"에 대한|에 대해|[을를] 통해|되어지|되어진|함에 있어|에 있어서|로부터의|가지고 있습니다|하는 것이 가능"
)


def both(language: str, page: str) -> tuple[str, str]:
    """Return the English page and its translation."""
    return read(PROJECT / page), read(PROJECT / "_overlays/language" / language / page)


def commands(text: str) -> list[list[str]]:
    """Return the lines of every code block without comments; those of a picture of folders name them alone."""
    blocks = [re.sub(r"(^|\s+)#[^\n]*", "", block).splitlines() for _, block in FENCE.findall(text)]
    return [[re.split(r"\s{2,}(?=\S*[^\x00-\x7f])|\s{3,}", line)[0].rstrip() for line in block] for block in blocks]


def goals(text: str) -> list[str]:
    """Return what a page links to; an anchor is a heading, which has another name in another language."""
    return sorted(target.partition("#")[0] for target in LINK.findall(FENCE.sub("", text)))


def test_every_page_is_translated_or_named_here() -> None:
    english = {path.relative_to(PROJECT) for path in PROJECT.rglob("*.md") if "_overlays/language" not in str(path)}
    pages = {re.sub(r"^_overlays/task/[^/]+/", "", path.as_posix()) for path in english}
    for language in OTHERS:
        there = {page for of, page in TRANSLATED if of == language}
        assert pages - there == ONLY_ENGLISH
        assert there - pages == ONLY_TRANSLATED


@pytest.mark.parametrize(("language", "page"), PAIRS)
def test_a_translation_has_the_headings_tables_and_links_of_its_page(language: str, page: str) -> None:
    english, other = both(language, page)
    for pattern in (r"^(#+) ", r"^(\|-[-|]*)$", r"^(- \[ \])", r"^(\d+\.) "):
        marks = [re.findall(pattern, FENCE.sub("", text), re.MULTILINE) for text in (english, other)]
        assert marks[0] == marks[1], pattern
    rows = [[row.count("|") for row in text.splitlines() if row.startswith("|")] for text in (english, other)]
    assert rows[0] == rows[1]
    links = goals(other)
    assert [link for link in links if link != "glossary.md"] == goals(english)


@pytest.mark.parametrize(("language", "page"), PAIRS)
def test_a_translation_has_the_commands_and_names_of_its_page(language: str, page: str) -> None:
    english, other = both(language, page)
    assert commands(other) == commands(english)
    names = [
        {" ".join(name.split()) for name in re.findall(r"`([^`]+)`", FENCE.sub("", text))} for text in (english, other)
    ]
    assert names[0] == names[1]


@pytest.mark.parametrize(("language", "page"), TRANSLATED)
def test_a_page_is_written_as_people_write_in_its_language(language: str, page: str) -> None:
    text = read(PROJECT / "_overlays/language" / language / page)
    assert [line for line in text.splitlines() if STIFF.search(line)] == []
    prose = INLINE.sub("", FENCE.sub("", text))
    endings = [end for end in re.findall(r"(\w+)\. ", prose) if re.search("[가-힣]$", end)]
    assert [end for end in endings if end.endswith(("한다", "이다", "했다", "된다"))] == [], "a document says 합니다"


@pytest.mark.parametrize("language", OTHERS)
def test_a_project_in_another_language_names_what_is_there(language: str, bake: Bake) -> None:
    project = bake(language=language, task=TASKS[0])
    later, pages = outputs(project), [project / page for of, page in TRANSLATED if of == language]
    assert f"\n  language: {language} " in read(project / "product.yaml")
    assert [link for page in pages for link in broken(page, project, later)] == []
    assert {
        page.name: missing(read(page), [project], project) for page in pages if missing(read(page), [project], project)
    } == {}
    code = "\n".join("\n".join(INLINE.findall(read(page))) for page in pages)
    assert commanded(code) - targets(project) == set()
    assert not [path for path in pages if "{" + "{" in read(path)]


@pytest.mark.parametrize("language", OTHERS)
def test_a_part_that_is_left_out_leaves_no_sentence_about_it(language: str, bake: Bake) -> None:
    project = bake(language=language, parts="pipeline")
    pages = [path for path in (project / page for of, page in TRANSLATED if of == language) if path.exists()]
    assert not (project / "docs/4-deployment/serving.md").exists()
    assert [link for page in pages for link in broken(page, project, outputs(project))] == []
    assert commanded("\n".join("\n".join(INLINE.findall(read(page))) for page in pages)) - targets(project) == set()
