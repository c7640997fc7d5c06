"""Tell in a terminal what was seen, what was written, and what only a person knows.

Reads and writes nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

from fullstack_ml.draft.requirements import LEAST, Size, needed_records
from fullstack_ml.draft.seen import Seen
from fullstack_ml.modeling.study.readiness import Shortfall
from fullstack_ml.pages.words import words
from fullstack_ml.workspace.git import git

WIDEST = 40


def width(text: str) -> int:
    """Return the cells of a terminal that a text takes: a Hangul syllable takes two."""
    return sum(2 if east_asian_width(sign) in "WF" else 1 for sign in text)


def cut(text: str, most: int = WIDEST) -> str:
    """Shorten a text to a width."""
    text = " ".join(text.split())
    if width(text) <= most:
        return text
    while width(text) >= most:
        text = text[:-1]
    return text + "…"


def columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write rows of texts below each other; the last column is not cut."""
    cells = [[cut(cell) for cell in row[:-1]] + [" ".join(row[-1].split())] for row in (head, *rows)]
    widths = [max(width(row[i]) for row in cells) for i in range(len(head))]
    lines = ["  ".join(cell + " " * (w - width(cell)) for cell, w in zip(row, widths, strict=True)) for row in cells]
    return "\n".join("  " + line.rstrip() for line in lines)


def tell(
    seen: Seen, facts: dict[str, Any], size: Size, written: list[Path], removed: list[Path], lacking: list[Shortfall]
) -> str:
    """Return the text that ``make draft`` prints; ``lacking`` is what keeps the labels from a first model."""
    parts = [f"looked at {facts['place']}: {facts['kind']['wanted']} records", *(f"  {note}" for note in seen.notes)]
    parts += [columns(seen.head, seen.table)] if seen.table else []
    shape = facts["input"]["shape"]
    parts += [f"pictures: {' x '.join(map(str, shape))} ({facts['input']['shape_reason']})"] if shape else []
    if seen.labels:
        named = "numbers" if seen.number else "labels"
        parts += [f"{named}: {', '.join(f'{name} {count}' for name, count in list(seen.labels.items())[:12])}"]
    parts += [facts["model_reason"], *([facts["weights_reason"]] if "weights_reason" in facts else [])]
    parts += [
        f"  {row['row']['metric']} {row['row']['operator']} {row['row']['threshold']:g}: {row['why']}"
        for row in facts["requirements"]
    ]
    parts += [f"  {line}" for line in (*facts["unasked"], *facts["times"])]
    parts += [f"abstaining: {facts['abstain'] or 'not yet'}: {facts['abstain_reason']}"]
    if removed:
        parts.append(f"removed what the sample left: {', '.join(map(str, removed))}")
    parts.append(f"wrote {', '.join(map(str, written))}")
    parts.append(words("what only you know (each guess has a comment `# draft:` in product.yaml):"))
    parts += [f"  {i}. {question}" for i, question in enumerate([*seen.questions, *map(words, ALWAYS)], 1)]
    return "\n".join([*parts, *next_steps(seen, facts, size, lacking)])


ALWAYS = (
    "who uses the answer, for which decision, and what a wrong one costs (service)",
    "which thresholds a person would ask for (requirements)",
)


def next_steps(seen: Seen, facts: dict[str, Any], size: Size, lacking: list[Shortfall]) -> list[str]:
    """Say what to type next, and what ``make`` waits for."""
    # Before the first make there is no repository yet, and its first commit takes the draft in.
    keep = ["  git add -A && git commit -m 'Draft the contract'"] if git("rev-parse", "HEAD") else []
    if seen.labels:
        waits = [f"make collects and then waits: {one.what}\n  {one.fix}" for one in lacking]
        return [*waits, "next:", *keep, "  make"]
    wanted, records = needed_records(LEAST, size.calibration), facts["kind"]["wanted"]
    name = "" if facts["named"] else "name the labels in product.yaml and "
    few = f"; here are {records}, and more are wanted" if records < wanted else ""
    return [
        "there are no labels yet. next:",
        f"  {name}say in docs/2-data/annotation-guide.md what makes a record one of each label",
        *keep,
        "  make                                      # collects the records, checks them, and waits for labels",
        f"  make round NAME=pilot-1 N={min(wanted, records, 100)}, make annotate, make labels",
        f"about {wanted} labels make a first model{few}",
    ]
