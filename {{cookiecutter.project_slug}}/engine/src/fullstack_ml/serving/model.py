"""One version of the model: checked before it is served, then scored in batches.

Reads an ONNX file; writes nothing. Nothing but ONNX is ever loaded.
"""

import hashlib
import json
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fullstack_ml.answers import Answer
from fullstack_ml.answers.words import ACCEPT, Scored
from fullstack_ml.artefact.external import external
from fullstack_ml.artefact.session import NOVELTY, Artefact
from fullstack_ml.product.types import Product
from fullstack_ml.serving.schema import ABSTAIN, ANSWER, NOT_FINITE
from fullstack_ml.workspace.errors import UserError

# Largest difference from an answer that was recorded when the version was made, absolute and relative.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Version:
    """Where a version lies and what the registry says of it."""

    name: str
    version: str
    sha256: str
    file: str
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Scores:
    """One entry per record; ``texts``, ``answers``, ``scores``, ``novelty`` are None where they are not finite.

    ``texts`` are the answers as the log keeps them, ``answers`` and ``scores`` are JSON.
    """

    texts: list[str | None]
    answers: list[Any]
    decisions: list[str]
    reasons: list[str | None]
    scores: list[Any]
    novelty: list[float | None]


class Served:
    """A version that is safe to serve."""

    def __init__(self, version: Version, product: Product, example: np.ndarray) -> None:
        """Load and check ``version``; ``example`` is a legal input of one record.

        Raises:
            UserError: if the file is another one than the registry names, is not self-contained, was made for another
                answer, or does not answer its golden samples as it did when it was made.
        """
        self.version = version
        data = self._verified(Path(version.file))
        self.artefact = Artefact(data)
        self.product = product
        self.answer = self._answer()
        self.rule = self.artefact.rule
        try:
            first = self.artefact.score(example)
        except Exception as error:
            raise self._refused(f"it does not take a record of product.yaml: {error}") from error
        if first.outputs.shape != (1, self.answer.width(product)):
            raise self._refused(f"its {self.artefact.output_name} have the shape {first.outputs.shape}")
        self._check_golden(example.dtype)

    def renamed(self, version: Version) -> "Served":
        """Return the same loaded graph under another version of the same bytes."""
        twin = copy(self)
        twin.version = version
        return twin

    def score(self, inputs: np.ndarray) -> Scores:
        """Score and decide, (records, ...) at once."""
        return self.said(*self.judged(inputs))

    def judged(self, inputs: np.ndarray) -> tuple[Scored, np.ndarray]:
        """Return the outputs of records, and the word of each: why there is no answer, or ``accept``."""
        scored = self.artefact.score(inputs)
        decided = self.artefact.decide(scored)
        ones = np.ones(scored.outputs.shape[1], scored.outputs.dtype)  # a product adds faster than a sum over columns
        decided[~np.isfinite(scored.outputs @ ones + scored.novelty)] = NOT_FINITE
        return scored, decided

    def said(self, scored: Scored, decided: np.ndarray) -> Scores:
        """Say what was judged, record by record."""
        texts: list[Any] = self.answer.text(scored.outputs, self.rule, self.product)
        scores, novelty = self.answer.scores(scored.outputs, self.product), scored.novelty.tolist()
        answers: list[Any] = [self.answer.from_text(text, self.product) for text in texts]
        for i in np.flatnonzero(decided == NOT_FINITE).tolist():
            texts[i], answers[i], scores[i], novelty[i] = None, None, None, None
        reasons = [None if word == ACCEPT else word for word in decided.tolist()]
        return Scores(texts, answers, [ABSTAIN if why else ANSWER for why in reasons], reasons, scores, novelty)

    def _answer(self) -> Answer:
        """Return the answer that version and contract share."""
        kind, wanted = json.loads(self.artefact.metadata["answer"])["type"], self.product.formulation.answer.type
        if kind != wanted:
            raise self._refused(f"its answer is of type {kind}, that of product.yaml is {wanted}")
        for name, value in self.artefact.answer.metadata(self.product).items():
            if self.artefact.metadata.get(name) != value:
                raise self._refused(f"its {name}: {self.artefact.metadata.get(name)}; product.yaml asks for {value}")
        return self.artefact.answer

    def _verified(self, path: Path) -> bytes:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise self._refused(f"{path} cannot be read: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != self.version.sha256:
            raise self._refused(f"{path} has not the SHA-256 that the registry names, {self.version.sha256}")
        try:
            keeps_all = not any(external(data))
        except ValueError as error:
            raise self._refused(f"it is no ONNX model: {error}") from error
        if not keeps_all:
            raise self._refused("it keeps its weights in other files")
        return data

    def _check_golden(self, dtype: np.dtype[Any]) -> None:
        """Compare with the answers that the version gave when it was made (metadata ``golden``)."""
        golden = json.loads(self.artefact.metadata.get("golden", "null"))
        if not golden or not len(golden["inputs"]):
            raise self._refused("it has no golden samples to check it against")
        scored = self.artefact.score(np.asarray(golden["inputs"], dtype=dtype))
        for name, found in ((self.artefact.output_name, scored.outputs), (NOVELTY, scored.novelty)):
            if not np.allclose(found, np.asarray(golden[name]), rtol=TOLERANCE, atol=TOLERANCE):
                raise self._refused(f"a golden sample has other {name} than when the version was made")

    def _refused(self, why: str) -> UserError:
        where = f"{self.version.name} version {self.version.version}"
        return UserError(f"{where} is not served: {why}", where, "register it again, or move the alias back")
