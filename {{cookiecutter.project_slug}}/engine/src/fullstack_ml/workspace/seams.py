"""Find what a product chooses by name: its own module in ``src/<package>/<seam>/``, else the engine's.

Reads ``src/``; writes nothing. A seam is a folder of the engine that holds one module per choice and, in its
``__init__.py``, the protocol that a choice fills. The project's package is the only folder of ``src/``.
"""

import importlib
import importlib.util
import inspect
import re
import sys
import traceback
from functools import cache
from pathlib import Path
from typing import Any

from .errors import UserError, suggest

ENGINE = "fullstack_ml"
SOURCE = Path("src")


def package_name() -> str:
    """Return the name of the project's package, the only folder of ``src/``; the engine's where there is none."""
    packages = [path.parent.name for path in sorted(SOURCE.glob("*/__init__.py"))]
    if len(packages) > 1:
        fix = "keep one package in src/; put the others beside it as modules"
        raise UserError(f"src/ holds {len(packages)} packages: {', '.join(packages)}", str(SOURCE.resolve()), fix)
    return packages[0] if packages else ENGINE


def choices(seam: str) -> list[str]:
    """Name every choice of a seam: of the engine's modules and the product's own, those that hold what it needs."""
    folders = [Path(__file__).parents[1].joinpath(*seam.split(".")), SOURCE / package_name() / seam.rpartition(".")[2]]
    found = {path.stem: path for folder in folders for path in folder.glob("[a-z]*.py")}
    found |= {path.parent.name: path for folder in folders for path in folder.glob("[a-z]*/__init__.py")}
    # Read, not imported: a list of names must not need what every choice needs.
    return sorted(name for name, path in found.items() if _holds(path, _seam(seam).NEEDED))


def find_choice(seam: str, name: str, where: str) -> Any:
    """Import the module that fills ``seam`` under ``name``; what it may leave out is there too, as the seam says.

    Args:
        seam: dotted folder below the engine, such as ``inputs`` or ``data.collect.sources``.
        name: what ``product.yaml`` or ``conf/`` chose.
        where: the file and key that chose it, for the error.

    Raises:
        UserError: if there is no such module, it cannot be imported, or it lacks something that the seam needs.
    """
    own = SOURCE / package_name() / seam.rpartition(".")[2] / f"{name}.py"
    module = _own_module(own) if own.exists() else _engine_module(seam, name, where)
    missing = [word for word in _seam(seam).NEEDED if not hasattr(module, word)]
    if missing:
        place = str(own if own.exists() else inspect.getfile(module))
        raise UserError(
            f"{seam.rpartition('.')[2]} {name!r} lacks {', '.join(missing)}", place, "define what is missing"
        )
    for word, value in vars(_seam(seam)).get("OPTIONAL", {}).items():
        vars(module).setdefault(word, value)  # so that nobody who calls has to know what may be missing
    return module


def find_own(name: str) -> Any:
    """Import ``src/<package>/<name>.py``; None where the product has no such module.

    Raises:
        UserError: if it cannot be imported.
    """
    path = SOURCE / package_name() / f"{name}.py"
    return _own_module(path) if path.exists() else None


def _seam(seam: str) -> Any:
    """Import the folder of a seam: ``NEEDED`` names what a module defines, ``OPTIONAL`` what stands in for the rest."""
    return importlib.import_module(f"{ENGINE}.{seam}")


def _holds(path: Path, needed: tuple[str, ...]) -> bool:
    text = path.read_text(encoding="utf-8")
    given = r"^(?:(?:def|class) {0}\b|[\w, ]*\b{0}\b[^(]*=|from .* import .*\b{0}\b|    {0},)"
    return all(re.search(given.format(word), text, re.MULTILINE) for word in needed)


def _engine_module(seam: str, name: str, where: str) -> Any:
    path = f"{ENGINE}.{seam}.{name}"
    if not name.isidentifier() or importlib.util.find_spec(path) is None:
        kind = seam.rpartition(".")[2]
        fix = f"{suggest(name, choices(seam))}; or write src/{package_name()}/{kind}/{name}.py"
        raise UserError(f"there is no {kind} module {name!r}", where, fix)
    return importlib.import_module(path)


def _own_module(path: Path) -> Any:
    return _imported(".".join(path.with_suffix("").relative_to(SOURCE).parts), path, str(SOURCE.resolve()))


@cache
def _imported(name: str, path: Path, source: str) -> Any:
    if source not in sys.path:
        sys.path.insert(0, source)
    try:
        return importlib.import_module(name)
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename.endswith(path.name)]
        where = f"{path}:{lines[-1]}" if lines else str(path)
        what = f"{path} cannot be imported: {type(error).__name__}: {error}"
        raise UserError(what, where, "mend the module; python -c 'import ...' shows the whole traceback") from error
