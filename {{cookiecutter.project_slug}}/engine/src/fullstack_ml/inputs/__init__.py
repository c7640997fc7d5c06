"""Seam *input*: what one record is, from the file that is collected to the field of a request.

``formulation.input.type`` of ``product.yaml`` chooses the module: one of this folder, or
``src/<package>/inputs/<type>.py``. A module fills the protocol ``Input`` with functions of these names. The server uses
it too, so nothing that needs polars or scikit-learn is imported at its top.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from pydantic import BaseModel

from fullstack_ml.product.types import Finding, Product
from fullstack_ml.workspace.seams import find_choice

if TYPE_CHECKING:
    import onnx
    import polars as pl

FEATURES = "features"  # the input of the graph that a backend makes: float32 (records, values)
LETTERS = "letters"  # the same of models that take the letters of a text one by one: their code points, then zeros
# The model's input, the ids of the records, and what the prediction log keeps of each.
Decoded = tuple[np.ndarray, list[str], list[bytes]]
Region = tuple[str, np.ndarray, tuple[Any, ...]]
Omission = tuple[str, Callable[[np.ndarray], np.ndarray]]  # from inputs to inputs, records first


class UnreadableError(ValueError):
    """A record of a request that cannot be read: its ``place`` among the others, the ``field``, what is wrong."""

    def __init__(self, place: int, field: str, detail: str) -> None:
        """Keep the three parts."""
        super().__init__(detail)
        self.place, self.field, self.detail = place, field, detail


class Input(Protocol):
    """What a module of this seam defines. ``frame`` is a table of records, ``product`` the contract."""

    #: Endings of files that hold one record each, lower case; () where a record is a row of a table. What ``columns``
    #: calls text may be both: such a file, or a row of a table.
    FILES: tuple[str, ...]
    #: Content types under which the web gives such a file; () where a record is a row of a table.
    MEDIA: tuple[str, ...]
    #: The tag of Label Studio, named ``record``, that shows what ``fields`` gives; ``{width}`` in pixels.
    SCREEN: str
    #: How a page lays out many records: ``tiles`` beside each other, or ``rows`` below each other.
    LAYOUT: str
    #: Field of a multipart form that carries records as files; None where a form cannot.
    FORM_FIELD: str | None
    #: Files of the browser page, in ``src/<package>/inputs/`` or ``edge/page/``, the one with ``mount`` first; or ().
    PAGE: tuple[str, ...]
    #: Whether all values share one scale, as pixels do: then no value is brought to a spread of its own.
    ALIKE: bool
    #: What ``front`` can give a model; it may be left out, and is ``features`` alone then.
    GIVES: tuple[str, ...]

    def check(self, product: Product) -> Iterator[Finding]:
        """Yield what is wrong with ``formulation.input``: place in the file, what, fix."""

    def slice_columns(self, product: Product) -> list[str]:
        """Name the columns by which ``data.slices`` may select: by bounds, or a feature of values by one of them."""

    def columns(self, product: Product) -> dict[str, pl.DataType]:
        """Return the payload columns of a stored record."""

    def content_id(self, frame: pl.DataFrame, product: Product) -> pl.Series:
        """Return a hex SHA-256 per record, of its content alone: the same record has the same id for ever."""

    def matrix(self, frame: pl.DataFrame, product: Product) -> np.ndarray:
        """Return the model's input, records first."""

    def describe(self, frame: pl.DataFrame, product: Product) -> pl.DataFrame:
        """Add the columns of ``slice_columns`` that the payload does not hold already; empty where it is unreadable."""

    def faults(self, frame: pl.DataFrame, product: Product) -> list[tuple[str, str]]:
        """List (record id, what is wrong) for every payload that the contract does not allow."""

    def fingerprints(self, frame: pl.DataFrame, product: Product) -> pl.Series | None:
        """Return 64 bits per record in which alike ones differ little, null where unreadable; None: there is none."""

    def strangers(self, inputs: np.ndarray, product: Product, seed: int) -> dict[str, np.ndarray]:
        """Make unfamiliar inputs by kind out of familiar ones; ``evaluate`` asks whether novelty tells them apart."""

    def drawn(self, inputs: np.ndarray, product: Product, seed: int) -> dict[str, np.ndarray]:
        """Draw by kind what ``data.drawn`` names, in the form of ``inputs``, which it may use.

        It may be left out, and is None then.
        """

    def shifted(self, frame: pl.DataFrame, product: Product, seed: int) -> pl.DataFrame:
        """Return records, in their payload columns, as they come after something changed that leaves the answers as
        they are: a darker scanner, a feature that is measured otherwise, other words.

        ``make simulate`` sends them. It may be left out, and is None then.
        """

    def regions(self, product: Product, values: np.ndarray | None = None) -> Iterator[Region]:
        """Yield every part of the input, for ``make ablate`` and ``make explain``: its name, its places in
        ``features``, and its index in an input of ``matrix``. The name says what ``values``, an input, hold there.
        Without ``values`` none where records have parts of their own, as the words of a text."""

    def omissions(self, product: Product, values: np.ndarray | None = None) -> Iterator[Omission]:
        """Yield what can be left out of inputs as ``matrix`` gives them, and the function that does so: parts of
        ``values``, one input, of which a server may ask some dozens; without ``values`` what all records share and
        ``regions`` cannot name. None where nothing can be left out."""

    def front(self, model: onnx.ModelProto, product: Product) -> onnx.ModelProto:
        """Put the contract's input in front of a graph whose input is ``features`` (float32, records x values).

        Where ``GIVES`` lists more than that, a graph may take any of these names, or several.
        """

    def planes(self, product: Product) -> tuple[int, int, int] | None:
        """Return channels, height and width where ``features`` are a picture, channel by channel; else None."""

    def random_inputs(self, product: Product, count: int, seed: int) -> np.ndarray:
        """Draw inputs evenly from all that the contract allows, as ``matrix`` would return them."""

    def typical(self, inputs: np.ndarray, product: Product) -> dict[str, Any]:
        """Describe training inputs for the browser page without showing one."""

    def record_type(self, product: Product) -> type[BaseModel]:
        """Return the type of one record of a JSON request."""

    def example(self, product: Product) -> dict[str, Any]:
        """Make a valid record of a JSON request, for the API's description and the server's warm-up."""

    def opened(self, records: list[Any]) -> tuple[int, list[Any]]:
        """Return how many values decoding the records of a request would make, from their headers alone, and what
        ``decoder`` is to go on with; (0, records) where nothing is decoded.

        The server refuses what is over its budget, and decodes what is not small in a thread. Raises
        ``UnreadableError`` for a record.
        """

    def decoder(self, product: Product) -> Callable[[list[Any], float], Decoded]:
        """Return the function that decodes what ``opened`` returned until a moment of ``time.monotonic``.

        It raises ``UnreadableError`` for a record, and ``TimeoutError`` when the moment is over.
        """

    def logged(self, stored: Sequence[bytes], product: Product) -> pl.DataFrame:
        """Return the payload columns of what ``decoder`` gave the log of each record; null where it cannot be read."""

    def fields(self, record: dict[str, Any], product: Product) -> dict[str, str]:
        """Return what the labelling screen shows of a record, by the name that it has there."""

    def html(self, record: dict[str, Any], product: Product) -> str:
        """Return a record as an element of a page that shows many."""

    def draw(self, values: np.ndarray, product: Product) -> str:
        """Draw one input in characters, for a terminal."""


# What stands in for what a module leaves out: only make simulate asks for ``shifted``, a contract with data.drawn for
# ``drawn``.
OPTIONAL: dict[str, Any] = {"GIVES": (FEATURES,), "shifted": None, "drawn": None}
# What a module has to define; find_choice() and make check name what is missing.
DEFINED = (*Input.__annotations__, *vars(Input))
NEEDED = tuple(name for name in DEFINED if not name.startswith("_") and name not in OPTIONAL)


def input_of(product: Product) -> Input:
    """Return the module that knows the product's input.

    Raises:
        UserError: if there is none, or it does not fill the seam.
    """
    chosen: Input = find_choice("inputs", product.formulation.input.type, "product.yaml, formulation.input.type")
    return chosen
