"""Answer in batches: one model call and one commit for all requests that wait.

Reads records from the API's event loop; writes to the store. Requests that arrive together share a commit (group
commit: Gawlick and Kinkade 1985, Varieties of Concurrency Control in IMS/VS Fast Path), so that the log costs one per
batch and not one per request. A small batch for a local database is done on the event loop itself, since handing it to
a thread costs more; a large batch, or one for a database server, goes to the thread, so that the server goes on to
answer its probes. A small batch that finds the database locked goes there with its scores, and only waits.
"""

import asyncio
import logging
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import SimpleQueue

from fullstack_ml.inputs import Decoded
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

FAILED = Problem(500, "the model failed on this request; the log has the traceback")


@dataclass
class Work:
    """Requests that are answered together: ``open`` until they are scored, which happens once."""

    jobs: list[Job]
    batch: Batch | None = None
    outcome: list[bytes | Problem] | None = None

    @property
    def open(self) -> bool:
        """Whether nothing was scored yet."""
        return self.batch is None and self.outcome is None

    @property
    def rows(self) -> int:
        """Return the number of records."""
        return sum(len(job.sha256) for job in self.jobs)


class Scorer:
    """Scores and logs what is submitted, and then answers."""

    def __init__(self, deployment: Deployment, writer: Writer, settings: Settings, keep_input: bool) -> None:
        """Name the parts; ``keep_input``: log payloads, or only their hashes."""
        self._deployment, self._writer, self._settings, self._keep = deployment, writer, settings, keep_input
        self._waiting: list[Job] = []
        self._rows = 0
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="scorer", daemon=True)
        self._queued = 0

    def start(self) -> None:
        """Begin to answer."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def stop(self) -> None:
        """Answer what waits, then end."""
        self._queue.put(None)
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
        work = Work(self._waiting)
        self._waiting = []
        # While the thread is busy, its next batch grows instead of competing with it.
        if self._writer.quick and self._queued == 0 and work.rows <= QUICK_ROWS:
            self._score(work)
            try:
                _resolve(work.jobs, self._log(work, wait=False))
                return
            except LogBusy:
                pass  # the thread waits for the lock, with the scores that are there
        self._queued += 1
        self._queue.put(work)

    def _work(self) -> None:
        held: list[Work] = []
        while work := held.pop() if held else self._queue.get():
            taken = 1
            while work.open and work.rows < BATCH_ROWS and not self._queue.empty():
                more = self._queue.get()
                if more is None or not more.open:
                    if more is None:
                        self._queue.put(None)
                    else:
                        held.append(more)
                    break
                work, taken = Work(work.jobs + more.jobs), taken + 1
            if work.open:
                work.jobs = [job for job in work.jobs if not job.answer.done()]
                self._score(work)
            self._loop.call_soon_threadsafe(self._done, work.jobs, self._log(work, wait=True), taken)

    def _done(self, jobs: list[Job], outcome: list[bytes | Problem], taken: int) -> None:
        self._queued -= taken
        _resolve(jobs, outcome)

    def _score(self, work: Work) -> None:
        """Score once; a failure is the answer of every request of the batch."""
        if not work.jobs:
            work.outcome = []
            return
        try:
            now = datetime.now(UTC)
            empty = Batch(self._keep, self._writer.moment(now))
            work.batch = score(work.jobs, self._deployment.arms, self._settings, now, empty)
            if len(work.batch.answers) != len(work.jobs):  # before the log: a caller without an answer waits on
                raise RuntimeError(f"{len(work.batch.answers)} answers for {len(work.jobs)} requests")
        except Exception:
            LOG.exception("a batch of %d requests failed", len(work.jobs))
            work.outcome = [FAILED] * len(work.jobs)

    def _log(self, work: Work, wait: bool) -> list[bytes | Problem]:
        """Log what was scored, and return the answers; ``wait`` for a locked database, or raise ``LogBusy``."""
        if work.outcome is not None or work.batch is None:
            return work.outcome or []
        try:
            self._writer.append(work.batch.rows, wait)
        except LogUnavailable as error:
            telemetry.UNLOGGED.inc()
            return [unavailable(f"the prediction log does not take the answer: {error}")] * len(work.jobs)
        work.batch.count()
        return list(work.batch.answers)


def _resolve(jobs: list[Job], outcome: list[bytes | Problem]) -> None:
    for job, answer in zip(jobs, outcome, strict=True):
        if job.answer.done():
            continue  # the request was given up meanwhile
        if isinstance(answer, Problem):
            job.answer.set_exception(answer)
        else:
            job.answer.set_result(answer)
