"""The last line of a file that nobody has changed yet: the hash of the lines above it.

The template seals its own contract and guide when it generates a project, and ``make draft`` what it writes: while the
seal holds, a draft may replace the file, and ``make clear-sample`` removes the sample's. Needs nothing but Python:
the template's hook reads this file too.
"""

import hashlib
import re
from pathlib import Path

TEXT = "nobody has changed this file yet, so make draft may replace it:"
FILES = ("product.yaml", "docs/2-data/annotation-guide.md")


def digest(text: str) -> str:
    """Return the hash that a seal states."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def sealed(text: str, markdown: bool = False) -> str:
    """Add the seal to a text."""
    body = text.rstrip("\n") + "\n"
    line = f"{TEXT} {digest(body)}"
    return body + (f"\n<!-- {line} -->\n" if markdown else f"# {line}\n")


def is_untouched(text: str) -> bool:
    """Say whether a text is as the template or an earlier draft made it."""
    body, _, last = text.rstrip("\n").rpartition("\n")
    found = re.search(re.escape(TEXT) + r" ([0-9a-f]{32})\b", last)
    return found is not None and found[1] == digest(body.rstrip("\n") + "\n")


def seal_files(root: Path) -> None:
    """Seal the template's own contract and guide in a new project."""
    for path in (root / name for name in FILES):
        if path.exists():
            text = path.read_text(encoding="utf-8")
            path.write_text(sealed(text, path.suffix == ".md"), encoding="utf-8", newline="\n")
