"""Input ``image``: pictures in any common format, grey or colour, brought to the contract's shape.

Reads and writes nothing. ``canvas.py`` decodes a picture, ``uploads.py`` says what a request holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from fullstack_ml.inputs import FEATURES, Region, glyphs, pictures, shifts, uploads
from fullstack_ml.inputs.canvas import Canvas, canvas_of, decode
from fullstack_ml.inputs.pictures import THUMBNAIL, picture
from fullstack_ml.product.types import Finding, Product

if TYPE_CHECKING:
    import onnx
    import polars as pl

FILES, MEDIA, SCREEN = pictures.FILES, pictures.MEDIA, pictures.SCREEN
LAYOUT = "tiles"
PAGE: tuple[str, ...] = ("paper.js", "drawing.js", "image.js", "header.js")
FORM_FIELD: str | None = "image"
ALIKE = True
strangers, typical, draw, logged = pictures.strangers, pictures.typical, pictures.draw, pictures.logged
shifted, drawn = shifts.of_pictures, glyphs.drawn
omissions = pictures.omissions
record_type, example, opened, decoder = uploads.record_type, uploads.example, uploads.opened, uploads.decoder
GRID = 4  # an image is cut into GRID x GRID regions


def check(product: Product) -> Iterator[Finding]:
    """Find an image without a shape, or with features."""
    wanted = product.formulation.input
    if wanted.shape is None or wanted.features:
        yield (
            ("formulation", "input"),
            "an image has a shape and no features",
            "give shape: [height, width], or [height, width, 3] for colour",
        )


def slice_columns(product: Product) -> list[str]:
    """Slices may select by ``ink``."""
    return ["ink"]


def columns(product: Product) -> dict[str, pl.DataType]:
    """One column: the image's bytes as collected."""
    import polars as pl

    return {"payload": pl.Binary()}


def content_id(frame: pl.DataFrame, product: Product) -> pl.Series:
    """Name every record by the hex SHA-256 of its image bytes."""
    import polars as pl

    return pl.Series("id", [uploads.identity(payload) for payload in frame["payload"]], dtype=pl.String)


def matrix(frame: pl.DataFrame, product: Product) -> np.ndarray:
    """Return uint8 of shape (records, height, width), colour with channels."""
    return np.stack([decode(payload, canvas_of(product)) for payload in frame["payload"]])


def tried(frame: pl.DataFrame, canvas: Canvas) -> Iterator[np.ndarray | ValueError]:
    """Decode the payloads; in place of one that is unreadable comes the error."""
    for payload in frame["payload"]:
        try:
            yield decode(payload, canvas)
        except ValueError as error:
            yield error


def describe(frame: pl.DataFrame, product: Product) -> pl.DataFrame:
    """Add ``ink``, the mean darkness from 0 (white) to 1 (black); null where unreadable, as ``faults`` reports."""
    import polars as pl

    seen = tried(frame, canvas_of(product))
    ink = [None if isinstance(one, ValueError) else 1.0 - float(one.mean()) / 255.0 for one in seen]
    return frame.with_columns(pl.Series("ink", ink, dtype=pl.Float64))


def faults(frame: pl.DataFrame, product: Product) -> list[tuple[str, str]]:
    """List the payloads that cannot be decoded."""
    seen = zip(frame["id"], tried(frame, canvas_of(product)), strict=True)
    return [(record, str(one)) for record, one in seen if isinstance(one, ValueError)]


def fingerprints(frame: pl.DataFrame, product: Product) -> pl.Series | None:
    """Return the hash of every image (UInt64; null where unreadable)."""
    import polars as pl

    all_ = enumerate(tried(frame, Canvas(32, 32, max_pixels=product.formulation.input.max_pixels)))
    seen = {place: one for place, one in all_ if not isinstance(one, ValueError)}
    hashes = dict(zip(seen, pictures.hashes(np.stack([*seen.values()])), strict=True)) if seen else {}
    return pl.Series("fingerprint", [hashes.get(place) for place in range(len(frame))], dtype=pl.UInt64)


