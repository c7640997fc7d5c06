"""What an annotator sees: the labelling interface, the instruction, and the data of a task.

Reads nothing but ``product.yaml``'s contract and the templates of this folder; writes nothing.
"""

from pathlib import Path
from typing import Any

from fullstack_ml.answers import answer_of
from fullstack_ml.data.label.agreement import CANNOT
from fullstack_ml.inputs import input_of
from fullstack_ml.inputs.pictures import LARGE, SMALL
from fullstack_ml.pages.render import html
from fullstack_ml.pages.words import words
from fullstack_ml.product.types import Product

TEMPLATES = Path(__file__).parent / "templates"


def interface(product: Product, adjudication: bool = False) -> str:
    """Return the labelling interface as Label Studio's XML."""
    width = SMALL if max(product.formulation.input.shape or (1,)) < SMALL else LARGE
    screen = input_of(product).SCREEN.format(width=width)
    control = answer_of(product).control(product, CANNOT, words)
    facts = {"product": product, "control": control, "adjudication": adjudication, "screen": screen}
    return html(TEMPLATES, "interface.xml.j2", **facts).strip()


def instruction(product: Product, guide_version: str) -> str:
    """Return what an annotator reads before the first item, as HTML."""
    asked = answer_of(product).asked(product, CANNOT, words)
    facts = {"product": product, "asked": asked, "guide_version": guide_version}
    return html(TEMPLATES, "instruction.html.j2", **facts).strip()


def shown(record: dict[str, Any], product: Product) -> dict[str, str]:
    """Return the data of a record's task; the interface names the same keys."""
    found = {"id": record["id"], **input_of(product).fields(record, product)}
    # Label Studio has its own style sheet: a row of many features has to fit on the screen.
    dense = '<table cellpadding="2" style="font-size: 13px; line-height: 1">'
    return {key: value.replace("<table>", dense, 1) if key == "row" else value for key, value in found.items()}


def suggestion(answer: str, version: str, product: Product) -> dict[str, Any]:
    """Return a model's answer as Label Studio's prediction."""
    return {"model_version": version, "result": [answer_of(product).suggestion(answer)]}
