"""Answer in batches: one model call and one commit for all requests that wait.

Reads records from the API's event loop; writes to the store. Requests that arrive together share a commit (group
commit: Gawlick and Kinkade 1985, Varieties of Concurrency Control in IMS/VS Fast Path), so that the log costs one per
batch and not one per request. A small batch for a local database is done on the event loop itself, since handing it to
a thread costs more; a large batch, a database server, or a database that is locked goes to the thread, so that the
server goes on to answer its probes.
"""

import asyncio
import logging
import threading
from datetime import UTC, datetime
from queue import SimpleQueue

import numpy as np

from fullstack_ml.serving import telemetry
from fullstack_ml.serving.answers import Batch, Job, score
from fullstack_ml.serving.deployment import Deployment
from fullstack_ml.serving.problem import Problem, unavailable
from fullstack_ml.serving.settings import Settings
from fullstack_ml.serving.writer import LogBusy, LogUnavailable, Writer

LOG = logging.getLogger("uvicorn.error")
# Records that are scored and logged on the event loop: below a millisecond.
QUICK_ROWS = 64
# Records per batch of the thread; a request is never cut, so that one may be larger.
BATCH_ROWS = 512
Decoded = tuple[np.ndarray, list[str], list[bytes]]


class Scorer:
    """Scores and logs what is submitted, and then answers."""

    def __init__(self, deployment: Deployment, writer: Writer, settings: Settings, keep_input: bool) -> None:
        """Name the parts; ``keep_input``: log payloads, or only their hashes."""
        self._deployment, self._writer, self._settings, self._keep = deployment, writer, settings, keep_input
        self._waiting: list[Job] = []
        self._rows = 0
        self._queue: SimpleQueue[list[Job]] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="scorer", daemon=True)
        self._queued = 0

    def start(self) -> None:
        """Begin to answer."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def stop(self) -> None:
        """Answer what waits, then end."""
        self._queue.put([])
        self._thread.join()

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
        job = Job(inputs, digests, stored, caller, started, self._loop.create_future())
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(job)
        self._rows += len(digests)
        try:
            return await job.answer
        finally:
            self._rows -= len(digests)

    def _flush(self) -> None:
        """Answer what came in during this turn of the event loop."""
        jobs, self._waiting = self._waiting, []
        # While the thread is busy, its next batch grows instead of competing with it.
        if self._queued == 0 and sum(len(job.sha256) for job in jobs) <= QUICK_ROWS:
            try:
                _resolve(jobs, self._answer(jobs, wait=False))
                return
            except LogBusy:
                pass
        self._queued += 1
        self._queue.put(jobs)

    def _work(self) -> None:
        while jobs := self._queue.get():
            taken = 1
            while not self._queue.empty() and sum(len(job.sha256) for job in jobs) < BATCH_ROWS:
                more = self._queue.get()
                if not more:
                    self._queue.put(more)
                    break
                jobs, taken = jobs + more, taken + 1
            jobs = [job for job in jobs if not job.answer.done()]
            outcome = self._answer(jobs, wait=True) if jobs else []
            self._loop.call_soon_threadsafe(self._done, jobs, outcome, taken)

    def _done(self, jobs: list[Job], outcome: list[bytes | Problem], taken: int) -> None:
        self._queued -= taken
        _resolve(jobs, outcome)

    def _answer(self, jobs: list[Job], wait: bool) -> list[bytes | Problem]:
        """Score and log; ``wait`` for a locked database, or raise ``LogBusy``."""
        try:
            now = datetime.now(UTC)
            empty = Batch(self._keep, self._writer.moment(now))
            batch = score(jobs, self._deployment.arms, self._settings, now, empty)
            if len(batch.answers) != len(jobs):  # before the log, and here, since a caller without an answer waits on
                raise RuntimeError(f"{len(batch.answers)} answers for {len(jobs)} requests")
            self._writer.append(batch.rows, wait)
            batch.count()
            return list(batch.answers)
        except LogBusy:
            raise
        except LogUnavailable as error:
            telemetry.UNLOGGED.inc()
            return [unavailable(f"the prediction log does not take the answer: {error}")] * len(jobs)
        except Exception:
            LOG.exception("a batch of %d requests failed", len(jobs))
            return [Problem(500, "the model failed on this request; the log has the traceback")] * len(jobs)


def _resolve(jobs: list[Job], outcome: list[bytes | Problem]) -> None:
    for job, answer in zip(jobs, outcome, strict=True):
        if job.answer.done():
            continue  # the request was given up meanwhile
        if isinstance(answer, Problem):
            job.answer.set_exception(answer)
        else:
            job.answer.set_result(answer)
