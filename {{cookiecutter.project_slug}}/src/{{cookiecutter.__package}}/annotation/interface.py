"""What an annotator sees: the labelling interface, the instruction, and a record as a picture or a table.

Reads nothing but ``product.yaml``'s contract and the templates of this folder; writes nothing.
"""

import base64
import io
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from ..data.agreement import CANNOT
from ..product import Product

TEMPLATES = Path(__file__).parent / "templates"
# A picture is enlarged to about SMALL pixels, smoothly, since people read shapes and not pixels, or reduced to LARGE.
SMALL, LARGE = 240, 1024
BROWSERS = ("PNG", "JPEG", "GIF", "WEBP")  # what is sent as it was collected, unless its size is changed
KEYS = "1234567890qwertyuiopasdfghjklzcvbnm"
CANNOT_KEY = "x"

environment = Environment(
    loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=True
)


def hotkeys(names: list[str]) -> list[str]:
    """Give every label a key: the label itself where it is one character, else the next free one; none beyond 35."""
    own = {name: name.lower() for name in names if len(name) == 1 and name.lower() in KEYS}
    free = iter([key for key in KEYS if key not in own.values()])
    return [own.get(name) or next(free, "") for name in names]


def labels(product: Product) -> list[dict[str, str]]:
    """List the labels with their definitions and keys, and last the answer that there is none to give."""
    known = product.formulation.labels
    keys = hotkeys([label.name for label in known])
    rows = [{"name": label.name, "says": label.definition, "key": key} for label, key in zip(known, keys, strict=True)]
    return [*rows, {"name": CANNOT, "says": "see the guide for what counts", "key": CANNOT_KEY}]


def interface(product: Product, adjudication: bool = False) -> str:
    """Return the labelling interface as Label Studio's XML."""
    page = environment.get_template("interface.xml.j2")
    width = SMALL if max(product.formulation.input.shape or (1,)) < SMALL else LARGE
    return page.render(product=product, labels=labels(product), adjudication=adjudication, width=width).strip()


def instruction(product: Product, guide_version: str) -> str:
    """Return what an annotator reads before the first item, as HTML."""
    page = environment.get_template("instruction.html.j2")
    return page.render(product=product, labels=labels(product), guide_version=guide_version).strip()


def picture(payload: bytes) -> str:
    """Return image bytes as a data URI that a browser shows at a size in which a person can judge it."""
    with Image.open(io.BytesIO(payload)) as image:
        kind, longest = image.format or "", max(image.size)
        if kind not in BROWSERS or not SMALL <= longest <= LARGE:
            shown = image.convert("RGB" if image.mode not in ("L", "LA", "RGBA") else image.mode)
            factor = (SMALL if longest < SMALL else min(longest, LARGE)) / longest
            size = (max(1, round(shown.width * factor)), max(1, round(shown.height * factor)))
            buffer, kind = io.BytesIO(), "PNG" if shown.mode != "RGB" else "JPEG"
            shown.resize(size, Image.Resampling.BICUBIC).save(buffer, format=kind, quality=92)
            payload = buffer.getvalue()
    return f"data:image/{kind.lower()};base64,{base64.b64encode(payload).decode()}"


def table(record: dict[str, Any], product: Product) -> str:
    """Return a row of a table as HTML: each feature with its value, unit, range and place in that range."""
    rows = [
        {"feature": f, "value": record[f.name], "place": 100 * (record[f.name] - f.low) / (f.high - f.low)}
        for f in product.formulation.input.features
    ]
    return environment.get_template("record.html.j2").render(rows=rows).strip()


def shown(record: dict[str, Any], product: Product) -> dict[str, str]:
    """Return the data of a record's task; the interface names the same keys."""
    if product.formulation.input.type == "image":
        return {"id": record["id"], "image": picture(record["payload"])}
    return {"id": record["id"], "row": table(record, product)}


def suggestion(label: str, version: str) -> dict[str, Any]:
    """Return a model's label as Label Studio's prediction."""
    choice = {"from_name": "label", "to_name": "record", "type": "choices", "value": {"choices": [label]}}
    return {"model_version": version, "result": [choice]}
