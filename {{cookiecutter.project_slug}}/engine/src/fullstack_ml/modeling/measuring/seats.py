"""What one artefact says of records that it has not seen, and of inputs that it must not answer.

Reads and writes nothing. With folds there are several artefacts, each with its own records.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fullstack_ml.answers import Answer
from fullstack_ml.answers.words import ACCEPT, UNFAMILIAR, Scored
from fullstack_ml.artefact.session import Artefact
from fullstack_ml.inputs import input_of
from fullstack_ml.modeling.measuring.novelty import separation
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.examples import Examples
from fullstack_ml.product.metrics import wilson
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError


@dataclass(frozen=True)
class Judged:
    """The novelty of inputs, and what the product decides about each: accept, uncertain or unfamiliar."""

    novelty: np.ndarray
    words: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[Judged]) -> Judged:
        """Put what several artefacts say behind each other."""
        return cls(np.concatenate([one.novelty for one in parts]), np.concatenate([one.words for one in parts]))

    def against(self, familiar: np.ndarray) -> dict[str, Any]:
        """Say how well novelty tells these from ``familiar`` records, and what becomes of them in the product."""
        became = {"flagged": self.words == UNFAMILIAR, "answered": self.words == ACCEPT}
        shares = {name: float(mask.mean()) for name, mask in became.items()}
        return {"records": len(self.words), **separation(familiar, self.novelty), **shares}


@dataclass(frozen=True)
class Seat:
    """What one artefact says of its records, of made-up ``strange`` inputs and of ``drawn`` ones, by kind, and of what
    is out of scope."""

    scored: Scored
    words: np.ndarray
    table: dict[str, np.ndarray]
    strange: dict[str, Judged]
    drawn: dict[str, Judged]
    unknown: np.ndarray


def one_seat(by: Artefact, part: Examples, outside: np.ndarray, product: Product, config: Config) -> Seat:
    """Score, decide and measure ``part``, and decide about the inputs ``outside`` of the scope."""
    scored = by.score(part.inputs, config.evaluate.batch)
    if not np.isfinite(scored.outputs).all():
        what = f"the artefact gives {by.answer.OUTPUT} that are not finite"
        raise UserError(what, "models/", "look at stage train")
    words = by.decide(scored)
    table = records_table(by.answer, scored.outputs, part.truth, words, by.rule, product, config.evaluate.bins)
    record = input_of(product)
    drawn = record.drawn(part.inputs, product, config.seed) if product.data.drawn else {}
    made = (record.strangers(part.inputs, product, config.seed), drawn)
    strange, foreign = ({name: judged(by, inputs) for name, inputs in kinds.items()} for kinds in made)
    unknown = by.decide(by.score(outside, config.evaluate.batch)) if len(outside) else np.empty(0, dtype=object)
    return Seat(scored, words, table, strange, foreign, unknown)


def judged(by: Artefact, inputs: np.ndarray) -> Judged:
    """Score inputs, and decide about them."""
    scored = by.score(inputs)
    return Judged(scored.novelty, by.decide(scored))


def outside(
    unknown: np.ndarray, drawn: dict[str, Judged], resamples: int, seed: int
) -> tuple[dict[str, np.ndarray], dict[str, list[float]]]:
    """Return what becomes of inputs out of scope, on all and on every resample, and the intervals: ``unknown_detected``
    is the share of the ``unknown`` records that are not answered; ``unknown_answered`` is the share that is answered
    of these records, or of a kind of ``drawn`` inputs where that is higher.
    """
    kinds = [one for one in (unknown, *(made.words for made in drawn.values())) if len(one)]
    counts = {"unknown_detected": (int((unknown != ACCEPT).sum()), len(unknown))} if len(unknown) else {}
    if kinds:
        worst = max(kinds, key=lambda words: float((words == ACCEPT).mean()))
        counts["unknown_answered"] = (int((worst == ACCEPT).sum()), len(worst))
    shares = {
        name: np.concatenate([[hits], np.random.default_rng(seed).binomial(count, hits / count, resamples)]) / count
        for name, (hits, count) in counts.items()
    }
    return shares, {name: wilson(*count) for name, count in counts.items()}


def records_table(
    answer: Answer, outputs: np.ndarray, truth: np.ndarray, words: np.ndarray, rule: Any, product: Product, bins: int
) -> dict[str, np.ndarray]:
    """Return what every record adds to the metrics."""
    answered = words == ACCEPT
    common = {"one": np.ones(len(truth), np.float32), "answered": answered.astype(np.float32)}
    common["silent"] = 1 - common["answered"]
    own = answer.record_columns(outputs, truth, answered, rule, product, bins)
    cost = own.pop("answered_cost") + product.service.error_cost.abstain * (1 - common["answered"])
    return common | own | {"cost": cost}
