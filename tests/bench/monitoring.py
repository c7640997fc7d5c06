"""Measure `make monitor` on a large log, the selection of `make feedback`, and how often the monitor is wrong or late.

Run it in a generated project after `make`, with its interpreter:
`cd my-product && .venv/bin/python <template>/tests/bench/monitoring.py`, or one part of it: `... monitoring.py log`,
`feedback`, `false`, `late`. `MILLIONS`, `MONTHS` and `DAILY` change the sizes.
"""

import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
from measure import table, verdict

MILLIONS = float(os.environ.get("MILLIONS", "10"))
DAYS = 84  # twelve windows of a week
MODEL = Path("models/model.onnx")
WORDS = 100  # one of so many predictions gets a late label
MONTHS, DAILY = int(os.environ.get("MONTHS", "100")), int(os.environ.get("DAILY", "100"))
NIGHTS, REFERENCE = 30, 110  # the records of the calibration split of the default project
NOW = datetime.now(UTC)


def served() -> Any:
    """Load the project's artefact as the server does; its version is named as where SERVE_MODEL is a file."""
    from fullstack_ml.inputs import input_of
    from fullstack_ml.product.contract import load
    from fullstack_ml.registry.versions import model_name
    from fullstack_ml.serving import model
    from fullstack_ml.workspace.files import sha256

    product, digest = load(), sha256(MODEL)
    version = model.Version(model_name(), f"file-{digest[:12]}", digest, str(MODEL))
    return model.Served(version, product, input_of(product).matrix(payload().head(1), product))


def payload() -> pl.DataFrame:
    """Return the columns of the input of all raw records."""
    from fullstack_ml.inputs import input_of
    from fullstack_ml.product.contract import load

    return pl.read_parquet("data/raw/*.parquet").select(list(input_of(load()).columns(load())))


