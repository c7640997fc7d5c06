"""Answer or abstain: the one rule that evaluation, server and edge page apply to a scored record.

Reads and writes nothing; the numbers of the rule stand in the artefact's metadata under ``decision``. The edge page has
the same rule in JavaScript, and a test holds the two together.
"""

import json
from dataclasses import asdict, dataclass

import numpy as np

ACCEPT, UNFAMILIAR, UNCERTAIN = "accept", "unfamiliar", "uncertain"


@dataclass(frozen=True)
class Rule:
    """When to answer.

    ``novelty``: a record above it is ``unfamiliar``; null when the product never asks. ``floor``: a label belongs to
    the conformal prediction set when its probability reaches it (Sadinle, Lei and Wasserman 2019, Least Ambiguous
    Set-Valued Classifiers). ``confidence``: lowest top probability at which an answer costs less than abstaining
    (Chow 1970, On Optimum Recognition Error and Reject Tradeoff).
    """

    floor: float
    confidence: float
    novelty: float | None
    coverage: float

    def to_json(self) -> str:
        """Write the rule for the artefact's metadata."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Rule":
        """Read the rule from the artefact's metadata."""
        return cls(**json.loads(text))


WORDS = np.array([UNCERTAIN, ACCEPT, UNFAMILIAR], dtype=object)
ALWAYS = Rule(floor=0.0, confidence=0.0, novelty=None, coverage=1.0)


def decide(probabilities: np.ndarray, novelty: np.ndarray, rule: Rule) -> np.ndarray:
    """Return ``accept``, ``unfamiliar`` or ``uncertain`` per record.

    ``probabilities`` is (records, labels), ``novelty`` is (records,). A record is accepted when it is familiar, exactly
    one label reaches the floor, and its probability reaches the confidence.
    """
    if rule == ALWAYS:
        return np.full(len(probabilities), ACCEPT, dtype=object)
    second, first = np.partition(probabilities, -2, axis=1)[:, -2:].T
    sure = (first >= max(rule.floor, rule.confidence)) & (second < rule.floor)
    familiar = True if rule.novelty is None else novelty <= rule.novelty  # NaN is unfamiliar
    return WORDS[np.where(familiar, sure, 2)]
