"""What an annotator sees: the labelling interface, the instruction, and the data of a task.

Reads nothing but ``product.yaml``'s contract and the templates of this folder; writes nothing.
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from fullstack_ml.annotation.guide_page import guide_text, hard_cases
from fullstack_ml.answers import answer_of
from fullstack_ml.data.label.agreement import CANNOT
from fullstack_ml.inputs import input_of
from fullstack_ml.inputs.pictures import LARGE, SMALL
from fullstack_ml.pages.formats import share
from fullstack_ml.pages.render import html
from fullstack_ml.pages.words import words
from fullstack_ml.product.types import Product

TEMPLATES = Path(__file__).parent / "templates"
PICTURE = re.compile(r'<img src="(data:image/[^"]+)" alt="([^"]*)">')


def interface(product: Product, adjudication: bool = False, hint: bool = False, guide: str = "") -> str:
    """Return the labelling interface as Label Studio's XML.

    ``hint``: with a box for what the model says; ``guide``: HTML that can be opened below the item.
    """
    width = 2 * SMALL if max(product.formulation.input.shape or (1,)) < SMALL else LARGE
    screen = input_of(product).SCREEN.format(width=width)
    control = answer_of(product).control(product, CANNOT, words)
    facts = {"product": product, "control": control, "adjudication": adjudication, "screen": screen}
    guide, drawn = as_styles(guide)
    return html(TEMPLATES, "interface.xml.j2", **facts, hint=hint, width=width, guide=guide, drawn=drawn).strip()


def as_styles(page: str) -> tuple[str, list[str]]:
    """Return a page with places for its pictures, and the pictures: Label Studio takes their addresses out of HTML, and
    leaves those of a style sheet."""
    drawn: list[str] = []

    def place(found: re.Match[str]) -> str:
        drawn.append(found[1])
        return f'<span class="shown-{len(drawn)}" role="img" aria-label="{found[2]}"></span>'

    return PICTURE.sub(place, page), drawn


def guide_shown(product: Product, hidden: Collection[str]) -> str:
    """Return the hard cases that were decided, without the records in ``hidden``, and the text of the guide, as HTML.

    It stands below the item, since Label Studio takes pictures out of its instruction.
    """
    facts = {"cases": hard_cases(product, hidden), "layout": input_of(product).LAYOUT, "text": guide_text(product)}
    return " ".join(html(TEMPLATES, "study.html.j2", **facts).split())


def instruction(product: Product, guide_version: str, hint: bool = False) -> str:
    """Return what an annotator reads before the first item, as HTML."""
    asked = answer_of(product).asked(product, CANNOT, words)
    facts = {"product": product, "asked": asked, "guide_version": guide_version, "hint": hint}
    return html(TEMPLATES, "instruction.html.j2", **facts).strip()


def shown(record: dict[str, Any], product: Product) -> dict[str, str]:
    """Return the data of a record's task; the interface names the same keys."""
    found = {"id": record["id"], **input_of(product).fields(record, product)}
    # Label Studio has its own style sheet: a row of many features has to fit on the screen.
    dense = '<table cellpadding="2" style="font-size: 13px; line-height: 1">'
    return {key: value.replace("<table>", dense, 1) if key == "row" else value for key, value in found.items()}


def model_says(answer: str, certainty: float | None) -> str:
    """Say what the model takes a record for, and how sure it is; nobody should read 100 %."""
    if certainty is None:
        return words("The model says: %(answer)s", answer=answer)
    return words("The model says: %(answer)s (%(share)s sure)", answer=answer, share=share(min(certainty, 0.99), 0))


def suggestion(answer: str, version: str, product: Product, certainty: float | None = None) -> dict[str, Any]:
    """Return a model's answer as Label Studio's prediction."""
    made = {"model_version": version, "result": [answer_of(product).suggestion(answer)]}
    return made if certainty is None else {**made, "score": certainty}
