"""The ``formulation`` of ``product.yaml`` as types: the service as a machine-learning problem.

``contract.load()`` reads the file.
"""

from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """A part of the contract: no unknown key, no change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Feature(Strict):
    """A column of a table: its legal range and meaning."""

    name: str = Field(min_length=1)
    low: float
    high: float
    unit: str
    meaning: str


class Input(Strict):
    """``type`` names a module of seam ``inputs``, such as ``image`` (shape: height, width) or ``table`` (features).

    ``options`` is for what an input of the product's own needs beside these.
    """

    name: str
    type: str
    meaning: str
    shape: tuple[int, int] | None = None
    features: list[Feature] = []
    options: dict[str, Any] = {}


class Label(Strict):
    """An answer of the model, with a definition that fits on one line."""

    name: str = Field(min_length=1)
    definition: str


class Answer(Strict):
    """``type`` names a module of seam ``answers``, such as ``label`` (one of ``labels`` for a record).

    ``options`` is for what an answer of the product's own needs beside these.
    """

    type: str
    labels: list[Label] = []
    options: dict[str, Any] = {}


class Abstain(Strict):
    """When to stay silent: ``coverage`` of the prediction sets, ``false_alarms`` of the novelty score."""

    coverage: float = Field(gt=0.5, lt=1.0)
    false_alarms: float = Field(gt=0.0, lt=0.5)


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
