"""A label at the annotator's screen: the choices of Label Studio, what was chosen, and which records to ask about.

Reads and writes nothing.
"""

from html import escape
from typing import Any
from xml.etree import ElementTree

import numpy as np

from fullstack_ml.answers.words import Words, outside
from fullstack_ml.product.types import Product

# Labels are names: two of them are alike or not.
SCALE = "nominal"
KEYS = "1234567890qwertyuiopasdfghjklzcvbnm"
CANNOT_KEY = "x"


def hotkeys(names: list[str]) -> list[str]:
    """Give every label a key: the label itself where it is one character, else the next free one; none beyond 35."""
    own = {name: name.lower() for name in names if len(name) == 1 and name.lower() in KEYS}
    free = iter([key for key in KEYS if key not in own.values()])
    return [own.get(name) or next(free, "") for name in names]


def asked(product: Product, cannot: str, words: Words) -> list[dict[str, str]]:
    """List the labels with their definitions and keys, the kinds out of scope, and last that there is none to give."""
    known = [(label.name, label.definition) for label in product.formulation.answer.labels]
    told = outside(product.data.kinds, words)
    keys = hotkeys([name for name, _ in known + told])
    rows = [{"name": name, "says": says, "key": key} for (name, says), key in zip(known + told, keys, strict=True)]
    return [*rows, {"name": cannot, "says": words("see the guide for what counts"), "key": CANNOT_KEY}]


def control(product: Product, cannot: str, words: Words) -> str:
    """Return one choice per label, each with its key."""
    header = words("Which label? The key stands behind each.")
    message = words("Choose a label, or: cannot be annotated")
    return choices(asked(product, cannot, words), "single-radio", header, message)


def choices(rows: list[dict[str, str]], choice: str, header: str, message: str) -> str:
    """Return Label Studio's form of ``rows`` as ``asked`` lists them; ``choice``: how many of them may be taken."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Header", size="5", value=header)
    fixed = {"name": "answer", "toName": "record", "choice": choice, "required": "true"}
    form = ElementTree.SubElement(view, "Choices", fixed, requiredMessage=message)
    offer(form, rows)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode")


def offer(form: ElementTree.Element, rows: list[dict[str, str]]) -> None:
    """Add a choice to ``form`` for every one of ``rows``: its name in bold, what it means, its key."""
    for row in rows:
        shown = f"<b>{escape(row['name'], quote=False)}</b>: {escape(row['says'], quote=False)}"
        one = ElementTree.SubElement(form, "Choice", value=row["name"], html=shown)
        if row["key"]:
            one.set("hotkey", row["key"])


def said(result: list[dict[str, Any]]) -> list[str]:
    """Return every label that was chosen."""
    return [name for part in result if part["type"] == "choices" for name in part["value"]["choices"]]


def suggestion(answer: str) -> dict[str, Any]:
    """Return a label as a choice."""
    return {"from_name": "answer", "to_name": "record", "type": "choices", "value": {"choices": [answer]}}


def unsure(outputs: np.ndarray) -> np.ndarray:
    """One minus the distance between the two most probable labels (Scheffer et al. 2001): 1 is a tie."""
    top = np.sort(outputs, axis=1)[:, -2:]
    result: np.ndarray = 1 - (top[:, 1] - top[:, 0])
    return result
