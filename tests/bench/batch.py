"""Measure `make predict` against bare onnxruntime on the same arrays, and whether its memory grows with the input.

Run it in a generated project after `make`, with its interpreter:
`cd my-product && .venv/bin/python <template>/tests/bench/batch.py`. Compared is the time of the processor, which other
work on the machine does not change.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
from measure import table

MILLIONS = [int(number) for number in os.environ.get("MILLIONS", "1 10 30").split()]
LOT = 1_000_000


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


def bare(path: Path) -> float:
    """Return the processor seconds in which onnxruntime alone scores a million rows, as arrays."""
    import onnxruntime as ort

    from fullstack_ml.inputs import input_of
    from fullstack_ml.product.contract import load

    inputs = input_of(load()).matrix(pl.read_parquet(path, n_rows=LOT), load())
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession("models/model.onnx", options, providers=["CPUExecutionProvider"])
    start = time.process_time()
    for at in range(0, LOT, 8192):
        session.run(None, {session.get_inputs()[0].name: inputs[at : at + 8192]})
    return time.process_time() - start


def predicted(path: Path, output: Path) -> tuple[float, float]:
    """Return processor seconds and MiB of a whole `make predict`."""
    settings = {"SERVE_MODEL": "models/model.onnx", "INPUT": str(path), "OUTPUT": str(output), "FORCE": "1"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, __file__, "measured"], env={**os.environ, **settings}, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, float(output.with_suffix(".mib").read_text(encoding="utf-8"))


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
            alone = bare(path)
            spent, held = predicted(path, output)
            ratio = alone * millions / spent
            rows.append([f"{millions}", f"{alone * millions:.1f}", f"{spent:.1f}", f"{ratio:.2f}", f"{held:.0f}"])
    header = ["million rows", "onnxruntime, s", "make predict, s", "ratio", "MiB"]
    table("Many records at once", header, rows, "Processor seconds; the whole of make predict, with its start.")


if __name__ == "__main__":
    measured() if sys.argv[1:] else compare()
