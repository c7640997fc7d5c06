"""What an annotator sees: the labelling interface, the instruction, and the data of a task.

Reads nothing but ``product.yaml``'s contract and the templates of this folder; writes nothing.
"""

from pathlib import Path
from typing import Any

from fullstack_ml.data.label.agreement import CANNOT
from fullstack_ml.inputs import input_of
from fullstack_ml.inputs.pictures import LARGE, SMALL
from fullstack_ml.pages.render import html
from fullstack_ml.product.types import Product

TEMPLATES = Path(__file__).parent / "templates"
KEYS = "1234567890qwertyuiopasdfghjklzcvbnm"
CANNOT_KEY = "x"


def hotkeys(names: list[str]) -> list[str]:
    """Give every label a key: the label itself where it is one character, else the next free one; none beyond 35."""
    own = {name: name.lower() for name in names if len(name) == 1 and name.lower() in KEYS}
    free = iter([key for key in KEYS if key not in own.values()])
    return [own.get(name) or next(free, "") for name in names]


def labels(product: Product) -> list[dict[str, str]]:
    """List the labels with their definitions and keys, and last the answer that there is none to give."""
    known = product.formulation.answer.labels
    keys = hotkeys([label.name for label in known])
    rows = [{"name": label.name, "says": label.definition, "key": key} for label, key in zip(known, keys, strict=True)]
    return [*rows, {"name": CANNOT, "says": "see the guide for what counts", "key": CANNOT_KEY}]


def interface(product: Product, adjudication: bool = False) -> str:
    """Return the labelling interface as Label Studio's XML."""
    width = SMALL if max(product.formulation.input.shape or (1,)) < SMALL else LARGE
    screen = input_of(product).SCREEN.format(width=width)
    facts = {"product": product, "labels": labels(product), "adjudication": adjudication, "screen": screen}
    return html(TEMPLATES, "interface.xml.j2", **facts).strip()


def instruction(product: Product, guide_version: str) -> str:
    """Return what an annotator reads before the first item, as HTML."""
    facts = {"product": product, "labels": labels(product), "guide_version": guide_version}
    return html(TEMPLATES, "instruction.html.j2", **facts).strip()


def shown(record: dict[str, Any], product: Product) -> dict[str, str]:
    """Return the data of a record's task; the interface names the same keys."""
    found = {"id": record["id"], **input_of(product).fields(record, product)}
    # Label Studio has its own style sheet: a row of many features has to fit on the screen.
    dense = '<table cellpadding="2" style="font-size: 13px; line-height: 1">'
    return {key: value.replace("<table>", dense, 1) if key == "row" else value for key, value in found.items()}


def suggestion(label: str, version: str) -> dict[str, Any]:
    """Return a model's label as Label Studio's prediction."""
    choice = {"from_name": "label", "to_name": "record", "type": "choices", "value": {"choices": [label]}}
    return {"model_version": version, "result": [choice]}
