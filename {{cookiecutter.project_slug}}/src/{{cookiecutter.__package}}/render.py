"""A record as a person sees it: a picture, or each feature with its value, unit and place between low and high.

Reads and writes nothing. The labelling interface and the analysis page show records through these functions.
"""

import base64
import io
from html import escape
from typing import Any

from PIL import ExifTags, Image

from .formulation import Feature
from .product import Product

# A picture is enlarged to about SMALL pixels, smoothly, since people read shapes and not pixels, or reduced to LARGE.
SMALL, LARGE = 240, 1024
# On a page with many records it is no larger than this.
THUMBNAIL = 256
BROWSERS = ("PNG", "JPEG", "GIF", "WEBP")  # what is sent as it was collected, unless its size is changed

# Pillow's own function also writes EXIF, and fails where that is damaged.
WAYS = Image.Transpose
TURNS = {2: WAYS.FLIP_LEFT_RIGHT, 3: WAYS.ROTATE_180, 4: WAYS.FLIP_TOP_BOTTOM, 5: WAYS.TRANSPOSE}
TURNS |= {6: WAYS.ROTATE_270, 7: WAYS.TRANSVERSE, 8: WAYS.ROTATE_90}

LINE = (
    '<tr title="{meaning}"><td>{name}</td><td align="right"><b>{value}</b></td><td>{unit}</td>'
    '<td><meter min="{low:g}" max="{high:g}" value="{place:g}"></meter></td></tr>'
)


def upright(image: Image.Image) -> Image.Image:
    """Turn a photograph as its camera was held, which a JPEG says (EXIF 2.3, tag 0x0112) and browsers follow."""
    turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1)) if image.format == "JPEG" else None
    return image if turn is None else image.transpose(turn)


def picture(payload: bytes, small: int = SMALL, large: int = LARGE) -> str:
    """Return image bytes as a data URI that a browser shows at a size in which a person can judge it."""
    with Image.open(io.BytesIO(payload)) as image:
        kind, longest = image.format or "", max(image.size)
        if kind not in BROWSERS or not small <= longest <= large:
            shown = upright(image).convert("RGB" if image.mode not in ("L", "LA", "RGBA") else image.mode)
            factor = (small if longest < small else min(longest, large)) / longest
            size = (max(1, round(shown.width * factor)), max(1, round(shown.height * factor)))
            buffer, kind = io.BytesIO(), "PNG" if shown.mode != "RGB" else "JPEG"
            shown.resize(size, Image.Resampling.BICUBIC).save(buffer, format=kind, quality=92)
            payload = buffer.getvalue()
    return f"data:image/{kind.lower()};base64,{base64.b64encode(payload).decode()}"


def line(feature: Feature, value: float | None) -> str:
    """Return one feature as a line of the table; a missing value is said."""
    return LINE.format(
        meaning=escape(feature.meaning),
        name=escape(feature.name.replace("_", " ")),
        value="missing" if value is None else f"{value:.4g}",
        unit=escape(feature.unit),
        low=feature.low,
        high=feature.high,
        place=feature.low if value is None else value,
    )


def table(record: dict[str, Any], product: Product) -> str:
    """Return a row of a table as HTML."""
    lines = [line(feature, record[feature.name]) for feature in product.formulation.input.features]
    return f"<table><tbody>{''.join(lines)}</tbody></table>"


def fields(record: dict[str, Any], product: Product) -> dict[str, str]:
    """Return what the labelling interface shows of a record, by the name that it has there."""
    if product.formulation.input.type == "image":
        return {"image": picture(record["payload"])}
    return {"row": table(record, product)}


def html(record: dict[str, Any], product: Product) -> str:
    """Return a record as an element of a page with many."""
    if product.formulation.input.type == "image":
        meaning = escape(product.formulation.input.meaning)
        return f'<img src="{picture(record["payload"], 128, THUMBNAIL)}" alt="{meaning}">'
    return table(record, product)
