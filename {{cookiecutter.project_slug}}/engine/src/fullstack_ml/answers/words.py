"""What every answer shares: the scores of an artefact, and the three words of a decision."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Words = Callable[[str], str]  # translates a text that people read
ACCEPT, UNFAMILIAR, UNCERTAIN = "accept", "unfamiliar", "uncertain"


@dataclass(frozen=True)
class Scored:
    """``outputs`` float32 (records, values), as the answer defines them; ``novelty`` (records,), larger is stranger."""

    outputs: np.ndarray
    novelty: np.ndarray
