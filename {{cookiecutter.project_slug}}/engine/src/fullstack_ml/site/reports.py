"""The page of the site that leads to the reports, and says of each what is in it, so that the search finds it.

Reads the reports that are pages; writes ``reports.md`` and the reports' copies, with a way back, for the builder.
"""

import re
from html import escape, unescape
from pathlib import Path
from typing import Any

from fullstack_ml.pages.render import markdown
from fullstack_ml.pages.words import words
from fullstack_ml.site import places
from fullstack_ml.workspace.paths import PROVENANCE_PAGE

TEMPLATES = Path(__file__).parent / "templates"
PART = re.compile(r"<h2[^>]*>(.*?)</h2>", re.DOTALL)
TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)


def about(name: str) -> str:
    """Say what a report answers; nothing of one that is the project's own."""
    known = {
        "analysis": words("How good the model is, where it fails, and which records show it. `make cards` writes it."),
        "changes": words("What is better and what is worse than with the champion. `make register` writes it."),
        "validation": words("Which records are allowed, doubled, missing or strange. `make validate` writes it."),
        "agreement": words("How far the annotators agree, and where not. `make agreement` writes it."),
        "audit": words("How much of the lifecycle is proved, and by what. `make audit` writes it."),
        "lineage": words("Where one answer, version or label comes from. `make lineage ID=…` writes it."),
        "monitoring/report": words("Whether the released model still holds. `make monitor` writes it."),
        "sweep": words("Which models and parameters were tried. `make sweep` writes it."),
        "simulation": words("A month of production, played in a copy of the project. `make simulate` writes it."),
    }
    return known.get(name, "")


def described(path: Path, place: Path, site_name: str) -> dict[str, Any]:
    """Return what the page says of a report: title, parts, what it answers."""
    text = path.read_text(encoding="utf-8")
    found = TITLE.search(text)
    parts = [" ".join(re.sub(r"<[^>]+>", "", part).split()) for part in PART.findall(text)]
    return {
        "title": unescape(found[1]).strip().removeprefix(f"{site_name}: ") if found else place.stem,
        "parts": [unescape(part) for part in parts],
        "place": place.as_posix(),
        "about": about(place.relative_to("reports").with_suffix("").as_posix()),
    }


def write_reports(folder: Path, site_name: str) -> list[dict[str, Any]]:
    """Write the page where there are reports, and give their copies a way back; return what was told of each."""
    told = [described(path, place, site_name) for path, place in places.reports().items()]
    for report in told:
        copy = folder / report["place"]
        up = "../" * (len(Path(report["place"]).parts) - 1)
        back = f'<nav><a href="{up}{places.REPORTS_PAGE.with_suffix(".html")}">← {escape(site_name)}</a></nav>'
        text = copy.read_text(encoding="utf-8").replace(f'="../{PROVENANCE_PAGE}"', '="../provenance.html"')
        if not (copy.parent / "changes.html").exists():  # no model was registered yet
            text = re.sub(r'<a href="changes\.html">(.*?)</a>', r"\1", text)
        before, body, after = re.split(r"(<body[^>]*>)", text, maxsplit=1)
        copy.write_text(f"{before}{body}{back}{after}", encoding="utf-8")
    if told:
        (folder / places.REPORTS_PAGE).write_text(markdown(TEMPLATES, "reports.md.j2", reports=told), encoding="utf-8")
    return told
