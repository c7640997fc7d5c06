"""Take a part out of the project that the product does not need; everything else goes on.

Reads and writes the project's files. Asks for a clean work tree, so that ``git restore`` brings all of it back.
Only Python's own library is used, here and in what is imported: generation runs this very file for the answer
``parts``, where nothing is installed.
Run: ``make remove PART=edge``.
"""

import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fullstack_ml.workspace import git
from fullstack_ml.workspace.errors import UserError, guard
from fullstack_ml.workspace.files import write_texts

ENGINE = "engine/src/fullstack_ml"
WIDTH = 120


@dataclass(frozen=True)
class Part:
    """What belongs to a part: files and folders, sections of TOML, a job of the workflow, settings of the environment.

    ``takes`` names the part that cannot be without this one.
    """

    paths: tuple[str, ...]
    groups: tuple[str, ...] = ()
    job: str = ""
    settings: str = ""
    takes: str = ""


SIMULATION = (f"{ENGINE}/simulation", "mk/simulation.mk")  # plays the whole loop, of which each of these is a part
PARTS = {
    "annotation": Part(
        (
            "conf/annotation.yaml",
            "docs/2-data/annotation-tool.md",
            "docs/2-data/annotation-operation.md",
            *SIMULATION,
        ),
        settings="LABEL_STUDIO",
    ),
    "serving": Part(
        (
            "docker",
            "compose.yaml",
            ".dockerignore",
            "mk/image.mk",
            "docs/4-deployment/serving.md",
            "docs/4-deployment/incident.md",
        ),
        groups=("serve", "tracking"),
        job="image",
        settings="SERVE",
        takes="monitoring",
    ),
    "edge": Part(("docs/4-deployment/edge.md",)),
    "monitoring": Part(
        (
            "conf/monitoring.yaml",
            "conf/source/predictions.yaml",
            "docs/4-deployment/monitoring.md",
            "docs/4-deployment/schedule.md",
            ".github/workflows/monitor.yml",
            *(f"docker/{name}" for name in ("monitor.service", "monitor.timer", "grafana-dashboard.json")),
            *SIMULATION,
        )
    ),
}
ANSWERS = {
    "everything": (),
    "service": ("edge",),
    "edge": ("serving",),
    "pipeline": ("serving", "edge"),
}


def places(part: str, root: Path) -> list[Path]:
    """List what is there of a part: its room of the engine, its commands, and what else belongs to it."""
    named = (f"{ENGINE}/{part}", f"mk/{part}.mk", *PARTS[part].paths)
    return [root / name for name in named if (root / name).exists()]


def remove(part: str, root: Path) -> list[str]:
    """Remove ``part`` and what cannot be without it; return what was removed. Nothing is written before all is known.

    Raises:
        UserError: if there is no such part, or it is gone already.
    """
    if part not in PARTS:
        raise UserError(f"there is no part {part!r}", "PART", f"choose one of {', '.join(PARTS)}")
    names = [part, *([PARTS[part].takes] if PARTS[part].takes else [])]
    found = [path for name in names for path in places(name, root)]
    gone = [path for path in found if not set(path.parents) & set(found)]  # what lies in a folder goes with it
    if not gone:
        raise UserError(f"the part {part!r} is not here", f"{ENGINE}/{part}", "nothing is left to remove")
    targets = make_targets(gone) - make_targets([path for path in root.glob("mk/*.mk") if path not in gone])
    dead = [path.relative_to(root).as_posix() for path in gone]
    edits = {page: _without(page.read_text(encoding="utf-8"), page, root, dead, targets) for page in _pages(root, gone)}
    for name in names:
        edits |= _settings(PARTS[name], root, gone, edits)
    write_texts(edits)
    for path in gone:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for folder in {path.parent for path in gone}:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return dead


def make_targets(paths: list[Path]) -> set[str]:
    """Return the targets of make files; other files have none."""
    rules = [
        re.findall(r"^([a-z][a-z0-9_ -]*):(?!=)", path.read_text(encoding="utf-8"), re.M)
        for path in paths
        if path.suffix == ".mk" or path.name == "Makefile"
    ]
    return {target for found in rules for rule in found for target in rule.split()}


def _pages(root: Path, gone: list[Path]) -> list[Path]:
    pages = [*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("data/*/*.md"), root / "engine/README.md"]
    return [page for page in pages if page.exists() and page not in gone]


