"""English that stands on a page of another language: runs of words outside of code, commands and names."""

import html
import re
from collections.abc import Iterable
from pathlib import Path

# What is code on a page, or is not read at all.
UNREAD = re.compile(
    r"<(script|style|code|pre|svg)\b.*?</\1>|<!--.*?-->|(?s:```.*?```)|`[^`]*`|\]\([^)]*\)|^---$.*?^---$|</?[a-zA-Z][^<>]*>",
    re.DOTALL | re.MULTILINE,
)
COMMAND = re.compile(r"\bmake [a-z-]+(?: [A-Z]+=\S+)*")
# Three words may be a name, such as that of a licence; the fourth makes it a sentence.
SENTENCE = re.compile(r"(?:[A-Za-z][A-Za-z'-]*[,:;.]?[ \n]+){3,}[A-Za-z][A-Za-z'-]+")


def sentences(page: Path, names: Iterable[str] = ()) -> list[str]:
    """Return the runs of four English words or more on a page of HTML or Markdown, without the ``names`` in them."""
    text = html.unescape(UNREAD.sub(" | ", page.read_text(encoding="utf-8")))
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, "|")
    return [" ".join(found.split()) for found in SENTENCE.findall(COMMAND.sub("|", text))]
