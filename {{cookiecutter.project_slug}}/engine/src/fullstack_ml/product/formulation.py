"""The ``formulation`` of ``product.yaml`` as types: the service as a machine-learning problem.

``contract.load()`` reads the file.
"""

import math
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

EPOCH = datetime(1970, 1, 1)
LENGTH, LONGEST = 300, 2000  # characters of a short text, where the contract names no length, and at most
MOST_LETTERS = 20_000  # characters of a text that is an input of its own


class Strict(BaseModel):
    """A part of the contract: no unknown key, no change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def as_text(value: Any) -> Any:
    """Return what YAML reads as a number as text; a truth value is left, since YAML reads ``yes`` as one too."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def as_equal(value: Any) -> Any:
    """Return what a slice's column equals as text: a truth value as ``true`` or ``false``."""
    return str(value).lower() if isinstance(value, bool) else as_text(value)


def as_bound(value: Any) -> Any:
    """Return a date of YAML as ISO text, and text that is a number, such as 1e3, as one."""
    if isinstance(value, date):
        return value.isoformat()
    with suppress(TypeError, ValueError):
        return float(value)
    return value


Text = Annotated[str, BeforeValidator(as_text), Field(min_length=1)]
Bound = Annotated[float | str | None, BeforeValidator(as_bound)]


class Feature(Strict):
    """A column of a table: its type, what it may hold, and its meaning.

    ``number`` and ``whole`` have a ``low`` and a ``high``, a ``date`` may have them (ISO text); ``category`` and
    ``ordered`` list their ``values``, a ``flag`` is true or false. ``column`` is the name in the source where it
    differs; ``other`` allows a category values that nobody has listed. A ``text`` has at most ``length`` characters.
    """

    name: str = Field(min_length=1)
    type: Literal["number", "whole", "category", "ordered", "flag", "date", "text"] = "number"
    low: Bound = None
    high: Bound = None
    values: list[Text] = []
    length: Annotated[int, Field(gt=0, le=LONGEST)] | None = None
    unit: str = ""
    meaning: str
    missing: Literal["allowed", "refused"] = "refused"
    other: Literal["allowed", "refused"] = "refused"
    column: Annotated[str, Field(min_length=1)] | None = None

    @property
    def origin(self) -> str:
        """Return the name of the column in the source."""
        return self.column or self.name

    @property
    def ranged(self) -> bool:
        """Whether a value lies between a low and a high."""
        return self.type in ("number", "whole", "date")

    @property
    def longest(self) -> int:
        """Return how many characters a text may have."""
        return self.length or LENGTH

    @property
    def bounds(self) -> tuple[float, float]:
        """Return low and high as numbers, a date in days since 1970; infinite where a date has none."""
        low = -math.inf if self.low is None else place(self.low)
        return low, math.inf if self.high is None else place(self.high)

    @property
    def allowed(self) -> str:
        """Say which values are allowed, in a few words."""
        if self.ranged:
            ends = {"from": self.low, "to": self.high}
            said = " ".join(f"{word} {shown(end)}" for word, end in ends.items() if end is not None) or "any date"
            said += f" {self.unit}" if self.unit else ""
        elif self.type == "text":
            said = f"a text of up to {self.longest} characters"
        else:
            said = "true or false" if self.type == "flag" else ", ".join(self.values)
            said += " or any other text" if self.other == "allowed" else ""
        return said + (", or missing" if self.missing == "allowed" else "")


def shown(bound: float | str | None) -> str:
    """Write a bound."""
    return f"{bound:.15g}" if isinstance(bound, float) else str(bound)


def moment(text: str) -> datetime:
    """Return an ISO date or time as stored: without an offset, in UTC where the text names one.

    Raises:
        ValueError: for another text.
    """
    given = datetime.fromisoformat(text)
    return given.astimezone(UTC).replace(tzinfo=None) if given.tzinfo else given


def place(bound: float | str) -> float:
    """Return a bound as a number, a date in days since 1970-01-01; raise a ``ValueError`` for text that is no date."""
    return (moment(bound) - EPOCH) / timedelta(days=1) if isinstance(bound, str) else bound