def write_log(path: Path, rows: int) -> None:
    """Write a log of so many predictions over ``DAYS`` days: answers to the raw records, again and again."""
    from fullstack_ml.inputs import input_of
    from fullstack_ml.product.contract import load
    from fullstack_ml.serving.settings import read
    from fullstack_ml.serving.store import Store

    os.environ["SERVE_DATABASE_URL"] = f"sqlite:///{path}"
    store = Store(read())
    store.open()
    store.close()
    ours, frame = served(), payload()
    said = ours.score(input_of(load()).matrix(frame, load()))
    inputs = [orjson.dumps(row) for row in frame.to_dicts()]
    scores = [orjson.dumps(one).decode() for one in said.scores]
    base = list(zip(inputs, said.texts, said.decisions, said.reasons, scores, said.novelty, strict=True))
    began = int(time.time() * 1000) - DAYS * 86_400_000
    numbers = {"rounds": -(-rows // len(base)), "n": len(base), "rows": rows, "began": began}
    numbers |= {"step": (DAYS * 86_400_000 - 60_000) // rows, "every": WORDS}
    texts = {"name": ours.version.name, "version": ours.version.version}
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=OFF")
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute(
            "CREATE TEMP TABLE base (i INTEGER PRIMARY KEY, input, answer, decision, reason, s, novelty)"
        )
        connection.executemany("INSERT INTO base VALUES (NULL, ?, ?, ?, ?, ?, ?)", base)
        connection.execute(FILL, {**numbers, **texts})
        connection.execute(LABEL, numbers)
    connection.close()


FILL = """
WITH RECURSIVE lot(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM lot WHERE k + 1 < :rounds),
     row(at, i) AS (SELECT :began + (k * :n + base.i - 1) * :step, base.i FROM lot CROSS JOIN base
                    WHERE k * :n + base.i <= :rows)
INSERT INTO predictions (prediction_id, arm, requested_at, model_name, model_version, served, caller, input_sha256,
                         input, answer, decision, reason, scores, novelty, latency_ms)
SELECT printf('%012x', at) || lower(hex(randomblob(10))), 'champion', datetime(at / 1000, 'unixepoch') || '.000000',
       :name, :version, 1, printf('%016x', abs(random() % 5000)), lower(hex(randomblob(32))),
       input, answer, decision, reason, s, novelty, 2 + abs(random() % 4000) / 1000.0
FROM row CROSS JOIN base USING (i)
"""
LABEL = """
INSERT INTO feedback (prediction_id, who, arm, answer, how, received_at)
SELECT prediction_id, 'reviewer', arm, answer, iif(rowid / :every % 2, 'drawn', 'noticed'), requested_at
FROM predictions WHERE answer IS NOT NULL AND rowid % :every = 0
"""


def child(*command: str, codes: tuple[int, ...] = (0,)) -> tuple[float, float, float]:
    """Run a part of this script in a process of its own; return seconds, processor seconds, MiB."""
    held = Path("held.mib")
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    settings = {"SERVE_MODEL": str(MODEL), "HELD": str(held)}
    done = subprocess.run([sys.executable, __file__, *command], env={**os.environ, **settings}, check=False)
    assert done.returncode in codes, done.returncode
    taken, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    most = float(held.read_text(encoding="utf-8"))
    held.unlink()
    return taken, spent, most


def leave_memory() -> None:
    """Say what this process held at most; not ru_maxrss, which a process takes over from the one that started it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    held = next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    Path(os.environ["HELD"]).write_text(str(held), encoding="utf-8")


def run_monitor() -> None:
    """Run `make monitor` in this process."""
    import runpy

    sys.argv = ["monitor", "monitoring.mlflow=false"]
    try:
        runpy.run_module("fullstack_ml.monitoring.monitor", run_name="__main__")
    finally:
        leave_memory()


def run_feedback() -> None:
    """Choose what `make feedback` would bring back."""
    import yaml

    from fullstack_ml.data.collect.sources import predictions
    from fullstack_ml.product.contract import load

    options = yaml.safe_load(Path("conf/source/predictions.yaml").read_text(encoding="utf-8"))["options"]
    frames = list(predictions.read(load(), **options))
    assert sum(map(len, frames)), "nothing was chosen"
    leave_memory()


def large_log() -> None:
    """Print how long the monitor takes over a large log."""
    with tempfile.TemporaryDirectory() as folder:
        path, start = Path(folder, "log.db"), time.perf_counter()
        write_log(path, int(MILLIONS * 1e6))
        made, size = time.perf_counter() - start, path.stat().st_size / 2**30
        taken, spent, held = child("run-monitor", codes=(0, 2))
    row = [f"{MILLIONS:g}", f"{taken:.1f}", f"{spent:.1f}", f"{held:.0f}", verdict(taken, 60), verdict(held, 1536)]
    header = ["million predictions", "seconds", "processor s", "MiB", "<= 60 s", "<= 1,536 MiB"]
    note = f"Twelve windows of a week, {size:.1f} GiB of SQLite, which took {made:.0f} s to make; with its start."
    table("The monitor on a large log", header, [row], note)


def large_feedback() -> None:
    """Print how long it takes to choose what comes back from a million predictions of the last days."""
    global DAYS
    DAYS = 25  # all of them are young enough
    with tempfile.TemporaryDirectory() as folder:
        write_log(Path(folder, "log.db"), 1_000_000)
        taken, spent, held = child("run-feedback")
    row = [f"{1_000_000:,}", f"{taken:.1f}", f"{spent:.1f}", f"{held:.0f}", verdict(taken, 30)]
    table("What comes back", ["predictions", "seconds", "processor s", "MiB", "<= 30 s"], [row], "With its start.")


# --- how often it is wrong, and how late ------------------------------------------------------------------------


@dataclass(frozen=True)
class Population:
    """Raw records with what the model says of each, as the log holds it; months draw from them."""

    frame: pl.DataFrame
    scored: Any
    log: pl.DataFrame


def population(ours: Any, frame: pl.DataFrame, right: list[str]) -> Population:
    """Score records as the server does; ``right`` is what people will say of them."""
    from fullstack_ml.inputs import input_of

    product = ours.product
    scored, words = ours.judged(input_of(product).matrix(frame, product))
    said = ours.said(scored, words)
    rows = frame.select(list(input_of(product).columns(product))).to_dicts()
    log = pl.DataFrame(
        {
            "version": "1",
            "answer": said.texts,
            "decision": said.decisions,
            "reason": said.reasons,
            "scores": [orjson.dumps(one).decode() for one in said.scores],
            "novelty": said.novelty,
            "latency_ms": 5.0,
            "input": [orjson.dumps(row) for row in rows],
            "right": right,
        }
    )
    return Population(frame, scored, log)


def raw_records() -> pl.DataFrame:
    """Return the raw records with their labels."""
    return pl.read_parquet("data/raw/*.parquet").with_columns(label="source_label")


def reference_of(people: Population, drawn: np.ndarray, ours: Any) -> dict[str, Any]:
    """Freeze a reference of drawn records, as `export` does."""
    from fullstack_ml.answers.words import Scored
    from fullstack_ml.modeling.export.reference import reference

    scored = Scored(people.scored.outputs[drawn], people.scored.novelty[drawn])
    return reference(people.frame[drawn], scored, ours.rule, ours.product)


def seen_of(log: pl.DataFrame, drawn: np.ndarray) -> Any:
    """Return what the monitor would read of drawn records; one in ten is labelled later."""
    from fullstack_ml.answers.words import UNCERTAIN, UNFAMILIAR
    from fullstack_ml.monitoring.log import ROW, WORD
    from fullstack_ml.monitoring.measures import Seen
    from fullstack_ml.serving.schema import ANSWER

    numbered = pl.int_range(pl.len()).cast(pl.String).str.zfill(16)
    rows = log[drawn].with_columns(prediction_id=numbered, caller=numbered, who=pl.lit("reviewer"), how=pl.lit("drawn"))
    rows = rows.with_columns(received_at=pl.lit(NOW).cast(WORD["received_at"]))
    reasons = dict(rows["reason"].value_counts().iter_rows())
    counts = {"records": len(rows), "answered": int((rows["decision"] == ANSWER).sum()), "failed": 0}
    counts |= {"unfamiliar": reasons.get(UNFAMILIAR, 0), "uncertain": reasons.get(UNCERTAIN, 0)}
    words = rows.gather_every(10).select(*ROW, *WORD)
    return Seen({"1": counts}, rows.select(*ROW), rows.select("prediction_id", "input"), words, 1.0)


def alarms_of(seen: Any, known: dict[str, Any], product: Any, level: float) -> set[str]:
    """Return the ids of the alarms of one night, by the monitor's own code."""
    from fullstack_ml.monitoring.measures import NONE, measure
    from fullstack_ml.monitoring.verdicts import judge_all

    window = measure(seen, known, product, level)
    ages = ("model_age_days", "data_age_days", "failed_requests_share")
    window["measures"] |= dict.fromkeys(ages, NONE)
    return {row["id"] for row in judge_all(product, window, 50) if row["verdict"] == "alarm"}


def shifts(ours: Any) -> dict[str, tuple[Population, float]]:
    """Return the populations to which traffic changes, and the share of it that does."""
    frame, random = raw_records(), np.random.default_rng(1)
    right = frame["label"].to_list()
    numbers = [one.name for one in ours.product.formulation.input.features if one.type in ("number", "whole")]
    moved = frame.with_columns(pl.col(numbers[0]) * 0.85)
    mixed = frame.with_columns(pl.col(name).sample(fraction=1, shuffle=True, seed=i) for i, name in enumerate(numbers))
    names = ours.product.formulation.label_names
    turned = dict(zip(names, names[1:] + names[:1], strict=True))
    other = [turned[one] if random.random() < 0.3 else one for one in right]
    return {
        f"{numbers[0]} reads 15 % low": (population(ours, moved, right), 1.0),
        "four records in ten are strangers": (population(ours, mixed, right), 0.4),
        "three right answers in ten change": (population(ours, frame, other), 1.0),
    }


def simulate(ours: Any, months: int, changed: Population | None = None, share: float = 0.0) -> list[list[set[str]]]:
    """Return the alarms of every night of so many months, up to the first one where traffic has changed."""
    from fullstack_ml.inputs import input_of
    from fullstack_ml.monitoring.chance import level_of
    from fullstack_ml.monitoring.verdicts import tests

    product, usual, found = ours.product, population(ours, raw_records(), raw_records()["label"].to_list()), []
    level = level_of(0.05, tests(product, len(input_of(product).slice_columns(product))), 7)
    log, many = pl.concat([usual.log, (changed or usual).log]), len(usual.log)
    for month in range(months):
        random = np.random.default_rng(month)
        known = reference_of(usual, random.integers(0, many, REFERENCE), ours)
        drawn = random.integers(0, many, (7 + NIGHTS) * DAILY)
        later = np.arange(len(drawn)) >= 7 * DAILY  # the week before the first night is as it was
        drawn = drawn + many * (later & (random.random(len(drawn)) < share))
        nights: list[set[str]] = []
        while len(nights) < NIGHTS and not (changed and nights and nights[-1]):
            start = (len(nights) + 1) * DAILY
            nights.append(alarms_of(seen_of(log, drawn[start : start + 7 * DAILY]), known, product, level))
        found.append(nights)
    return found


def false_alarms() -> None:
    """Print in how many months without a shift there is any alarm."""
    months = [set[str]().union(*nights) for nights in simulate(served(), MONTHS)]
    ids = Counter(one for month in months for one in month)
    said = ", ".join(f"{name} in {count}" for name, count in ids.most_common()) or "none"
    wrong = sum(map(bool, months))
    row = [f"{MONTHS}", f"{DAILY}", f"{wrong}", said, "5 of 100", verdict(wrong / MONTHS, 0.05)]
    header = ["months without a shift", "records a day", "months with any false alarm", "which", "promised", ""]
    note = f"30 nights each, windows of 7 days; every month has a reference of its own, {REFERENCE} records."
    table("False alarms", header, [row], note)


def delays() -> None:
    """Print how many nights pass until a shift is told."""
    ours, rows = served(), []
    for kind, (changed, share) in shifts(ours).items():
        told = [nights for nights in simulate(ours, MONTHS, changed, share) if nights[-1]]
        lengths = sorted(map(len, told)) or [NIGHTS]
        first = Counter(one for nights in told for one in nights[-1])
        ends = [f"{lengths[len(lengths) // 2]}", f"{lengths[-(-9 * len(lengths) // 10) - 1]}"]
        rows.append([f"{len(told)} of {MONTHS}", kind, *ends, ", ".join(name for name, _ in first.most_common(3))])
    header = ["told", "shift, from the first night on", "nights, median", "9 of 10 within", "first told by"]
    table("How late an alarm is", header, rows, f"{DAILY} records a day, one in ten labelled; windows of 7 days.")


PARTS = {"log": large_log, "feedback": large_feedback, "false": false_alarms, "late": delays}
HIDDEN = {"run-monitor": run_monitor, "run-feedback": run_feedback}


def main() -> None:
    """Measure the parts that are asked for; all of them by default."""
    asked = sys.argv[1:] or list(PARTS)
    for name in asked:
        {**PARTS, **HIDDEN}[name]()


if __name__ == "__main__":
    main()
