"""Answer many records by the champion: ``make predict INPUT=<file, folder or database URL> OUTPUT=answers.csv``.

Reads INPUT (a table, a folder of files, or a database with QUERY, a table or query of it), the registry and
``product.yaml``; writes OUTPUT, CSV or Parquet, and what is refused beside it as ``<OUTPUT>.rejected.csv``. With LOG=1
every answer is also in the server's prediction log; FORCE=1 replaces an output that is there. All come from the
environment, where a shell changes nothing in them. A run that was killed goes on with the same command.
"""

import math
import os
import sys
import time
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from fullstack_ml.inputs import input_of
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Product
from fullstack_ml.registry.versions import CHAMPION
from fullstack_ml.serving import follow
from fullstack_ml.serving.batch.batches import Source
from fullstack_ml.serving.batch.logbook import Logbook
from fullstack_ml.serving.batch.parts import Parts, alone, check_output, rejected_file
from fullstack_ml.serving.batch.scoring import REJECTED, Answerer, Answers
from fullstack_ml.serving.batch.source import open_source
from fullstack_ml.serving.deployment import bring, fetched, read_arms, remote_registry
from fullstack_ml.serving.model import Served
from fullstack_ml.serving.settings import Settings, read
from fullstack_ml.workspace.errors import UserError, guard
from fullstack_ml.workspace.files import sha256
from fullstack_ml.workspace.paths import PRODUCT

TOLD_SECONDS = 5.0


@dataclass(frozen=True)
class Wish:
    """What was typed."""

    place: str
    output: Path
    query: str
    log: bool
    force: bool


def wished() -> Wish:
    """Read what was typed from the environment.

    Raises:
        UserError: if INPUT or OUTPUT is missing.
    """
    for name, example in (("INPUT", "INPUT=data/inbox.csv"), ("OUTPUT", "OUTPUT=answers.csv")):
        if not os.environ.get(name):
            raise UserError(f"{name} is empty", "make predict", f"make predict INPUT=... OUTPUT=..., such as {example}")
    flags = (os.environ.get(name) == "1" for name in ("LOG", "FORCE"))
    return Wish(os.environ["INPUT"], Path(os.environ["OUTPUT"]), os.environ.get("QUERY", ""), *flags)


def champion(settings: Settings, product: Product) -> Served:
    """Return the version that the server would answer with, fetched now and checked as the server does.

    Raises:
        UserError: if there is none, or it is not safe to serve.
    """
    if settings.model == "registry":
        try:
            if settings.remote:
                bring(remote_registry(settings), settings.folder)
            else:
                follow.once(settings)
        except UserError as error:
            if CHAMPION not in fetched(settings.folder):
                raise
            print(f"predict: {error.what}; the champion that was fetched before answers", file=sys.stderr)
    found = read_arms(settings).get(CHAMPION)
    if found is None:
        raise UserError("there is no champion", "the registry", "make, which registers a version; then make promote")
    given = input_of(product)
    record = given.record_type(product).model_validate(given.example(product))
    example, *_ = given.decoder(product)(given.opened([record])[1], math.inf)
    return Served(found, product, example)


def answered(source: Source, skipped: int, answerer: Answerer) -> Generator[Answers, None, None]:
    """Yield the answers of every batch in order; as many batches as there are cores are worked on at once."""
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[Answers]] = deque()
        try:
            for records in source.batches(skipped):
                waiting.append(pool.submit(answerer.answer, records))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


class Progress:
    """Says every few seconds how far a run is and how long it still takes."""

    def __init__(self) -> None:
        """Begin now."""
        self.started = self._told = time.monotonic()
        self._rows, self._from = 0, 0.0

    def add(self, rows: int, share: float) -> None:
        """Count ``rows`` that are done; ``share`` of the whole input is read."""
        if not self._rows:
            self._from = share  # of a run that goes on, what was done before took no time now
        self._rows += rows
        now = time.monotonic()
        if now - self._told >= TOLD_SECONDS:
            self._told, taken = now, now - self.started
            ahead = taken * (1 - share) / (share - self._from) if share > self._from else math.nan
            left = f", {clock(ahead)} left" if math.isfinite(ahead) else ""
            said = f"predict: {share:.0%}, {self._rows:,} records, {self._rows / taken:,.0f} a second{left}"
            print(said, file=sys.stderr, flush=True)


def clock(seconds: float) -> str:
    """Write a time for a person."""
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def work(wish: Wish, product: Product, served: Served, settings: Settings) -> str:
    """Answer all that is there; return what to tell."""
    source = open_source(wish.place, product, wish.query)
    run = {"input": source.mark, "version": served.version.sha256, "log": wish.log, "contract": sha256(PRODUCT)}
    with alone(wish.output):
        parts = Parts(wish.output, run, source.steady)
        if parts.resumed:
            print(f"predict: goes on behind {parts.rows:,} records of the run that was stopped", file=sys.stderr)
        progress = Progress()
        logbook = Logbook(settings, served, parts.folder, product.data.privacy != "personal") if wish.log else None
        with closing(answered(source, len(parts.files), Answerer(served, wish.log))) as batches:
            for answers in batches:
                frame = answers.frame
                parts.add(logbook.write(answers, parts.rows) if logbook else frame)
                progress.add(len(frame), answers.share)
        if not parts.rows:
            raise UserError(f"{wish.place} holds no record", "INPUT", "give one that holds records")
        rows = parts.rows
        counts = parts.join()
    return told(wish, served, rows, counts, time.monotonic() - progress.started)


def told(wish: Wish, served: Served, rows: int, counts: dict[str, int], seconds: float) -> str:
    """Say what came out.

    Raises:
        UserError: if no record could be answered.
    """
    refused = counts.pop(REJECTED, 0)
    place = rejected_file(wish.output)
    if refused == rows:
        raise UserError(f"none of the {rows:,} records can be answered", str(place), "the column reason says why")
    said = ", ".join(f"{count:,} {word}" for word, count in sorted(counts.items(), key=lambda row: -row[1]))
    lines = [f"predict: {rows - refused:,} records by version {served.version.version} ({said}): {wish.output}"]
    if refused:
        lines.append(f"predict: {refused:,} refused, each with the reason: {place}")
    lines.append(f"predict: took {clock(seconds)}, {rows / max(seconds, 1e-3):,.0f} records a second")
    return "\n".join(lines)


def main() -> None:
    """Answer, and tell."""
    wish, product = wished(), load()
    check_output(wish.output, wish.force)
    settings = read()
    try:
        print(work(wish, product, champion(settings, product), settings))
    except KeyboardInterrupt:
        sys.exit("predict: stopped; the same command goes on from here")


if __name__ == "__main__":
    guard(main)
