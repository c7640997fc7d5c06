"""Answer in batches: one model call and one commit for all requests that wait.

Reads records from the API's event loop; writes to the store. Requests that arrive together share a commit (group
commit: Gawlick and Kinkade 1985, Varieties of Concurrency Control in IMS/VS Fast Path), so that the log costs one per
batch and not one per request. A small batch for a local database is done on the event loop itself, since handing it to
a thread costs more; a large batch, or one for a database server, goes to the thread, so that the server goes on to
answer its probes. A small batch that finds the database locked goes there with its scores, and only waits.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial

from fullstack_ml.inputs import Decoded
from fullstack_ml.serving import telemetry
from fullstack_ml.serving.answers import Batch, Job, score
from fullstack_ml.serving.deployment import Deployment
from fullstack_ml.serving.problem import Problem, unavailable
from fullstack_ml.serving.settings import Settings
from fullstack_ml.serving.store import LogBusy, LogUnavailable, Writer

LOG = logging.getLogger("uvicorn.error")
# Records that are scored and logged on the event loop: below a millisecond.
QUICK_ROWS = 64
# Records per batch of the thread; a request is never cut, so that one may be larger.
BATCH_ROWS = 512

FAILED = Problem(500, "the model failed on this request; the log has the traceback")


class Scorer:
    """Scores and logs what is submitted, and then answers. Every method runs on the event loop but those of a batch."""

    def __init__(self, deployment: Deployment, writer: Writer, settings: Settings, keep_input: bool) -> None:
        """Name the parts; ``keep_input``: log payloads, or only their hashes."""
        self._deployment, self._writer, self._settings, self._keep = deployment, writer, settings, keep_input
        self._waiting: deque[Job] = deque()
        self._rows = 0
        self._thread = ThreadPoolExecutor(1, "scorer")
        self._busy: asyncio.Future[list[bytes] | Problem] | None = None

    async def stop(self) -> None:
        """Answer what waits, then end."""
        while self._waiting or self._busy:
            await (asyncio.wait([self._busy]) if self._busy else asyncio.sleep(0))
        self._thread.shutdown()

    async def submit(self, decoded: Decoded, caller: str, started: float) -> bytes:
        """Return the JSON answer, every record of which is on record.

        Raises:
            Problem: 503 when too much waits, no version is served, or the log does not take the rows.
        """
        inputs, digests, stored = decoded
        if not self._deployment.arms:
            raise unavailable("no version of the model is served yet")
        if self._rows + len(digests) > self._settings.max_queued:
            raise unavailable("too many records wait")
        loop = asyncio.get_running_loop()
        job = Job(inputs, digests, stored, caller, started, loop.create_future())
        if not self._waiting and not self._busy:
            loop.call_soon(self._flush)
        self._waiting.append(job)
        self._rows += len(digests)
        try:
            return await job.answer
        finally:
            self._rows -= len(digests)

    def _flush(self) -> None:
        """Answer what came in during this turn of the event loop, or while the thread was busy."""
        jobs = self._take()
        if not jobs:
            return
        work = partial(self._answer, jobs)
        if self._writer.quick and sum(len(job.sha256) for job in jobs) <= QUICK_ROWS:
            scored = self._score(jobs)
            try:
                _resolve(jobs, self._log(scored, wait=False))
                return
            except LogBusy:
                work = partial(self._log, scored, wait=True)  # the thread waits for the lock, with these scores
        self._busy = asyncio.get_running_loop().run_in_executor(self._thread, work)
        self._busy.add_done_callback(partial(self._done, jobs))

    def _take(self) -> list[Job]:
        """Take a batch from what waits, without the requests that were given up meanwhile."""
        jobs: list[Job] = []
        rows = 0
        while self._waiting and rows < BATCH_ROWS:
            job = self._waiting.popleft()
            if not job.answer.done():
                jobs.append(job)
                rows += len(job.sha256)
        return jobs

    def _done(self, jobs: list[Job], found: asyncio.Future[list[bytes] | Problem]) -> None:
        self._busy = None
        try:
            _resolve(jobs, found.result())
        finally:
            self._flush()

    def _answer(self, jobs: list[Job]) -> list[bytes] | Problem:
        return self._log(self._score(jobs), wait=True)

    def _score(self, jobs: list[Job]) -> Batch | Problem:
        """Score once; a failure is the answer of every request of the batch."""
        try:
            now = datetime.now(UTC)
            empty = Batch(self._keep, self._writer.moment(now))
            batch = score(jobs, self._deployment.arms, self._settings, now, empty)
            if len(batch.answers) != len(jobs):  # before the log: a caller without an answer waits on
                raise RuntimeError(f"{len(batch.answers)} answers for {len(jobs)} requests")
            return batch
        except Exception:
            LOG.exception("a batch of %d requests failed", len(jobs))
            return FAILED

    def _log(self, scored: Batch | Problem, wait: bool) -> list[bytes] | Problem:
        """Log what was scored, and return the answers; ``wait`` for a locked database, or raise ``LogBusy``."""
        if isinstance(scored, Problem):
            return scored
        try:
            self._writer.append(scored.rows, wait)
        except LogUnavailable as error:
            telemetry.UNLOGGED.inc()
            return unavailable(f"the prediction log does not take the answer: {error}")
        scored.count()
        return scored.answers


def _resolve(jobs: list[Job], outcome: list[bytes] | Problem) -> None:
    answers: Sequence[bytes | Problem] = [outcome] * len(jobs) if isinstance(outcome, Problem) else outcome
    for job, answer in zip(jobs, answers, strict=True):
        if job.answer.done():
            continue  # the request was given up meanwhile
        if isinstance(answer, Problem):
            job.answer.set_exception(answer)
        else:
            job.answer.set_result(answer)
