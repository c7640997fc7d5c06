"""From a text to numbers: its letters for the graph, and in the graph the weights of its runs of letters.

Reads and writes nothing. The graph takes the numbers (code points) of the letters, so that a part of a text can be
taken out of it; ``edge/page/letters.js`` makes the same of what is typed. Every run of one to ``LONGEST`` letters, of
any script and over the blanks between words, falls into one of the contract's ``buckets`` by a hash (Weinberger et al.
2009, Feature Hashing for Large Scale Multitask Learning; Cavnar and Trenkle 1994, N-Gram-Based Text Categorization), so
nothing is learned from the data before the model.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from fullstack_ml.inputs.encoding import Builder

LONGEST = 4  # letters of a run
# Rest of a hash; the square of it fits into 64 bits. The last two spread neighbours over the buckets.
PRIME, BASE, SPREAD, STEP = 2_147_483_647, 1_114_159, 48_271, 40_503
BLANK = 32
# Control characters and the blanks that the normal form leaves.
BLANKS = re.compile("[\x00-\x20\x7f-\xa0\u1680\u2028\u2029\ufeff]+")


def plain(text: str) -> str:
    """Return a text as it is read: in Unicode's normal form NFKC and lower case, with one blank between words."""
    return BLANKS.sub(" ", unicodedata.normalize("NFKC", text).lower()).strip(" ")


def as_letters(texts: Sequence[str | None], length: int) -> np.ndarray:
    """Return int32 (texts, length + 2): the letters of every text between two blanks, then zeros."""
    made = np.zeros((len(texts), length + 2), np.int32)
    for row, text in zip(made, texts, strict=True):
        if text and (known := plain(text)[:length]):
            row[: len(known) + 2] = np.frombuffer(f" {known} ".encode("utf-32-le", "replace"), np.int32)
    return made


def as_text(letters: np.ndarray) -> str:
    """Return the text of one row of ``as_letters``; what is no letter, as in a text that was made up, as a sign."""
    codes = letters[letters != 0].tolist()
    return "".join("\ufffd" if not 0 < code < 0x110000 or 0xD800 <= code < 0xE000 else chr(code) for code in codes)


def number(*values: int) -> np.ndarray:
    """Return whole numbers as a graph takes them."""
    return np.array(values, np.int64)


def cut(graph: Builder, name: str, start: int, end: int) -> str:
    """Return the columns from ``start`` to before ``end``."""
    return graph.add("Slice", name, number(start), number(end), number(1))


def filled(graph: Builder, shape: str, value: float) -> str:
    """Return a tensor of a shape that holds one value."""
    from onnx import numpy_helper

    return graph.add("ConstantOfShape", shape, value=numpy_helper.from_array(np.array([value], np.float32)))


def nodes(given: str, made: str, width: int, buckets: int) -> Builder:
    """Return the nodes from letters, int32 (batch, width), to weights, float32 (batch, buckets), of length 1.

    A bucket weighs the logarithm of one plus the number of runs that fall into it. What lies behind the longest text of
    a batch is cut off first: most texts are much shorter than the longest that is allowed.
    """
    graph = Builder("runs")
    letters = cut_behind(graph, given, width)
    places = buckets_of(graph, letters, buckets)
    records = graph.add("Slice", graph.add("Shape", letters), number(0), number(1))
    empty = filled(graph, graph.add("Concat", records, number(buckets + 1), axis=0), 0.0)
    ones = filled(graph, graph.add("Shape", places), 1.0)
    counts = graph.add("ScatterElements", empty, places, ones, axis=1, reduction="add")
    weights = graph.add("Log", graph.add("Add", cut(graph, counts, 0, buckets), np.array(1, np.float32)))
    norm = graph.add("ReduceL2", weights, number(1), keepdims=1)
    graph.add("Div", weights, graph.add("Max", norm, np.array(1e-6, np.float32)))
    graph.nodes[-1].output[0] = made
    return graph


def cut_behind(graph: Builder, given: str, width: int, fewest: int = 0) -> str:
    """Return letters as int64 without what lies behind the longest text of a batch; ``fewest`` columns are left."""
    from onnx import TensorProto

    padded = graph.add("Cast", given, to=int(TensorProto.INT64))
    there = graph.add("Mul", graph.add("Sign", padded), np.arange(1, width + 1, dtype=np.int64))
    last = graph.add("Max", graph.add("ReduceMax", there, keepdims=0), np.array(fewest, np.int64))
    return graph.add("Slice", padded, number(0), graph.add("Reshape", last, number(1)), number(1))


def letters_nodes(given: str, made: str, width: int) -> Builder:
    """Return the nodes from letters, int32 (batch, width), to the same as float32, up to the longest text of a batch.

    A float32 holds every code point. Three columns are left where there is no letter: a blank, a letter, a blank.
    """
    from onnx import TensorProto

    graph = Builder("letters")
    graph.add("Cast", cut_behind(graph, given, width, 3), to=int(TensorProto.FLOAT))
    graph.nodes[-1].output[0] = made
    return graph


def buckets_of(graph: Builder, letters: str, buckets: int) -> str:
    """Return the bucket of every run of letters; where there is no run, the one behind the last."""
    there = graph.add("Greater", letters, number(0))
    end, hashed, whole, places = np.iinfo(np.int64).max, letters, there, []
    for length in range(1, LONGEST + 1):
        if length > 1:
            before = graph.add("Mul", cut(graph, hashed, 0, -1), number(BASE))
            next_ = cut(graph, letters, length - 1, end)
            hashed = graph.add("Mod", graph.add("Add", before, next_), number(PRIME))
            whole = graph.add("And", cut(graph, whole, 0, -1), cut(graph, there, length - 1, end))
        spread = graph.add("Mul", graph.add("Add", hashed, number(length * STEP)), number(SPREAD))
        bucket = graph.add("Mod", graph.add("Mod", spread, number(PRIME)), number(buckets))
        places.append(graph.add("Where", whole, bucket, number(buckets)))
    return graph.add("Concat", *places, axis=1)
