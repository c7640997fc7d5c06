"""Which arm answers a caller: everybody the champion, or a fixed share of the callers the challenger.

Reads and writes nothing. A caller stays with an arm for as long as the challenger stays the same version, and the next
challenger gets other callers: the assignment is a hash of both (Kohavi, Tang and Xu 2020, Trustworthy Online Controlled
Experiments, chapter 4).
"""

import hashlib
from functools import lru_cache

from fullstack_ml.registry.versions import CHALLENGER, CHAMPION
from fullstack_ml.serving.deployment import Arms
from fullstack_ml.serving.settings import Settings


@lru_cache(4096)
def pseudonym(caller: str) -> str:
    """Return 16 hex digits that stand for a caller in the log."""
    return hashlib.sha256(caller.encode()).hexdigest()[:16]


def in_share(caller: str, salt: str, share: float) -> bool:
    """Whether the hash of a caller falls into the first ``share`` of all hashes."""
    return int(hashlib.sha256(f"{salt}:{caller}".encode()).hexdigest()[:13], 16) < share * 16**13


def answering_arm(caller: str, arms: Arms, settings: Settings) -> str:
    """Return the arm whose answer the caller gets."""
    if settings.rollout != "canary" or CHALLENGER not in arms:
        return CHAMPION
    return CHALLENGER if in_share(caller, arms[CHALLENGER].version.sha256, settings.canary_share) else CHAMPION


def scoring_arms(answering: str, arms: Arms, settings: Settings) -> list[str]:
    """Return the arms that score a record; in shadow the challenger scores too, and nobody is told."""
    silent = settings.rollout == "shadow" and CHALLENGER in arms
    return [answering, CHALLENGER] if silent else [answering]
