"""Find in an ONNX file what it would read from other files: external data, whatever the order of its fields.

Reads bytes; writes nothing. It needs no onnx library, which a server does not have, and looks at the wire format of
onnx.proto (https://protobuf.dev/programming-guides/encoding): at every tensor of the graph, of graphs inside nodes, of
functions, of sparse tensors and of training steps.
"""

from collections.abc import Iterator

# What a field of a message holds, by its number: the messages in which there may be a tensor.
FIELDS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "training": {1: "graph", 2: "graph"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
EXTERNAL_DATA, DATA_LOCATION = 13, 14  # of a tensor
DEEP = 64  # graphs inside graphs


def external(data: bytes) -> Iterator[str]:
    """Yield what is wrong with every tensor of a model that names another file.

    Raises:
        ValueError: if the bytes are no message.
    """
    # Every entry has the word as its key, so that a large model is looked through only where it is there.
    if b"location" in data:
        yield from _found(memoryview(data), "model", 0)


def _found(message: memoryview, kind: str, depth: int) -> Iterator[str]:
    if depth > DEEP:
        raise ValueError("its graphs are nested too deeply")
    for number, value in _fields(message):
        if kind == "tensor" and number == EXTERNAL_DATA:
            yield "external data"
        elif kind == "tensor" and number == DATA_LOCATION and value:
            yield "data location"
        elif number in FIELDS[kind]:
            if isinstance(value, int):
                raise ValueError(f"field {number} of a {kind} is a number")
            yield from _found(value, FIELDS[kind][number], depth + 1)


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Yield the number and the value of every field; numbers of fixed size are 0."""
    at = 0
    while at < len(message):
        tag, at = _number(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _number(message, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _number(message, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"field {number} is of an unknown form, {wire}")
        if at + size > len(message):
            raise ValueError("it ends in the middle of a field")
        yield number, message[at : at + size] if wire == 2 else 0
        at += size


def _number(message: memoryview, at: int) -> tuple[int, int]:
    """Read a number of variable length; return it and the place behind it."""
    value = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise ValueError("it ends in the middle of a number")
        value |= (message[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if message[at - 1] < 0x80:
            return value, at
