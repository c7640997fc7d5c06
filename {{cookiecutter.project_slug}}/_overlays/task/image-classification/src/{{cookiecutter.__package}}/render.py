"""A record as a person sees it: a picture.

Reads and writes nothing. The labelling interface and the analysis page show records through these functions.
"""

import base64
import io
from html import escape
from typing import Any

from PIL import Image

from .product import Product

# A picture is enlarged to about SMALL pixels, smoothly, since people read shapes and not pixels, or reduced to LARGE.
SMALL, LARGE = 240, 1024
# On a page with many records a picture is no larger than this.
THUMBNAIL = 256


def picture(payload: bytes, small: int = SMALL, large: int = LARGE) -> str:
    """Return image bytes as a data URI that a browser shows at a size in which a person can judge it."""
    with Image.open(io.BytesIO(payload)) as image:
        mode = "RGBA" if "A" in image.getbands() else "L" if image.mode in ("1", "L") else "RGB"
        shown = image.convert(mode)
    longest = max(shown.size)
    if longest < small:
        factor = max(1, round(small / longest))
        shown = shown.resize((shown.width * factor, shown.height * factor), Image.Resampling.BICUBIC)
    shown.thumbnail((large, large))
    buffer = io.BytesIO()
    shown.save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def fields(record: dict[str, Any], product: Product) -> dict[str, str]:
    """Return what the labelling interface shows of a record, by the name that it has there."""
    return {"image": picture(record["payload"])}


def html(record: dict[str, Any], product: Product) -> str:
    """Return a record as an element of a page."""
    return f'<img src="{picture(record["payload"], 128, THUMBNAIL)}" alt="{escape(product.formulation.input.meaning)}">'
