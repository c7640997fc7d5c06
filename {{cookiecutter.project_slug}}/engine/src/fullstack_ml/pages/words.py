"""The words of pages and printed lines, in the language of the project.

Every text that people read goes through ``words()``, which templates call as ``_()`` or by a block ``trans``. A text is
written in English where it is used, with values as ``%(name)s`` and a percent sign as ``%%``. What a report keeps for a
page is a ``sentence()``, which the page tells by the filter ``told``. Another language is one file,
``catalogues/<language>.yaml``, which maps each English text of the engine to its translation, and a word in
``Service.language``; what a product says itself, such as the meaning of a metric of its own, stays as it is.
Reads ``service.language`` of ``product.yaml``.
"""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from fullstack_ml.workspace.errors import UserError, suggest
from fullstack_ml.workspace.paths import PRODUCT
from fullstack_ml.workspace.sentences import filled

CATALOGUES = Path(__file__).parent / "catalogues"
ENGLISH = "en"


def words(text: str, **values: Any) -> str:
    """Return ``text`` in the project's language, with ``values`` in the places ``%(name)s``.

    Raises:
        UserError: if the project asks for a language that has no catalogue.
    """
    return translated(text) % values


def translated(text: str) -> str:
    """Return ``text`` in the project's language as it stands in the catalogue, without its values."""
    return catalogue(language()).get(text, text)


def told(kept: Any) -> str:
    """Return what a report keeps in the project's language: a sentence, or a text alone, such as one of the product."""
    return filled(translated(kept["text"]), kept, told) if isinstance(kept, dict) else translated(str(kept))


def described(part: Any) -> Any:
    """Return the description of an API, as OpenAPI has it, with its descriptions in the project's language."""
    if isinstance(part, list):
        return [described(one) for one in part]
    if not isinstance(part, dict):
        return part
    return {
        key: translated(value) if key == "description" and isinstance(value, str) else described(value)
        for key, value in part.items()
    }


def language() -> str:
    """Return the language of the project, English where none is chosen."""
    try:
        return _chosen(PRODUCT.stat().st_mtime_ns, str(PRODUCT.absolute()))
    except FileNotFoundError:
        return ENGLISH


@cache
def _chosen(changed: int, path: str) -> str:  # a contract that was ``changed`` is read again
    contract = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    return str(contract.get("service", {}).get("language", ENGLISH))


@cache
def catalogue(name: str) -> dict[str, str]:
    """Return the translations of a language by English text.

    Raises:
        UserError: if there is no such language.
    """
    path = CATALOGUES / f"{name}.yaml"
    if name == ENGLISH:
        return {}
    if not path.exists():
        names = [ENGLISH, *(file.stem for file in CATALOGUES.glob("*.yaml"))]
        raise UserError(f"there is no language {name!r}", f"{PRODUCT}, service.language", suggest(name, names))
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))
