"""Input ``text``: a message of people, in any script, up to ``length`` characters.

Reads and writes nothing. ``letters.py`` says what becomes of it. A record is a row of a table, in the column ``text``
or the contract's ``column``, or a text file.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from fullstack_ml.inputs import FEATURES, LETTERS, Decoded, Omission, Region, letters, shifts
from fullstack_ml.inputs.omissions import SCRIPTS, of_all, of_one, pieces
from fullstack_ml.product.types import Finding, Product

if TYPE_CHECKING:
    import onnx
    import polars as pl

FILES: tuple[str, ...] = (".txt",)
MEDIA: tuple[str, ...] = ()
SCREEN = '<HyperText name="record" value="$text" inline="true"/>'
LAYOUT = "rows"
PAGE: tuple[str, ...] = ("message.js", "letters.js", "words.js")
FORM_FIELD: str | None = None
ALIKE = True
GIVES: tuple[str, ...] = (FEATURES, LETTERS)
shifted = shifts.of_text

LETTER = r"\p{L}"  # of any script


def check(product: Product) -> Iterator[Finding]:
    """Find a text with a shape or features."""
    wanted = product.formulation.input
    if wanted.shape is not None or wanted.features:
        yield ("formulation", "input"), "a text has neither shape nor features", "leave them out; it may have a length"


def slice_columns(product: Product) -> list[str]:
    """Slices may select by the number of characters, and by the share of the letters that are of a script."""
    return ["length", *SCRIPTS]


def columns(product: Product) -> dict[str, pl.DataType]:
    """One column: the text as collected."""
    import polars as pl

    return {"text": pl.String()}


def identity(text: str) -> str:
    """Name a record by the hex SHA-256 of its text in UTF-8, its letters and their marks put together (NFC)."""
    return hashlib.sha256(unicodedata.normalize("NFC", text).encode()).hexdigest()


def content_id(frame: pl.DataFrame, product: Product) -> pl.Series:
    """Name every record by its text."""
    import polars as pl

    return pl.Series("id", [identity(text or "") for text in frame["text"]], dtype=pl.String)


def matrix(frame: pl.DataFrame, product: Product) -> np.ndarray:
    """Return int32 of shape (records, length + 2)."""
    return letters.as_letters(frame["text"].to_list(), product.formulation.input.length)


def describe(frame: pl.DataFrame, product: Product) -> pl.DataFrame:
    """Add the number of characters, and of each script its share of the letters; null where there are none."""
    import polars as pl

    text, every = pl.col("text"), pl.col("text").str.count_matches(LETTER)
    shares = {name: pl.when(every > 0).then(text.str.count_matches(of) / every) for name, of in SCRIPTS.items()}
    return frame.with_columns(length=text.str.len_chars().cast(pl.Float64), **shares)


def fault(text: str | None, length: int) -> str | None:
    """Say what is wrong with a text."""
    if not text or not letters.plain(text):
        return "it is empty"
    count = len(unicodedata.normalize("NFC", text))
    return f"it has {count} characters, allowed: up to {length}" if count > length else None


def faults(frame: pl.DataFrame, product: Product) -> list[tuple[str, str]]:
    """List the texts that are empty or too long."""
    found = ((row, fault(text, product.formulation.input.length)) for row, text in frame.select("id", "text").rows())
    return [(row, f"the text: {what}") for row, what in found if what]


def fingerprints(frame: pl.DataFrame, product: Product) -> pl.Series | None:
    """Return None: people write the same short message again and again, which is no sign of a copy."""
    return None


def strangers(inputs: np.ndarray, product: Product, seed: int) -> dict[str, np.ndarray]:
    """Return texts as no person writes them, each int32 of the shape of ``inputs``."""
    random, written = np.random.default_rng(seed), inputs > letters.BLANK
    keys = np.array([ord(sign) for sign in "abcdefghijklmnopqrstuvwxyz0123456789"], np.int32)
    last = (inputs != 0).sum(axis=1, keepdims=True)
    places = np.arange(inputs.shape[1])
    shuffled = np.argsort(np.where(places < last, random.random(inputs.shape), 2 + places), axis=1)
    return {
        "letters shuffled": np.take_along_axis(inputs, shuffled, axis=1),
        "keys hit at random": np.where(written, random.choice(keys, inputs.shape), inputs),
        "another script": np.where(written, inputs + 0x1200, inputs),
        "one letter": np.where(written, inputs[:, 1:2], inputs),
    }


def regions(product: Product, values: np.ndarray | None = None) -> Iterator[Region]:
    """Yield the words of one text; texts have no parts that all of them share."""
    if values is None:
        return
    for part in pieces(values):
        yield letters.as_text(values[part]), np.array([], np.int64), (part,)


def omissions(product: Product, values: np.ndarray | None = None) -> Iterator[Omission]:
    """Yield the words of one text, or what all texts share."""
    return of_all(product.formulation.input.length) if values is None else of_one(values)


def front(model: onnx.ModelProto, product: Product) -> onnx.ModelProto:
    """Take int32 letters, and give the model what it takes of them: the weights of their runs, or themselves."""
    from onnx import TensorProto, helper

    wanted = product.formulation.input
    taken = {name for node in model.graph.node for name in node.input}
    width = wanted.length + 2
    made = [letters.nodes(wanted.name, FEATURES, width, wanted.buckets)] if FEATURES in taken else []
    made += [letters.letters_nodes(wanted.name, LETTERS, width)] if LETTERS in taken else []
    for graph in made:
        model.graph.initializer.extend(graph.constants)
        for node in reversed(graph.nodes):
            model.graph.node.insert(0, node)
    del model.graph.input[:]
    size = ["batch", wanted.length + 2]
    model.graph.input.append(helper.make_tensor_value_info(wanted.name, TensorProto.INT32, size))
    return model


def planes(product: Product) -> None:
    """Return None: no picture."""


def random_inputs(product: Product, count: int, seed: int) -> np.ndarray:
    """Draw texts of letters of Korean and English."""
    random, length = np.random.default_rng(seed), product.formulation.input.length
    signs = [chr(code) for code in (*range(0x61, 0x7B), *random.integers(0xAC00, 0xD7A4, 40))] + [" "] * 10
    drawn = ["".join(random.choice(signs, random.integers(1, length + 1))) for _ in range(count)]
    return letters.as_letters(drawn, length)


def typical(inputs: np.ndarray, product: Product) -> dict[str, Any]:
    """Return nothing: a text would show somebody's words."""
    return {}


