"""Lay the pages out for the builder: their links lead to where each file lies in the site.

Reads ``docs/``, README.md and the files that they link to; writes copies into a folder of the builder.
"""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from fullstack_ml.pages.words import words
from fullstack_ml.site import places
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.paths import CROISSANT, DATA_CARD, MODEL_CARD, PROVENANCE_PAGE, REQUIREMENTS_PAGE

GENERATED = {REQUIREMENTS_PAGE, DATA_CARD, CROISSANT, MODEL_CARD, PROVENANCE_PAGE}

FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
FENCED = re.compile(r"^(```.*?^```[^\n]*$)", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`[^`\n]+`)")
TARGET = re.compile(r"""(\]\(|\bsrc="|\bhref=")([^)"\s]+)""")
RECORD = re.compile(r"!\[([^\]]*)\]\(record:([0-9a-f]+)[^)]*\)")
REPORT = re.compile(r"(?<![\w./`(\[])(reports/[\w/]+\.html)")
HEADING = re.compile(r"^# (.+)$", re.MULTILINE)


def title(page: Path) -> str:
    """Return the heading of a page, without its marks; its name where it has none."""
    text = FENCED.sub("", FRONT.sub("", page.read_text(encoding="utf-8")))
    found = HEADING.search(text)
    return re.sub(r"[`*]", "", found[1]).strip() if found else page.stem


def lay(folder: Path) -> list[Path]:
    """Copy every page and what it links to into ``folder``; return the pages in their order."""
    listed, copied = places.pages(), set(places.reports())
    for page in listed:  # it grows while it is read: a page that is linked comes too

        def take(file: Path, page: Path = page) -> None:
            if not file.is_file():
                _write_missing(folder, file)
            elif file.suffix == ".md" and file not in listed:
                listed.append(file)
            elif file.suffix != ".md":
                copied.add(file)

        _write(folder / places.place(page), rewritten(page, take))
    if places.reports() and not PROVENANCE_PAGE.is_file():  # every report leads to it
        _write_missing(folder, PROVENANCE_PAGE)
    for file in sorted(copied):
        target = folder / places.place(file)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    return listed


def _write_missing(folder: Path, file: Path) -> None:
    said = words("Not written yet: type `make`.")
    text = f"# {file.stem}\n\n{said}\n" if file.suffix == ".md" else json.dumps(said, ensure_ascii=False)
    _write(folder / places.place(file), text)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def rewritten(page: Path, take: Callable[[Path], None]) -> str:
    """Return the text of a page with its links as the site has them; ``take`` gets each file that it links to."""
    reports = {path.as_posix(): place for path, place in places.reports().items()}
    here = places.place(page).parent

    def follow(found: re.Match[str]) -> str:
        file = places.linked(page, found[2])
        if file is None:
            return found[0]
        if not file.is_file() and file not in GENERATED:
            raise _missing(page, found[2])
        take(file)
        anchor = "#" + found[2].partition("#")[2] if "#" in found[2] else ""
        return f"{found[1]}{_to(here, places.place(file))}{anchor}"

    def read(code: str) -> str:
        name = code.strip("`")
        return f"[{code}]({_to(here, reports[name])})" if name in reports else code

    def line(text: str) -> str:
        parts = CODE.split(text)
        linked = [TARGET.sub(follow, RECORD.sub(r"\1 (`\2`)", part)) for part in parts[::2]]
        linked = [REPORT.sub(lambda found: read(found[0]), part) for part in linked]
        # A link around code is a link already.
        inside = [before.endswith("[") for before in parts[::2]]
        codes = [code if within else read(code) for code, within in zip(parts[1::2], inside, strict=False)]
        return "".join(one for pair in zip(linked, [*codes, ""], strict=True) for one in pair)

    parts = FENCED.split(FRONT.sub("", page.read_text(encoding="utf-8")))
    return "".join(part if i % 2 else line(part) for i, part in enumerate(parts))


def _to(here: Path, place: Path) -> str:
    return Path(os.path.relpath(place, here)).as_posix()


def _missing(page: Path, target: str) -> UserError:
    fix = "correct the link; a report that a command writes is there once it ran"
    return UserError(f"the link {target!r} leads nowhere", str(page), fix)
