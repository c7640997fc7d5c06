"""Write what was drafted: the contract, the options of its source, the choices of ``conf/config.yaml``, the guide.

Writes nothing before all of it holds together.
"""

import re
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ruamel.yaml import YAML

from fullstack_ml.answers import label, labels, number
from fullstack_ml.draft.rendering import render
from fullstack_ml.draft.seen import Seen
from fullstack_ml.pages.words import ENGLISH, language
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import write_texts
from fullstack_ml.workspace.paths import CONF, GUIDE, PRODUCT
from fullstack_ml.workspace.seal import is_untouched, sealed


def contract(facts: dict[str, Any]) -> tuple[str, Product]:
    """Return the text of a contract and what it says, as ``make check`` reads it."""
    text = render("product.yaml.j2", facts)
    with TemporaryDirectory() as folder:
        path = Path(folder) / PRODUCT.name
        path.write_text(text, encoding="utf-8")
        return text, load(path)


def check_replaceable(force: bool) -> None:
    """Raise where product.yaml is somebody's work.

    Raises:
        UserError: unless ``force``, or the file is as the template or an earlier draft made it.
    """
    if force or not PRODUCT.exists() or is_untouched(PRODUCT.read_text(encoding="utf-8")):
        return
    fix = "FORCE=1 replaces it (git keeps what is committed); or move it away first"
    raise UserError("product.yaml has been changed since it was made", str(PRODUCT), fix)


def with_options(text: str, options: dict[str, Any]) -> str:
    """Put values into ``options`` of a file of conf/source/, and keep its comments and other keys."""
    round_trip = YAML()
    round_trip.preserve_quotes = True
    round_trip.width = 10_000
    document = round_trip.load(text)
    for key, value in options.items():
        document["options"][key] = value
    # Which the file writes as a word, and the library as nothing.
    round_trip.representer.add_representer(
        type(None), lambda made, _: made.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    written = StringIO()
    round_trip.dump(document, written)
    return written.getvalue()


def with_choices(text: str, choices: dict[str, str]) -> str:
    """Choose modules in the defaults of conf/config.yaml."""
    for group, name in choices.items():
        text = re.sub(rf"(?m)^(  - {group}: ).*$", rf"\g<1>{name}", text)
    return text


def with_value(path: Path, key: str, value: Any) -> dict[Path, str]:
    """Return the text of a file of conf/ with another value of a key, and nothing where it stays as it is."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    changed = re.sub(rf"(?m)^{key}: \w+", f"{key}: {value}", text)
    return {path: changed} if changed != text else {}


def calibration(known: tuple[str, ...], wanted: str) -> dict[Path, str]:
    """Return the text of conf/export.yaml with the calibration ``wanted``; nothing where it names a ``known`` one."""
    path = CONF / "export.yaml"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    chosen = re.search(r"(?m)^calibration: (\w+)", text)
    return {} if chosen and chosen[1] in known else with_value(path, "calibration", wanted)


def write(text: str, facts: dict[str, Any], seen: Seen) -> list[Path]:
    """Write everything and return the paths; ``folds`` of the facts may be None: as the splits have them."""
    path, config = CONF / "source" / f"{seen.source}.yaml", CONF / "config.yaml"
    texts = {PRODUCT: sealed(text), path: with_options(path.read_text(encoding="utf-8"), seen.options)}
    trees, letters = ("boosted_number", "linear") if seen.number else ("boosted", "ngrams")
    model = trees if facts["input"]["features"] else letters if "length" in facts["input"] else None
    choices = {"source": seen.source} | ({"model": model} if model else {})
    texts[config] = with_choices(config.read_text(encoding="utf-8"), choices)
    if chosen := re.search(r"(?m)^  - model: (\S+)", texts[config]):
        texts |= with_value(CONF / "model" / f"{chosen[1]}.yaml", "weights", facts["weights"])
    kind = number if seen.number else labels if seen.answers else label
    texts |= calibration(kind.CALIBRATIONS, facts["calibration"])
    if facts["folds"] is not None:
        texts |= with_value(CONF / "split.yaml", "folds", facts["folds"])
    if not GUIDE.exists() or is_untouched(GUIDE.read_text(encoding="utf-8")):
        guide = "annotation-guide.md.j2" if language() == ENGLISH else f"annotation-guide.{language()}.md.j2"
        texts[GUIDE] = sealed(render(guide, facts), markdown=True)
    write_texts(texts)
    return list(texts)
