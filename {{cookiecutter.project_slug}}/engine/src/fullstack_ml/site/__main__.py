"""Build ``docs/`` and the reports as one site with a search, which opens from a disk and loads nothing from elsewhere.

Reads ``docs/``, README.md, what they link to and the reports that are pages; writes ``site/`` in one step. The builder,
Zensical, is a program of its own: a path to it is the argument. Run: ``make docs``.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path
from typing import Any

from fullstack_ml.pages.provenance import today
from fullstack_ml.pages.words import language, words
from fullstack_ml.site import dialog, links, pages, places
from fullstack_ml.site.reports import write_reports
from fullstack_ml.workspace.errors import UserError, guard

SITE = Path("site")
SCRIPTS = ("iframe-worker.js", "keyboard.js")
SETTINGS = """\
[project]
site_name = {name}
docs_dir = "docs"
site_dir = "site"
use_directory_urls = false
copyright = {source}
extra_css = ["assets/site.css"]
nav = {nav}

[project.theme]
language = {language}
font = false
features = ["navigation.sections", "navigation.top", "navigation.footer", "search.highlight", "content.code.copy"]

[project.extra]
generator = false
polyfills = {scripts}

[project.plugins.offline]

[project.markdown_extensions]
tables = {{}}
sane_lists = {{}}
"pymdownx.highlight" = {{}}
"pymdownx.superfences" = {{}}

[project.markdown_extensions.toc]
permalink = true

[project.markdown_extensions.toc.slugify]
object = "pymdownx.slugs.slugify"
kwds = {{ case = "lower" }}
"""


def section(folder: str) -> str:
    """Return what a folder of pages is called in the contents."""
    known = {
        "1-requirements": words("1 Requirements"),
        "2-data": words("2 Data"),
        "3-model": words("3 Model"),
        "4-deployment": words("4 Deployment"),
    }
    return known.get(folder, folder)


def contents(listed: list[Path], reports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the contents in the order of the work: single pages and sections, then the reports."""
    found: dict[str, Any] = {}
    for page in listed:
        place = places.place(page)
        if len(place.parts) == 1:
            found[pages.title(page)] = place.as_posix()
        else:
            found.setdefault(section(place.parts[0]), []).append({pages.title(page): place.as_posix()})
    last = [name for name, inside in found.items() if isinstance(inside, str)][1:]  # glossary, README: not the first
    found |= {name: found.pop(name) for name in last}
    listed_reports = [{report["title"]: report["place"]} for report in reports]
    reading = {words("Reports"): [{words("All reports"): places.REPORTS_PAGE.as_posix()}, *listed_reports]}
    return [{name: inside} for name, inside in (found | (reading if reports else {})).items()]


def as_toml(value: Any) -> str:
    """Write texts, lists and tables as TOML in one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{as_toml(key)} = {as_toml(inside)}" for key, inside in value.items()) + " }"
    return "[" + ", ".join(map(as_toml, value)) + "]" if isinstance(value, list) else json.dumps(value)


def source() -> str:
    """Return what stands at the foot of every page: where the site comes from, as HTML."""
    told = [(escape(name), escape(value), escape(link)) for name, value, link in today()]
    return " · ".join(
        f'{name}: <a href="{link}">{value}</a>' if link else f"{name}: {value}" for name, value, link in told
    )


def build(program: str, work: Path) -> Path:
    """Lay everything out in ``work``, build the site there and look it over; return its folder.

    Raises:
        UserError: if the builder stops, or if a link of the site leads nowhere.
    """
    name, laid = pages.title(places.README if places.README.is_file() else places.home()), work / "docs"
    listed = pages.lay(laid)
    reports = write_reports(laid, name)
    (laid / "assets").mkdir(exist_ok=True)
    for asset in (*SCRIPTS, "site.css"):
        shutil.copyfile(Path(__file__).with_name(asset), laid / "assets" / asset)
    ours = [{"path": f"assets/{one}", "type": "text/javascript", "async": False, "defer": False} for one in SCRIPTS]
    told = {
        "name": as_toml(name),
        "nav": as_toml(contents(listed, reports)),
        "language": as_toml(language()),
        "source": as_toml(source()),
        "scripts": as_toml(ours),
    }
    (work / "zensical.toml").write_text(SETTINGS.format(**told), encoding="utf-8")
    done = subprocess.run([program, "build"], cwd=work, capture_output=True, text=True, check=False)
    built = work / "site"
    if done.returncode or not (built / "index.html").is_file():
        said = (done.stderr or done.stdout).strip().splitlines() or ["it says nothing"]
        raise UserError(f"the site was not built: {said[-1]}", program, "rm -r .venv-docs, then make docs")
    dialog.translate(built)
    if found := links.broken(built):
        what = f"the site has {len(found)} link(s) that lead nowhere or load from elsewhere: {'; '.join(found[:5])}"
        raise UserError(what, str(places.DOCS), "correct them on these pages, pictures as files; then make docs")
    return built


def main() -> None:
    """Build the site and put it into its place."""
    program = str(Path(sys.argv[1]).absolute())
    with tempfile.TemporaryDirectory() as folder:
        built = build(program, Path(folder))
        shutil.rmtree(SITE, ignore_errors=True)
        shutil.copytree(built, SITE)
    print(words("docs: open %(page)s in a browser", page=SITE / "index.html"))


if __name__ == "__main__":
    guard(main)