def _without(text: str, page: Path, root: Path, dead: list[str], targets: set[str]) -> str:
    """Drop the rows, list items and sentences that speak of what is gone."""
    commands = re.compile(rf"\bmake ({'|'.join(sorted(targets) or ['$.'])})(?![\w-])")
    rooms = {name.rsplit("/", 1)[-1] for name in dead if name.startswith(ENGINE)}

    def speaks(line: str) -> bool:
        links = re.findall(r"\]\(([^)#\s]+)", line)
        linked = {(page.parent / link).resolve() for link in links if "://" not in link}
        named = any(f"`{name}" in line for name in dead)
        in_tree = any(re.match(rf"[├└]── {room}/", line) for room in rooms)
        return (
            bool(linked & {(root / name).resolve() for name in dead}) or named or in_tree or bool(commands.search(line))
        )

    blocks, fenced = [], False
    for block in re.split(r"(\n{2,})", text):
        fenced ^= block.count("```") % 2 == 1
        if fenced or "```" in block or not speaks(block):
            lines = block.split("\n") if "```" in block or fenced else None
            blocks.append("\n".join(line for line in lines if not speaks(line)) if lines else block)
        elif re.match(r"\s*(\||[-*] |\d+\. )", block):
            items = re.split(r"\n(?=\||[-*] |\d+\. )", block)
            blocks.append("\n".join(left for item in items if (left := _item(item, speaks))))
        else:
            blocks.append(_sentences(block, speaks))
    parts = "".join(blocks).split("```")
    parts[::2] = [re.sub(r"\n{3,}", "\n\n", part) for part in parts[::2]]  # not in code, which may have two blank lines
    return "```".join(parts).rstrip("\n") + "\n"


def _item(item: str, speaks: Callable[[str], bool]) -> str:
    """Return what stays of a row or list item; of a row's last cell, the parts between semicolons go one by one."""
    first, *more = item.rstrip(" |").split("; ") if item.startswith("|") else [item]
    if speaks(first):
        return ""
    return "; ".join([first, *(part for part in more if not speaks(part))]) + " |" * item.startswith("|")


def _sentences(block: str, speaks: Callable[[str], bool]) -> str:
    kept = [part for part in re.split(r"(?<=[.!?]) (?=[A-Z`\[«가-힣])", " ".join(block.split())) if not speaks(part)]
    lines = [""]
    for word in " ".join(kept).split(" "):
        if len(lines[-1]) + len(word) + 1 > WIDTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def _settings(part: Part, root: Path, gone: list[Path], before: dict[Path, str]) -> dict[Path, str]:
    """Return the other files that name the part, without it: dependency groups, the workflow's job, the environment.

    ``before`` are edits of another part, which are kept.
    """
    edits = {}
    project, workflow, example = root / "pyproject.toml", root / ".github/workflows/main.yml", root / ".env.example"

    def text_of(path: Path) -> str:
        return before.get(path) or path.read_text(encoding="utf-8")

    if part.groups:
        text = text_of(project)
        for group in part.groups:
            text = re.sub(rf"(?m)^#[^\n]*\n{group} = \[(.|\n)*?\]\n", "", text)
            text = re.sub(rf'(default-groups = \[[^\]]*?)(, )?"{group}"', r"\1", text)
        edits[project] = text
    if part.job and workflow.exists():
        edits[workflow] = re.sub(rf"(?m)^  {part.job}:(.*\n)((?:    .*\n|\n)*)", "", text_of(workflow))
    if part.settings and example.exists():
        paragraphs = text_of(example).rstrip("\n").split("\n\n")
        names = [path.name for path in gone if path.suffix == ".yaml"]
        kept = [p for p in paragraphs if f"#{part.settings}_" not in p and not any(name in p for name in names)]
        edits[example] = "\n\n".join(kept) + "\n"
    return edits


def main() -> None:
    """Remove the part that the command line names."""
    part = (sys.argv[1:] or [""])[0]
    if part in PARTS:
        git.check_clean()
    removed = remove(part, Path())
    if PARTS[part].takes:
        print(f"remove: {part}, and {PARTS[part].takes}, which watches it")
    print("\n".join(f"removed: {name}" for name in removed))
    print("next: make check && make test, then git add -A && git commit")


if __name__ == "__main__":
    guard(main)