def pooling(canvas: Canvas) -> int:
    """Return the side of the squares of pixels that become one value each, so that at most ``max_values`` are left."""
    side = 1
    while math.ceil(canvas.height / side) * math.ceil(canvas.width / side) * canvas.channels > canvas.max_values:
        side += 1
    return side


def planes(product: Product) -> tuple[int, int, int] | None:
    """Return channels, height and width of what ``front`` makes of a picture."""
    canvas = canvas_of(product)
    height, width = (math.ceil(length / pooling(canvas)) for length in canvas[:2])
    return canvas.channels, height, width


def regions(product: Product, values: np.ndarray | None = None) -> Iterator[Region]:
    """Yield the cells of a grid over the picture."""
    canvas, shape = canvas_of(product), planes(product)
    assert shape is not None
    _, height, width = shape
    places = np.arange(canvas.channels * height * width).reshape(shape)
    whole = [np.array_split(np.arange(length), min(GRID, math.ceil(length / pooling(canvas)))) for length in canvas[:2]]
    for i, rows in enumerate(np.array_split(places, min(GRID, height), axis=1)):
        for j, block in enumerate(np.array_split(rows, min(GRID, width), axis=2)):
            yield f"row {i + 1}, column {j + 1}", block.ravel(), np.ix_(whole[0][i], whole[1][j])


def front(model: onnx.ModelProto, product: Product) -> onnx.ModelProto:
    """Take uint8 pictures, and give the model values from 0 to 1, channel by channel.

    Of a picture with more than ``max_values`` values squares of pixels are averaged: a model that takes pixels one by
    one learns nothing from more, and grows with them.
    """
    from onnx import TensorProto, helper, numpy_helper

    name, canvas = product.formulation.input.name, canvas_of(product)
    side, grey = pooling(canvas), canvas.channels == 1
    nodes = [helper.make_node("Cast", [name], ["picture_levels"], to=TensorProto.FLOAT)]
    nodes += [helper.make_node("Div", ["picture_levels", "picture_white"], ["picture_shares"])]
    # Channels first, as a convolution and a pooling take them; a grey picture gets its one.
    nodes += [helper.make_node("Unsqueeze", ["picture_shares", "picture_channel"], ["picture_planes"])] if grey else []
    nodes += [] if grey else [helper.make_node("Transpose", ["picture_shares"], ["picture_planes"], perm=[0, 3, 1, 2])]
    if side > 1:
        squares = {"kernel_shape": [side, side], "strides": [side, side], "ceil_mode": 1, "count_include_pad": 0}
        nodes += [helper.make_node("AveragePool", ["picture_planes"], ["picture_pooled"], **squares)]
    nodes += [helper.make_node("Flatten", ["picture_pooled" if side > 1 else "picture_planes"], [FEATURES], axis=1)]
    model.graph.initializer.append(numpy_helper.from_array(np.float32(255), "picture_white"))
    if grey:
        model.graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), "picture_channel"))
    for node in reversed(nodes):
        model.graph.node.insert(0, node)
    del model.graph.input[:]
    model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.UINT8, ["batch", *canvas.shape]))
    return model


def random_inputs(product: Product, count: int, seed: int) -> np.ndarray:
    """Draw pictures of noise."""
    return np.random.default_rng(seed).integers(0, 256, (count, *canvas_of(product).shape)).astype(np.uint8)


def fields(record: dict[str, Any], product: Product) -> dict[str, str]:
    """Return the picture as a data URI."""
    return {"image": picture(record["payload"])}


def html(record: dict[str, Any], product: Product) -> str:
    """Return the picture as a thumbnail."""
    meaning = escape(product.formulation.input.meaning)
    return f'<img src="{picture(record["payload"], 128, THUMBNAIL)}" alt="{meaning}">'
