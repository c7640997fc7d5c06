"""Measure `make monitor` on a large log, the selection of `make feedback`, and how often the monitor is wrong or late.

Run it in a generated project after `make`, with its interpreter:
`cd my-product && .venv/bin/python <template>/tests/bench/monitoring.py`, or one part of it: `... monitoring.py log`,
`feedback`, `alarms`. `MILLIONS`, `MONTHS` and `DAILY` change the sizes.
"""

import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from measure import table, verdict

MILLIONS = float(os.environ.get("MILLIONS", "10"))
DAYS = 84  # twelve windows of a week
MODEL = Path("models/model.onnx")
WORDS = 100  # one of so many predictions gets a late label


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
        connection.execute("CREATE TEMP TABLE base (i INTEGER PRIMARY KEY, input, answer, decision, reason, s, novelty)")
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


PARTS = {"log": large_log, "feedback": large_feedback}
HIDDEN = {"run-monitor": run_monitor, "run-feedback": run_feedback}


def main() -> None:
    """Measure the parts that are asked for; all of them by default."""
    asked = sys.argv[1:] or list(PARTS)
    for name in asked:
        {**PARTS, **HIDDEN}[name]()


if __name__ == "__main__":
    main()
