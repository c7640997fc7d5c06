"""The version of the annotation guide, which stands on every label.

Reads the front matter of ``docs/2-data/annotation-guide.md``; writes nothing. A change that makes earlier labels wrong
raises the major version (the part before the point); stage ``label`` then flags what was labelled before it.
"""

import re
import unicodedata
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
    """Refuse a guide that speaks of another product: it leaves a label out, or defines one that is none.

    Lines that begin with a name in backticks define labels, in a table under ``label``, or in one that defines one of
    them; a guide without such a table names them all somewhere.

    Raises:
        UserError: for the first difference.
    """
    text = unicodedata.normalize("NFC", GUIDE.read_text(encoding="utf-8")).replace("\\", "")  # | in a table
    defined: list[str] = []
    for table in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE) if names else []:
        rows = [name.strip() for _, name in re.findall(r"^\| *(`+)(.+?)\1 *\|", table, re.MULTILINE)]
        if re.match(r"\| *label *\|", table, re.IGNORECASE) or set(rows) & set(names):
            defined += rows
    lacking = [name for name in names if name not in (defined or text)]
    if lacking:
        what = f"the annotation guide does not define {', '.join(lacking)}"
        raise UserError(what, str(GUIDE), "say there what makes a record one of each label of product.yaml")
    strange = [name for name in defined if name not in names]
    if strange:
        what = f"the annotation guide defines {', '.join(strange)}, and product.yaml has no such label"
        raise UserError(what, str(GUIDE), "take its line out, or rewrite the guide for these labels")


def major(version: str) -> int:
    """Return the part of a guide version that decides whether older labels still count: 2 for ``2.1``."""
    return int(version.split(".")[0])
