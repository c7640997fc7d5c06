"""Measure `make predict` against bare onnxruntime on the same arrays, and whether its memory grows with the input.

Run it in a generated project after `make`, with its interpreter:
`cd my-product && .venv/bin/python <template>/tests/bench/batch.py`, or `… batch.py arrays` for the answers alone. Both
sides have a thread per core; on a busy machine compare the time of the processor, which other work changes less.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from measure import table

MILLIONS = [int(number) for number in os.environ.get("MILLIONS", "1 10 30").split()]
LOT = 1_000_000
ARRAYS, PART = 400_000, 50_000  # records of the arrays, and of one batch of them


def write_rows(path: Path, millions: int) -> None:
    """Write rows of the project's raw data, drawn again and again."""
    from fullstack_ml.inputs import input_of
    from fullstack_ml.product.contract import load

    rows, writer = pl.read_parquet("data/raw/*.parquet").select(list(input_of(load()).columns(load()))), None
    for lot in range(millions):
        drawn = rows.sample(LOT, with_replacement=True, seed=lot).to_arrow()
        writer = writer or pq.ParquetWriter(path, drawn.schema)
        writer.write_table(drawn)
    assert writer is not None
    writer.close()


def threads() -> int:
    """Return how many threads both sides have: one per core."""
    return len(os.sched_getaffinity(0))


def onnxruntime_alone(inputs: np.ndarray) -> tuple[float, float]:
    """Return seconds and processor seconds in which onnxruntime alone scores arrays, a session on every core."""
    import onnxruntime as ort

    from fullstack_ml.artefact.session import BATCH

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession("models/model.onnx", options, providers=["CPUExecutionProvider"])
    name, starts = session.get_inputs()[0].name, range(0, len(inputs), BATCH)
    began, spent = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(threads()) as pool:
        list(pool.map(lambda at: session.run(None, {name: inputs[at : at + BATCH]}), starts))
    return time.perf_counter() - began, time.process_time() - spent


def bare(path: Path) -> tuple[float, float]:
    """Return seconds and processor seconds in which onnxruntime alone scores a million rows, as arrays."""
    from fullstack_ml.inputs import input_of
    from fullstack_ml.product.contract import load

    return onnxruntime_alone(input_of(load()).matrix(pl.read_parquet(path, n_rows=LOT), load()))


def scored() -> None:
    """Print what answers cost beside bare onnxruntime where both have the arrays in memory already."""
    from fullstack_ml.inputs import input_of
    from fullstack_ml.product.contract import load
    from fullstack_ml.serving.batch.scoring import Answerer
    from fullstack_ml.serving.model import Served, Version
    from fullstack_ml.workspace.files import sha256

    product = load()
    given = pl.read_parquet("data/raw/*.parquet").select(list(input_of(product).columns(product)))
    few = input_of(product).matrix(given, product)
    inputs = np.concatenate([few] * (ARRAYS // len(few)))
    version = Version("bench", "1", sha256(Path("models/model.onnx")), "models/model.onnx")
    answerer = Answerer(Served(version, product, few[:1]), log=False)

    def answer(at: int) -> int:
        """Score, decide, and say it as the columns of the output."""
        part = inputs[at : at + PART]
        found = [answerer._served.judged(part[i : i + answerer._rows]) for i in range(0, len(part), answerer._rows)]
        return len(answerer._answers(*answerer._joined(found)))

    rows = []
    for _ in range(3):
        alone = onnxruntime_alone(inputs)
        began, spent = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(threads()) as pool:
            assert sum(pool.map(answer, range(0, len(inputs), PART))) == len(inputs)
        ours = time.perf_counter() - began, time.process_time() - spent
        cells = [f"{len(inputs):,}", *(f"{one:.2f}" for one in (*alone, *ours))]
        rows.append([*cells, f"{alone[0] / ours[0]:.2f}", f"{alone[1] / ours[1]:.2f}"])
    header = ["records", "onnxruntime, s", "processor s", "answers, s", "processor s", "ratio", "ratio of processor s"]
    table("Answers from arrays", header, rows, f"{threads()} threads on both sides; three rounds.")


def predicted(path: Path, output: Path) -> tuple[float, float, float]:
    """Return seconds, processor seconds and MiB of a whole `make predict`."""
    settings = {"SERVE_MODEL": "models/model.onnx", "INPUT": str(path), "OUTPUT": str(output), "FORCE": "1"}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, __file__, "measured"], env={**os.environ, **settings}, check=True)
    taken, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return taken, spent, float(output.with_suffix(".mib").read_text(encoding="utf-8"))


def measured() -> None:
    """Run the command in this process, and leave its largest memory beside the output."""
    from fullstack_ml.serving.batch.__main__ import main

    main()
    # Not ru_maxrss, which a process takes over from the one that started it.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    held = next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    Path(os.environ["OUTPUT"]).with_suffix(".mib").write_text(str(held), encoding="utf-8")


def compare() -> None:
    """Print the table."""
    rows: list[Any] = []
    with tempfile.TemporaryDirectory() as folder:
        path, output = Path(folder, "rows.parquet"), Path(folder, "answers.parquet")
        for millions in MILLIONS:
            write_rows(path, millions)
            before = bare(path)
            taken, spent, held = predicted(path, output)
            after = bare(path)  # the machine may have become busier meanwhile
            alone = [millions * (one + other) / 2 for one, other in zip(before, after, strict=True)]
            cells = [f"{millions}", *(f"{one:.1f}" for one in (*alone, taken, spent))]
            rows.append([*cells, f"{alone[0] / taken:.2f}", f"{alone[1] / spent:.2f}", f"{held:.0f}"])
            output.unlink()
    beside = ["make predict, s", "processor s", "ratio", "ratio of processor s", "MiB"]
    header = ["million rows", "onnxruntime, s", "processor s", *beside]
    note = f"{threads()} threads on both sides; the whole of make predict, with its start."
    table("Many records at once", header, rows, note)


if __name__ == "__main__":
    {"measured": measured, "arrays": scored, "": compare}["".join(sys.argv[1:])]()
