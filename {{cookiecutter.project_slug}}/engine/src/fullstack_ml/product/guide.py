"""The version of the annotation guide, which stands on every label.

Reads the front matter of ``docs/2-data/annotation-guide.md``; writes nothing. A change that makes earlier labels wrong
raises the major version (the part before the point); stage ``label`` then flags what was labelled before it.
"""

import re
from collections.abc import Sequence

from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.paths import GUIDE


def guide_version() -> str:
    """Return the ``version`` of the guide's front matter, such as ``1.0``.

    Raises:
        UserError: if the guide or its version is missing.
    """
    text = GUIDE.read_text(encoding="utf-8") if GUIDE.exists() else ""
    found = re.match(r"---\n(?:.*\n)*?version: *['\"]?(\d+\.\d+)['\"]? *\n(?:.*\n)*?---\n", text)
    if not found:
        fix = "begin the file with the lines ---, version: 1.0, ---"
        raise UserError("the annotation guide states no version", str(GUIDE), fix)
    return found[1]


def check_labels(names: Sequence[str]) -> None:
    """Refuse a guide that speaks of another product: it names none of the labels.

    Raises:
        UserError: unless it names one of them, or there are no labels.
    """
    text = GUIDE.read_text(encoding="utf-8").replace("\\", "")  # | in a table
    if names and not any(name in text for name in names):
        what = f"the annotation guide names no label of product.yaml: {', '.join(names)}"
        raise UserError(what, str(GUIDE), "say there what makes a record one of each label")


def major(version: str) -> int:
    """Return the part of a guide version that decides whether older labels still count: 2 for ``2.1``."""
    return int(version.split(".")[0])
