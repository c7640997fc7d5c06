"""`make docs`: the documents of a baked project and of the template, and reports, as a site that needs no network."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chromium import Page, barriers, chromium
from conftest import ROOT, Bake

ENGINE = ROOT / "{{cookiecutter.project_slug}}/engine/src"
REPORT = """<!doctype html><html lang="en"><head><title>My Product: analysis of mlp</title></head>
<body><h1>Analysis</h1>
<p>see <a href="changes.html">changes</a></p>
<a href="../docs/provenance.md">from</a><h2 id="worst">Worst errors &amp; more</h2></body></html>"""
RESULTS = r'"(\d+ results|No results|\d+ 건 찾음|결과 없음)"'
# What the search dialog says, by language.
DIALOG = {"en": ("Search", "Close search"), "ko": ("검색", "검색 닫기")}
LANGUAGES = {
    "en": ("1 Requirements", "Reports", "smaller", "/site/3-model/"),
    "ko": ("1 요구사항", "보고서", "라벨", "/site/2-data/"),
}


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run what `make docs` runs, with the tools of this environment."""
    command = [sys.executable, "-m", "fullstack_ml.site", str(Path(sys.executable).with_name("zensical"))]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ENGINE), "PYTHONUTF8": "1"}
    return subprocess.run(
        command,
        cwd=folder,
        env=environment | dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9"),  # nobody answers there
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module", params=LANGUAGES)
def project(request: pytest.FixtureRequest, bake: Bake) -> Path:
    """Bake a project of each language, with a report and a card that names it, and build its site."""
    folder = bake(language=request.param)
    (folder / "reports").mkdir(exist_ok=True)
    (folder / "reports/analysis.html").write_text(REPORT, "utf-8")
    (folder / "docs/3-model/model-card.md").write_text(
        "---\nlicense: mit\n---\n# Card\n\nSee `reports/analysis.html`, [again](../../reports/analysis.html).\n",
        "utf-8",
    )
    done = build(folder)
    assert done.returncode == 0, done.stderr
    assert (
        done.stdout
        == {
            "en": "docs: open site/index.html in a browser\n",
            "ko": "docs: 브라우저에서 site/index.html 파일을 여십시오\n",
        }[request.param]
    )
    return folder


@pytest.fixture
def spoken(project: Path) -> str:
    """Return the language of the project."""
    found = re.search(r"^  language: (\w+)", (project / "product.yaml").read_text("utf-8"), re.MULTILINE)
    return found[1] if found else "en"


def test_every_page_is_in_the_site_and_its_language_is_said(project: Path, spoken: str) -> None:
    for page in project.glob("docs/**/*.md"):
        html = (project / "site" / page.relative_to(project / "docs").with_suffix(".html")).read_text("utf-8")
        assert f'<html lang="{spoken}"' in html, page
    assert (project / "site/readme.html").is_file()


def test_every_page_says_where_the_site_comes_from(project: Path, spoken: str) -> None:
    html = (project / "site/2-data/collection.html").read_text("utf-8")
    assert {"en": "guide version: 1.0", "ko": "가이드 버전: 1.0"}[spoken] in html


def test_the_contents_follow_the_lifecycle(project: Path, spoken: str) -> None:
    html = (project / "site/index.html").read_text("utf-8")
    requirements, reports = LANGUAGES[spoken][:2]
    contents = html[html.index('data-md-component="sidebar"') :]
    links = ["1-requirements/meeting-notes", "2-data/collection", "3-model/research", "4-deployment/release", "reports"]
    places = [contents.index(f"{link}.html") for link in links]
    assert places == sorted(places)
    assert contents.index(requirements) < places[0]
    assert reports in contents


def test_reports_are_pages_of_it_with_a_way_back(project: Path) -> None:
    report = (project / "site/reports/analysis.html").read_text("utf-8")
    assert '<a href="../reports.html">← My Product</a>' in report
    assert '<a href="../provenance.html">from</a>' in report
    assert "see changes</p>" in report, "no link to a page that no stage has written yet"
    assert "<code>make</code>" in (project / "site/provenance.html").read_text("utf-8")
    listed = (project / "site/reports.html").read_text("utf-8")
    assert 'href="reports/analysis.html"' in listed
    assert "Worst errors &amp; more" in listed
    card = (project / "site/3-model/model-card.html").read_text("utf-8")
    assert '<a href="../reports/analysis.html"><code>reports/analysis.html</code></a>' in card
    assert '<a href="../reports/analysis.html">again</a>' in card
    assert "license: mit" not in card


def test_what_the_pipeline_has_not_written_yet_says_so(project: Path) -> None:
    assert "<code>make</code>" in (project / "site/2-data/data-card.html").read_text("utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with chromium() as page:
        yield page


def test_tables_and_korean_words_are_whole_on_a_phone(project: Path, browser: Page) -> None:
    browser.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=True)
    browser.open((project / "site/index.html").as_uri(), "document.querySelector('.md-typeset__scrollwrap')")
    wide, seen, tallest, shade, breaks = browser.run("""
        const box = document.querySelector(".md-typeset__scrollwrap"), rows = [...box.querySelectorAll("tr")];
        const breaks = getComputedStyle(document.querySelector(".md-typeset p")).wordBreak;
        const tallest = Math.max(...rows.map((row) => row.getBoundingClientRect().height));
        return [box.scrollWidth, box.clientWidth, tallest, getComputedStyle(box).backgroundAttachment, breaks];
    """)
    browser.call("Emulation.clearDeviceMetricsOverride")
    assert wide > seen
    assert shade == "local, local, scroll, scroll"
    assert tallest < 100
    assert breaks == {"en": "normal", "ko": "keep-all"}[browser.run("return document.documentElement.lang")]


def found(browser: Page, word: str) -> str:
    """Type a word into the search and return the document once it has results, also what is in shadow roots."""
    browser.run("document.querySelector('.md-search__button').click(); await new Promise(requestAnimationFrame);")
    text = ""
    for turn in range(200):
        if turn % 20 == 0 and not re.search(RESULTS, text):
            browser.call("Input.insertText", text=word)  # the field takes nothing before the index is there
        browser.run("await new Promise((again) => setTimeout(again, 50));")
        text = json.dumps(browser.call("DOM.getDocument", depth=-1, pierce=True), ensure_ascii=False)
        if re.search(r"\.html\?h=", text):
            return text
    raise AssertionError(f"the search finds nothing for {word}")


def test_the_search_finds_pages_from_a_disk_and_asks_nobody_else(project: Path, spoken: str, browser: Page) -> None:
    browser.events.clear()
    browser.open((project / "site/index.html").as_uri(), "document.readyState === 'complete'")
    word, where = LANGUAGES[spoken][2:]
    text = found(browser, word)
    assert where in text
    assert [said for said in DIALOG[spoken] if f'"{said}"' not in text] == []
    assert spoken == "en" or not re.search(r'"(Search|Close search|Search results|\d+ results)"', text)
    asked = [event["request"]["url"] for event in browser.seen("Network.requestWillBeSent")]
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:"))] == []


@pytest.mark.parametrize("name", ["index", "2-data/collection", "4-deployment/serving", "reports"])
def test_nobody_is_shut_out_of_the_site(project: Path, browser: Page, name: str) -> None:
    browser.open((project / f"site/{name}.html").as_uri(), "document.readyState === 'complete'")
    assert barriers(browser) == []


def broken_link(folder: Path) -> None:
    with (folder / "docs/index.md").open("a", encoding="utf-8") as page:
        page.write("\n[gone](nowhere.md)\n")


def broken_place(folder: Path) -> None:
    with (folder / "docs/index.md").open("a", encoding="utf-8") as page:
        page.write("\n[gone](1-requirements/constraints.md#nowhere)\n")


def from_elsewhere(folder: Path) -> None:
    with (folder / "docs/index.md").open("a", encoding="utf-8") as page:
        page.write("\n![a logo](https://example.com/logo.png)\n")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (broken_link, "error: the link 'nowhere.md' leads nowhere\nwhere: docs/index.md\nfix:   "),
        (
            broken_place,
            "index.html links to 1-requirements/constraints.html#nowhere, which has no such place\nwhere: docs",
        ),
        (from_elsewhere, "index.html loads https://example.com/logo.png\nwhere: docs\nfix:   "),
    ],
)
def test_a_link_that_leads_nowhere_stops_it_and_the_old_site_stays(
    spoil: Callable[[Path], None], said: str, bake: Bake
) -> None:
    folder = bake()
    (folder / "site").mkdir()
    (folder / "site/index.html").write_text("old", "utf-8")
    spoil(folder)
    done = build(folder)
    assert done.returncode == 1
    assert said in done.stderr
    assert (folder / "site/index.html").read_text("utf-8") == "old"


def test_the_documents_of_the_template_are_a_site_too(tmp_path: Path) -> None:
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    done = build(tmp_path)
    assert done.returncode == 0, done.stderr
    home = (tmp_path / "site/index.html").read_text("utf-8")
    pages: list[Any] = [home.index(f'href="./{name}.html"') for name in ("1-generate", "2-lifecycle", "3-extend")]
    assert pages == sorted(pages)
    assert (tmp_path / "site/changelog.html").is_file()
