"""Lay the files of the chosen options over the project, then drop those that were not chosen.

An option is a name in OPTIONS and a folder `_overlays/<option>/<choice>/` of files at their final paths.
"""

import json
import os
import shutil
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
    return laid


if OVERLAYS.is_dir():
    for target, source in chosen_files().items():
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
    shutil.rmtree(OVERLAYS)

# What tools left in a working copy of the template; the engine is copied as it lies there.
for cache in [path for name in CACHES for path in Path("engine").rglob(name)]:
    shutil.rmtree(cache, ignore_errors=True)
