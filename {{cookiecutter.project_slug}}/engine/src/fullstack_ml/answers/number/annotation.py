"""A number at the annotator's screen: a box of Label Studio, what was typed, and which records to ask about.

Reads and writes nothing.
"""

import math
from typing import Any
from xml.etree import ElementTree

import numpy as np

from fullstack_ml.answers.label.annotation import CANNOT_KEY, hotkeys, offer
from fullstack_ml.answers.number.contract import number, options_of, to_text
from fullstack_ml.answers.number.rule import widths
from fullstack_ml.answers.words import Words, outside
from fullstack_ml.product.types import Product

# Two numbers are as far apart as their difference.
SCALE = "interval"


def asked(product: Product, cannot: str, words: Words) -> list[dict[str, str]]:
    """Say what to type, in which unit and range, then the kinds out of scope, and last that there is none to give."""
    given = options_of(product)
    says = words("a number from %(low)s to %(high)s", low=f"{given.low:g}", high=f"{given.high:g}")
    row = {"name": given.unit or words("the number"), "says": says, "key": ""}
    told = outside(product.data.kinds, words)
    keys = hotkeys([name for name, _ in told])
    others = [{"name": name, "says": what, "key": key} for (name, what), key in zip(told, keys, strict=True)]
    return [row, *others, {"name": cannot, "says": words("see the guide for what counts"), "key": CANNOT_KEY}]


def control(product: Product, cannot: str, words: Words) -> str:
    """Return a box for the number, and a choice of what says that there is none."""
    given, (row, *others) = options_of(product), asked(product, cannot, words)
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Header", size="5", value=f"{row['name']}: {row['says']}")
    fixed = {"name": "answer", "toName": "record", "min": f"{given.low:.15g}", "max": f"{given.high:.15g}"}
    ElementTree.SubElement(view, "Number", fixed, step="any")
    form = ElementTree.SubElement(view, "Choices", name="none", toName="record", choice="single-radio")
    offer(form, others)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode")


def said(result: list[dict[str, Any]]) -> list[str]:
    """Return every number that was typed, and every choice."""
    numbers = [to_text(part["value"]["number"]) for part in result if part["type"] == "number"]
    return numbers + [name for part in result if part["type"] == "choices" for name in part["value"]["choices"]]


def suggestion(answer: str) -> dict[str, Any]:
    """Return a number as Label Studio keeps it, or the choice that says that there is none."""
    if math.isnan(number(answer)):
        return {"from_name": "none", "to_name": "record", "type": "choices", "value": {"choices": [answer]}}
    return {"from_name": "answer", "to_name": "record", "type": "number", "value": {"number": float(answer)}}


def unsure(outputs: np.ndarray) -> np.ndarray:
    """The width of the interval: where it is wide a label says most."""
    return widths(outputs).astype(np.float64)
