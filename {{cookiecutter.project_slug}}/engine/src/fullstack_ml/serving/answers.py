"""From the records of several requests to their answers and to the rows of the log.

Reads and writes nothing. Everybody gets the champion's answer, or a fixed share of the callers the challenger's. A
caller stays with an arm for as long as the challenger stays the same version, and the next challenger gets other
callers: the assignment is a hash of both (Kohavi, Tang and Xu 2020, Trustworthy Online Controlled Experiments, chapter
4).
"""

import asyncio
import hashlib
import logging
import os
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
import orjson

from fullstack_ml.registry.versions import CHALLENGER, CHAMPION
from fullstack_ml.serving import telemetry
from fullstack_ml.serving.deployment import Arms
from fullstack_ml.serving.model import Scores, Served
from fullstack_ml.serving.settings import Settings
from fullstack_ml.serving.store import time_prefix

LOG = logging.getLogger("uvicorn.error")


@dataclass(slots=True)
class Job:
    """One request: its decoded records, and where its answer goes."""

    inputs: np.ndarray
    sha256: list[str]
    stored: list[bytes]
    caller: str
    started: float
    answer: asyncio.Future[bytes]


@dataclass(frozen=True)
class Part:
    """What one arm made of one job: its scores begin at row ``start``; ``answers`` when the caller gets them."""

    arm: str
    served: Served
    scores: Scores
    start: int
    answers: bool


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


@cache
def counter(arm: str, decision: str, reason: str) -> Any:
    """Return the counter of predictions; finding it among its labels takes longer than counting."""
    return telemetry.PREDICTIONS.labels(arm, decision, reason)


class Batch:
    """``rows`` for the log, in the order of its columns; ``answers`` as JSON, one per job."""

    def __init__(self, keep_input: bool, moment: Any) -> None:
        """``keep_input``: log payloads, or only their hashes; ``moment``: now, as the log's driver takes it."""
        self.rows: list[tuple[Any, ...]] = []
        self.answers: list[bytes] = []
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._keep, self._moment = keep_input, moment

    def add(self, job: Job, ids: list[str], part: Part) -> None:
        """Write the rows of one job and arm, and the job's answer if the arm gives it."""
        version, scores, caller = part.served.version, part.scores, pseudonym(job.caller)
        milliseconds = (time.perf_counter() - job.started) * 1000
        answers = []
        for i, prediction_id in enumerate(ids):
            at = part.start + i
            decision, reason, novelty = scores.decisions[at], scores.reasons[at], scores.novelty[at]
            text = orjson.dumps(scores.scores[at])
            row = (prediction_id, part.arm, self._moment, version.name, version.version, part.answers, caller)
            given = job.stored[i] if self._keep else None
            kept = None if novelty is None else text.decode()
            found = (scores.texts[at], decision, reason, kept, novelty, milliseconds)
            self.rows.append((*row, job.sha256[i], given, *found))
            self._counts[part.arm, decision, reason or ""] += 1
            if part.answers:
                answer: dict[str, Any] = {"prediction_id": prediction_id}
                answer |= {"answer": None if reason else scores.answers[at], "decision": decision, "reason": reason}
                answer |= {"scores": orjson.Fragment(text), "novelty": novelty}
                answer |= {"model_version": version.version, "arm": part.arm}
                answers.append(answer)
        if part.answers:
            self.answers.append(orjson.dumps({"predictions": answers}))

    def count(self) -> None:
        """Tell Prometheus, once the rows are committed."""
        telemetry.BATCH.observe(len(self.rows))
        for key, number in self._counts.items():
            counter(*key).inc(number)


def new_id(moment: datetime) -> str:
    """Return 32 hex digits that sort by time, so that the log's index grows at its end."""
    return time_prefix(moment) + os.urandom(10).hex()


def score(jobs: list[Job], arms: Arms, settings: Settings, now: datetime, batch: Batch) -> Batch:
    """Fill ``batch``: every job is scored by the arms whose turn it is.

    A challenger that fails in shadow takes nobody's answer away.
    """
    answering = [answering_arm(job.caller, arms, settings) for job in jobs]
    parts: list[list[Part]] = [[] for _ in jobs]
    for arm, served in arms.items():
        members = [i for i in range(len(jobs)) if arm in scoring_arms(answering[i], arms, settings)]
        try:
            found = _scores(served, jobs, members)
        except Exception:
            if arm in answering:
                raise
            telemetry.SHADOW_FAILURES.inc()
            LOG.exception("the challenger failed in shadow")
            continue
        for i, scores, start in found:
            parts[i].append(Part(arm, served, scores, start, arm == answering[i]))
    for job, own in zip(jobs, parts, strict=True):
        ids = [new_id(now) for _ in job.sha256]
        for part in own:
            batch.add(job, ids, part)
    return batch


def _scores(served: Served, jobs: list[Job], members: list[int]) -> list[tuple[int, Scores, int]]:
    """Score the jobs ``members`` in one call; return each with the row at which it begins."""
    if not members:
        return []
    sizes = [len(jobs[i].sha256) for i in members]
    starts = [0, *accumulate(sizes[:-1])]
    inputs = jobs[members[0]].inputs if len(members) == 1 else np.concatenate([jobs[i].inputs for i in members])
    scores = served.score(inputs)
    return [(i, scores, start) for i, start in zip(members, starts, strict=True)]
