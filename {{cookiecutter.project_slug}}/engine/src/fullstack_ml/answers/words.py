"""What every answer shares: scores, the three words of a decision, and how a rule and a set of labels are written.

Reads and writes nothing.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

Words = Callable[..., str]  # translates a text that people read, with values by name
Rows = Callable[[], np.ndarray]  # gives what the graph has of some records under the name ``features``
# By name what late labels show beside ``MAIN``: 0 or 1 per record, of the log's ``scores`` and the right answers.
Late = Mapping[str, Callable[[Sequence[Any], Sequence[str]], np.ndarray]]
JOINT, NONE = ";", "none"  # between the labels of a record in a text, and for a record without a label
MARKS = re.compile(r"[;|]")  # what people and files write between labels
ACCEPT, UNFAMILIAR, UNCERTAIN = "accept", "unfamiliar", "uncertain"


def outside(kinds: Iterable[Any], words: Words) -> list[tuple[str, str]]:
    """Return the kinds of the contract that are out of scope, which an annotator may choose, and what each means."""
    return [(kind.name, words("out of scope: %(what)s", what=kind.note)) for kind in kinds if kind.scope == "out"]


@dataclass(frozen=True)
class Scored:
    """``outputs`` float32 (records, values), as the answer defines them; ``novelty`` (records,), larger is stranger."""

    outputs: np.ndarray
    novelty: np.ndarray

    @classmethod
    def joined(cls, parts: "Sequence[Scored]") -> "Scored":
        """Put the scores of several batches behind each other."""
        if len(parts) == 1:
            return parts[0]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("outputs", "novelty")))


@dataclass(frozen=True)
class RuleAsText:
    """How the numbers of a rule to answer or abstain stand in the artefact's metadata, under ``decision``."""

    def to_json(self) -> str:
        """Write the rule."""
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the rule."""
        return cls(**json.loads(text))


def names_in(text: str) -> list[str]:
    """Return the labels that a text names, each once, in its order; none of them for ``none``, or ``[]`` of JSON."""
    parts: list[str] = MARKS.split(text)
    if text.lstrip().startswith("["):
        with suppress(ValueError):
            parts = [str(part) for part in json.loads(text)]
    names = dict.fromkeys(name for part in parts if (name := part.strip()))
    return [] if [name.lower() for name in names] == [NONE] else [*names]
