"""Which files the site holds, and where each of them lies in it.

Reads the names of files, and the links of the first page, which set the order; writes nothing. A page keeps its place
below ``docs/``; a report comes into ``reports/``; a page beside ``docs/`` that is linked, such as README.md, comes with
its name; any other file that is linked is a text in ``files/``.
"""

import re
from pathlib import Path

from fullstack_ml.workspace.errors import UserError

DOCS, README = Path("docs"), Path("README.md")
INDEX, REPORTS_PAGE = Path("index.md"), Path("reports.md")
# Reports that commands leave elsewhere, or whose name says little where all lie together.
RENAMED = {"sweeps/report.html": "reports/sweep.html", ".simulation/story.html": "reports/simulation.html"}
LINK = re.compile(r"(?<!\\)\]\(([^)\s#]+)")
SHOWN = {".png", ".jpg", ".jpeg", ".gif", ".svg", ".html"}


def home() -> Path:
    """Return the page that the site opens with.

    Raises:
        UserError: if there is none.
    """
    found = next((path for path in (DOCS / INDEX, README) if path.is_file()), None)
    if found is None:
        raise UserError("there is no first page", f"{DOCS / INDEX}", "bring it back: git restore docs")
    return found


def reports() -> dict[Path, Path]:
    """Map every report that is a page to its place in the site."""
    found = [*sorted(Path("reports").rglob("*.html")), *(Path(name) for name in RENAMED)]
    return {path: Path(RENAMED.get(path.as_posix(), path)) for path in found if path.is_file()}


def pages() -> list[Path]:
    """List the pages in the order of the work: as ``docs/index.md`` links to them, then the others by name."""
    first = home()
    if first == README:  # it says what it wants to say first; the names of the pages have the order
        return [first, *sorted(DOCS.rglob("*.md"))]
    named = [_from(first, target) for target in LINK.findall(first.read_text(encoding="utf-8"))]
    listed = [path for path in named if path.suffix == ".md" and path.is_file() and DOCS in path.parents]
    readme = [README] if README.is_file() else []
    return list(dict.fromkeys([first, *listed, *sorted(DOCS.rglob("*.md")), *readme]))


def place(path: Path) -> Path:
    """Return where a file of the project lies in the site."""
    if path == home():
        return INDEX
    if path in (found := reports()):
        return found[path]
    if DOCS in path.parents:
        return path.relative_to(DOCS)
    if path.suffix == ".md":
        return Path("-".join(path.with_suffix("").parts).lower() + ".md")
    name = Path("files", *(part.lstrip(".") for part in path.parts))
    return name if path.suffix in SHOWN else name.with_name(name.name + ".txt")


def linked(page: Path, target: str) -> Path | None:
    """Return the file of the project that a link of a page leads to; None for an address and a place on the page."""
    if re.match(r"[a-z][a-z0-9+.-]*:|#|//", target):
        return None
    return _from(page, target.partition("#")[0])


def _from(page: Path, target: str) -> Path:
    parts: list[str] = []
    for part in (page.parent / target).parts:
        if part == ".." and parts:
            parts.pop()
        elif part != ".":
            parts.append(part)
    return Path(*parts)
