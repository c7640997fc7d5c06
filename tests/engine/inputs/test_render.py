"""A record as a person sees it: large enough to judge, small enough to send, and never markup."""

import base64
import io
from typing import Any

import pytest
from PIL import Image

from fullstack_ml.inputs import pictures, table
from fullstack_ml.product.formulation import Feature


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
@pytest.mark.parametrize(("size", "shown"), [((8, 8), (240, 240)), ((20, 10), (240, 120)), ((3000, 30), (1024, 10))])
def test_a_picture_is_large_enough_to_judge_and_small_enough_to_send(
    size: tuple[int, int], shown: tuple[int, int], mode: str
) -> None:
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, format="PNG")
    kind, content = pictures.picture(buffer.getvalue()).split(",")
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        assert image.size == shown
        assert kind == f"data:image/{str(image.format).lower()};base64"


@pytest.mark.parametrize(("given", "sent"), [("JPEG", "jpeg"), ("PNG", "png"), ("BMP", "jpeg")])
def test_a_picture_of_a_good_size_is_sent_as_it_was_collected(given: str, sent: str) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (300, 200)).save(buffer, format=given)
    kind, content = pictures.picture(buffer.getvalue()).split(",")
    assert kind == f"data:image/{sent};base64"
    assert (base64.b64decode(content) == buffer.getvalue()) is (given != "BMP")


def test_a_large_photograph_stands_upright_when_it_is_made_smaller() -> None:
    stored, exif, buffer = Image.new("L", (1600, 1200), 255), Image.Exif(), io.BytesIO()
    stored.paste(0, (0, 0, 400, 1200))  # the left edge of the file is dark
    exif[0x0112] = 6  # its first row belongs to the right, its first column to the top
    stored.save(buffer, "JPEG", exif=exif)
    with Image.open(io.BytesIO(base64.b64decode(pictures.picture(buffer.getvalue()).split(",")[1]))) as image:
        assert image.height > image.width
        grey = image.convert("L")
        edges = [grey.getpixel((image.width // 2, y)) for y in (5, image.height - 5)]
    assert edges == pytest.approx([0, 255], abs=5)


def known_feature(**values: Any) -> Any:
    """Return a feature of a table."""
    plain: dict[str, Any] = {"name": "mean_radius", "low": 0.0, "high": 40.0, "unit": "um", "meaning": "the mean"}
    return Feature(**plain | values)


def test_a_feature_stands_with_its_value_and_its_place() -> None:
    line = table.line(known_feature(), 12.345)
    for part in ("mean radius", ">12.35<", ">um<", 'min="0" max="40" value="12.345"'):
        assert part in line


def test_a_feature_is_text_and_a_missing_value_is_said() -> None:
    line = table.line(known_feature(meaning='<b>"x"', unit="<i>"), None)
    assert "<i>" not in line
    assert "<b>&quot;" not in line
    assert "&lt;b&gt;&quot;x&quot;" in line
    assert ">missing<" in line


def test_a_transparent_colour_of_a_palette_stays_transparent_on_a_page() -> None:
    image = Image.new("P", (4, 4), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((0, 0), 1)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=bytes([0, 255]))
    with Image.open(io.BytesIO(base64.b64decode(pictures.picture(buffer.getvalue()).split(",")[1]))) as shown:
        seen = shown.convert("RGBA")
    assert seen.getpixel((seen.width - 1, seen.height - 1))[3] == 0  # type: ignore[index]