Pixels = Annotated[int, Field(gt=0)]
MAX_PIXELS, MAX_VALUES = 50_000_000, 4_096  # a photograph of a phone has 12 to 50 million pixels
BOMB = 89_000_000  # pixels from which Pillow takes a picture for an attack


class Input(Strict):
    """``type`` names a module of seam ``inputs``, such as ``image`` (shape) or ``table`` (features).

    ``shape`` of a picture is height and width, and 3 where it is in colour; ``fit`` and ``ground`` say what becomes of
    another proportion, and what lies below what is transparent (0 black to 255 white). A picture of more than
    ``max_pixels`` is refused; of more than ``max_values`` values squares are averaged for the model. ``invariances``
    are changes that never change the answer.
    A text has at most ``length`` characters, and its runs of letters fall into ``buckets``; ``column`` is its name in a
    table where that is not ``text``.
    ``options`` is for what an input of the product's own needs beside these.
    """

    name: str
    type: str
    meaning: str
    shape: tuple[Pixels, Pixels] | tuple[Pixels, Pixels, Literal[3]] | None = None
    fit: Literal["stretch", "letterbox", "crop"] = "stretch"
    ground: int = Field(255, ge=0, le=255)
    max_pixels: int = Field(MAX_PIXELS, gt=0, le=BOMB)
    max_values: int = Field(MAX_VALUES, ge=16, le=65_536)
    invariances: list[Literal["flip", "crop", "rotation", "colour", "erasing"]] = []
    length: int = Field(LENGTH, gt=0, le=MOST_LETTERS)
    buckets: int = Field(4096, ge=64, le=65_536)
    column: Annotated[str, Field(min_length=1)] | None = None
    features: list[Feature] = []
    options: dict[str, Any] = {}


class Label(Strict):
    """An answer of the model, with a definition that fits on one line.

    ``was`` are names under which earlier labels were given: renamed, or merged where there are several. A name that two
    labels were, or one that is a label still, was split: its records have to be labelled again.
    """

    name: str = Field(min_length=1)
    definition: str
    was: list[Text] = []


class Answer(Strict):
    """``type`` names a module of seam ``answers``, such as ``label`` (one of ``labels`` for a record).

    ``ordered``: the labels are steps, the lowest first, such as mild, moderate, severe.
    ``options`` is for what an answer of the product's own needs beside these.
    """

    type: str
    labels: list[Label] = []
    ordered: bool = False
    options: dict[str, Any] = {}


class Abstain(Strict):
    """When to stay silent: ``coverage`` of the prediction sets, ``false_alarms`` of the novelty score."""

    coverage: float = Field(gt=0.5, lt=1.0)
    false_alarms: float = Field(gt=0.0, lt=0.5)

    @property
    def fewest(self) -> int:
        """Return how many calibration records the rule needs."""
        return least_records(max(self.coverage, 1 - self.false_alarms))


def least_records(level: float) -> int:
    """Return how many calibration records a level needs: the fewest n of which one has the rank (n + 1) level."""
    return math.ceil(level / (1 - level) - 1e-9)


class Formulation(Strict):
    """The service as a machine-learning problem."""

    input: Input
    answer: Answer
    abstain: Abstain | None = None
    in_scope: str
    out_of_scope: str
    proxy_metric: str
    baseline: str
    kill_criterion: str

    @cached_property  # the server asks for every request
    def label_names(self) -> list[str]:
        """Return the label names; their order is the order of the model's probabilities."""
        return [label.name for label in self.answer.labels]

    @property
    def renames(self) -> dict[str, str]:
        """Return what became of names that say enough: those that one label was, and that are none any more."""
        return {name: now[0] for name, now in self.earlier.items() if len(now) == 1}

    @property
    def earlier(self) -> dict[str, list[str]]:
        """Return the names that labels had before, each with what it may be now, itself where it still is one."""
        found: dict[str, list[str]] = {}
        for label in self.answer.labels:
            for name in label.was:
                found.setdefault(name, [name] if name in self.label_names else []).append(label.name)
        return found
