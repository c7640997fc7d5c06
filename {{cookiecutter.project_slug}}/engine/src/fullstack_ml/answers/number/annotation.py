"""A number at the annotator's screen: a box of Label Studio, what was typed, and which records to ask about."""

from typing import Any
from xml.etree import ElementTree

import numpy as np

from fullstack_ml.answers.number.contract import options_of, to_text
from fullstack_ml.answers.number.rule import widths
from fullstack_ml.answers.words import Words
from fullstack_ml.product.types import Product

# Two numbers are as far apart as their difference.
SCALE = "interval"
CANNOT_KEY = "x"


def asked(product: Product, cannot: str, words: Words) -> list[dict[str, str]]:
    """Say what to type, in which unit and range, and last that there is none to give."""
    given = options_of(product)
    says = words("a number from %(low)s to %(high)s", low=f"{given.low:g}", high=f"{given.high:g}")
    row = {"name": given.unit or words("the number"), "says": says, "key": ""}
    return [row, {"name": cannot, "says": words("see the guide for what counts"), "key": CANNOT_KEY}]


def control(product: Product, cannot: str, words: Words) -> str:
    """Return a box for the number, and a choice for none."""
    given, row = options_of(product), asked(product, cannot, words)[0]
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Header", size="5", value=f"{row['name']}: {row['says']}")
    fixed = {"name": "answer", "toName": "record", "min": f"{given.low:.15g}", "max": f"{given.high:.15g}"}
    ElementTree.SubElement(view, "Number", fixed, step="any")
    choices = ElementTree.SubElement(view, "Choices", name="none", toName="record", choice="single-radio")
    ElementTree.SubElement(choices, "Choice", value=cannot, hotkey=CANNOT_KEY)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode")


def said(result: list[dict[str, Any]]) -> list[str]:
    """Return every number that was typed, and every choice."""
    numbers = [to_text(part["value"]["number"]) for part in result if part["type"] == "number"]
    return numbers + [name for part in result if part["type"] == "choices" for name in part["value"]["choices"]]


def suggestion(answer: str) -> dict[str, Any]:
    """Return a number as Label Studio keeps it."""
    return {"from_name": "answer", "to_name": "record", "type": "number", "value": {"number": float(answer)}}


def unsure(outputs: np.ndarray) -> np.ndarray:
    """The width of the interval: where it is wide a label says most."""
    return widths(outputs).astype(np.float64)
