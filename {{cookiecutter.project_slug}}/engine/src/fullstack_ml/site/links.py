"""Look over a built site: every link and picture is in it, and nothing on it is loaded from elsewhere.

Reads the pages of the site; writes nothing.
"""

from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser loads by itself, unlike a link that a reader chooses.
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
# Relations of a link that name another page and load nothing.
NAMED = {"next", "prev", "canonical", "alternate"}


class Page(HTMLParser):
    """The places of a page (``ids``), what it links to and what a browser loads for it."""

    def __init__(self, path: Path) -> None:
        """Read the page."""
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names."""
        given = dict(attrs)
        self.ids |= {value for name in ("id", "name") if (value := given.get(name))}
        if tag == "a" and (href := given.get("href")):
            self.links.append(href)
        loads = given.get(LOADED.get(tag, ""))
        if loads and (given.get("rel") or "") not in NAMED:
            self.loads.append(loads)


def broken(site: Path) -> list[str]:
    """List the links that lead nowhere and what would be loaded from elsewhere, each with its page."""
    read = cache(Page)
    found = []
    for path in sorted(site.rglob("*.html")):
        name = path.relative_to(site).as_posix()
        if name == "404.html":  # it is shown at any address, so its links start from the root of a server
            continue
        page = read(path)
        outside = [load for load in page.loads if urlsplit(load).scheme in ("http", "https") or load.startswith("//")]
        found += [f"{name} loads {load}" for load in outside]
        for link in [*page.links, *page.loads]:
            there = urlsplit(link)
            if there.scheme or there.netloc:
                continue
            target = (path.parent / unquote(there.path)).resolve() if there.path else path
            if not target.is_file():
                found.append(f"{name} links to {link}")
            elif there.fragment and target.suffix == ".html" and unquote(there.fragment) not in read(target).ids:
                found.append(f"{name} links to {link}, which has no such place")
    return found