def record_type(product: Product) -> type[BaseModel]:
    """One field: the text."""
    wanted = product.formulation.input

    def written(text: str) -> str:
        if what := fault(text, wanted.length):
            raise PydanticCustomError("text", "{what}", {"what": what})
        return text

    # Not max_length: letters and their marks, as macOS sends them, count as one.
    bounds: dict[str, Any] = {"minLength": 1, "maxLength": wanted.length}
    limits = Field(strict=True, description=wanted.meaning, json_schema_extra=bounds)

    class Record(BaseModel):
        model_config = ConfigDict(extra="forbid", json_schema_extra={"example": example(product)})

        text: Annotated[str, limits, AfterValidator(written)]

    return Record


def example(product: Product) -> dict[str, Any]:
    """Write a few words."""
    return {"text": "a few words"[: product.formulation.input.length].strip()}


def opened(records: list[Any]) -> tuple[int, list[Any]]:
    """Texts come decoded."""
    return 0, records


def decoder(product: Product) -> Callable[[list[Any], float], Decoded]:
    """Turn the texts of a request into letters."""
    length = product.formulation.input.length

    def decode_all(records: list[Any], until: float = 0.0) -> Decoded:
        texts = [record.text for record in records]
        return letters.as_letters(texts, length), [identity(one) for one in texts], [one.encode() for one in texts]

    return decode_all


def logged(stored: Sequence[bytes], product: Product) -> pl.DataFrame:
    """The log keeps a text in UTF-8."""
    import polars as pl

    return pl.DataFrame({"text": [one.decode() for one in stored]}, schema=columns(product))


def html(record: dict[str, Any], product: Product) -> str:
    """Return the text as it was written, as a block that keeps its lines."""
    look = "white-space: pre-wrap; margin: 0; padding: 0.75rem; overflow-wrap: anywhere"
    return f'<p dir="auto" style="{look}">{escape(record["text"] or "")}</p>'


def fields(record: dict[str, Any], product: Product) -> dict[str, str]:
    """Return the text as a block, in letters that can be read for hours."""
    return {"text": html(record, product).replace("pre-wrap", "pre-wrap; font-size: 1.25rem; line-height: 1.5")}


def draw(values: np.ndarray, product: Product) -> str:
    """Write the text as the model reads it."""
    return f"  {letters.as_text(values).strip()}"
