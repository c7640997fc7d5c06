"""Lay the files of the chosen options over the project, drop the parts that were not chosen, note the template.

An option is a name in OPTIONS and a folder `_overlays/<option>/<choice>/` of files at their final paths. Those of a
language, `_overlays/language/<language>/` and `_overlays/sample/<language>/<task>/`, take the place of English ones.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

OPTIONS = ("task", "license")
ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")
OVERLAYS = Path("_overlays")
CACHES = ("__pycache__", ".*_cache", "*.egg-info", ".venv")


def chosen_files() -> dict[Path, Path]:
    """Map every final path to its overlay file; refuse one that would silently hide another file."""
    laid: dict[Path, Path] = {}
    for option in OPTIONS:
        root, choice = OVERLAYS / option, ANSWERS[option]
        choices = sorted(path.name for path in root.iterdir()) if root.is_dir() else []
        if choice not in choices:
            sys.exit(f"{option} is {choice!r}, which has no folder.\nin {root}\nchoose one of {choices}")
        for source in sorted(path for path in (root / choice).rglob("*") if not path.is_dir()):
            target = source.relative_to(root / choice)
            if target in laid or os.path.lexists(target):
                other = laid.get(target, target)
                sys.exit(f"Two files want to be {target}.\n{other} and {source}\nkeep one of them")
            laid[target] = source
    language = ANSWERS.get("language", "en")
    for root in (OVERLAYS / "language" / language, OVERLAYS / "sample" / language / ANSWERS["task"]):
        laid |= {page.relative_to(root): page for page in root.rglob("*") if page.is_file()}
    return laid


NEW = OVERLAYS.is_dir()
if NEW:
    for target, source in chosen_files().items():
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
    shutil.rmtree(OVERLAYS)

# What tools left in a working copy of the template; the engine is copied as it lies there.
for cache in [path for name in CACHES for path in Path("engine").rglob(name)]:
    shutil.rmtree(cache, ignore_errors=True)

# The engine's own code removes parts and seals: it needs nothing but Python, and leaves no bytecode behind.
sys.dont_write_bytecode = True
sys.path.insert(0, "engine/src")

PARTS = ANSWERS.get("parts", "everything")
if PARTS != "everything":
    from fullstack_ml.project import remove

    for part in remove.ANSWERS[PARTS]:
        remove.remove(part, Path())

# Until somebody changes them, a draft from the team's own data may take the place of the sample's files.
if NEW:
    from fullstack_ml.workspace import seal

    seal.seal_files(Path())


def commit_of(folder: str) -> str | None:
    """Return the commit of a clean checkout; None for another folder, or without git."""
    status = ["git", "-C", folder, "status", "--porcelain=v2", "--branch"]
    try:
        lines = subprocess.run(status, capture_output=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return None
    return None if any(not line.startswith(b"#") for line in lines) else lines[0].split()[-1].decode()


# What cruft notes itself, for those who use cookiecutter alone: `make upgrade` needs it. cruft names no folder here.
if (source := ANSWERS.get("_repo_dir")) and (commit := commit_of(source)):
    answers = {name: value for name, value in ANSWERS.items() if name not in ("_output_dir", "_repo_dir", "_checkout")}
    state = {"template": ANSWERS["_template"], "commit": commit, "checkout": None, "context": {"cookiecutter": answers}}
    text = json.dumps({**state, "directory": None}, indent=2, ensure_ascii=False)
    Path(".cruft.json").write_text(text + "\n", encoding="utf-8")
