"""Time and memory of the raw data: collect and split on tables, collect and push on many small images.

Run it in the folder of a generated project, with its interpreter; what is measured follows the task:
`cd my-product && .venv/bin/python ../tests/bench/data.py`.
Each work is a process of its own, whose largest memory the system reports; imports are not timed.
`ROWS="1 10 30"` are millions of records; the comparison is made on the second, ROUNDS times.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

ROUNDS = int(os.environ.get("ROUNDS", "5"))
MILLIONS = [int(number) for number in os.environ.get("ROWS", "1 10 30").split()]
IMAGES = int(os.environ.get("IMAGES", "20000"))
FLOATS, BLOCK = 12, 1_000_000
TARGETS = (("collect", "pyarrow", 5.0), ("split", "polars", 1.5), ("split", "polars, same file", 1.5))
Measured = tuple[float, float]  # seconds, MiB


# --- what is measured, each in its own process --------------------------------------------------------------


def settings(*overrides: str) -> Any:
    """Compose the project's conf/."""
    composed = import_module("fullstack_ml.pipeline.compose").resolve(["source=files", *overrides])
    return import_module("fullstack_ml.pipeline.stage").typed(composed)


def collect(source: str, kind: str) -> Callable[[], object]:
    """Return stage collect on a table or a folder."""
    stage = import_module("fullstack_ml.data.collect.__main__")
    config = settings(f"source.options.path={source}", f"source.options.kind={kind}")
    return lambda: stage.run(config)


def later(name: str) -> Callable[[], object]:
    """Return stage label or split."""
    stage, config = import_module(f"fullstack_ml.data.{name}.__main__"), settings()
    return lambda: stage.run(config)


def pyarrow_copy(source: str) -> Callable[[], object]:
    """Return a plain read and write of the table with pyarrow."""
    parquet = import_module("pyarrow.parquet")
    return lambda: parquet.write_table(parquet.read_table(source), "copy.parquet")


def polars_split(source: str) -> Callable[[], object]:
    """Return a bare streaming split of the rows of a table into four files, by hash."""
    import polars as pl

    rows = pl.scan_parquet(source)
    names = rows.collect_schema().names()
    at = (pl.col("id") if "id" in names else pl.struct(names)).hash() % 10
    part = pl.when(at < 6).then(0).when(at < 7).then(1).when(at < 8).then(2).otherwise(3)
    target = pl.PartitionBy("bare", key="part", include_key=False)
    return lambda: rows.with_columns(part=part).sink_parquet(target, mkdir=True, engine="streaming")


WORKS: dict[str, Callable[..., Callable[[], object]]] = {
    "collect": collect,
    "label": lambda: later("label"),
    "split": lambda: later("split"),
    "pyarrow": pyarrow_copy,
    "polars": polars_split,
}


def child(name: str, *arguments: str) -> None:
    """Do one work and print its seconds."""
    work = WORKS[name](*arguments)
    start = time.perf_counter()
    work()
    print(f"\n{time.perf_counter() - start}")


def measured(folder: Path, name: str, *arguments: str) -> Measured:
    """Do one work in a process of its own."""
    os.sync()  # what an earlier work left to write is not this one's
    command = [sys.executable, __file__, "--one", name, *arguments]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, (name, output)
    return float(output.split()[-1]), usage.ru_maxrss / 1024


# --- tables -------------------------------------------------------------------------------------------------


def write_table(file: Path, rows: int) -> None:
    """Write rows of random numbers with a label."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    random, writer = np.random.default_rng(0), None
    for start in range(0, rows, BLOCK):
        count = min(BLOCK, rows - start)
        columns = {f"f{i:02}": random.normal(size=count) for i in range(FLOATS)}
        table = pa.table({**columns, "label": np.where(random.random(count) < 0.5, "a", "b")})
        writer = writer or pq.ParquetWriter(file, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


def lay(folder: Path) -> str:
    """Copy conf/ and the guide, write a contract of the columns; return the kind in scope."""
    import yaml

    contract = yaml.safe_load(Path("product.yaml").read_text())
    names = [f"f{i:02}" for i in range(FLOATS)]
    contract["formulation"]["input"]["features"] = [
        {"name": name, "low": -100, "high": 100, "unit": "one", "meaning": "a number"} for name in names
    ]
    contract["formulation"]["answer"]["labels"] = [{"name": name, "definition": name} for name in "ab"]
    contract["data"]["slices"] = [{"id": "low", "column": "f00", "below": 0, "reason": "half of them"}]
    requirement = {**contract["requirements"][0], "metric": "accuracy", "operator": ">=", "slice": "all"}
    contract |= {"requirements": [requirement], "evaluation": []}
    folder.mkdir()
    (folder / "product.yaml").write_text(yaml.safe_dump(contract))
    for part in ("conf", "docs/2-data"):
        shutil.copytree(part, folder / part)
    return str(next(kind["name"] for kind in contract["data"]["kinds"] if kind["scope"] == "in"))


def stages(folder: Path, table: Path, kind: str) -> dict[str, Measured]:
    """Run collect, label and split from nothing."""
    shutil.rmtree(folder / "data", ignore_errors=True)
    found = {"collect": measured(folder, "collect", str(table), kind)}
    measured(folder, "label")
    return found | {"split": measured(folder, "split")}


def compared(folder: Path, table: Path, kind: str) -> dict[str, Measured]:
    """Measure the stages beside bare libraries, round by round, so that a busy moment hits all of them."""
    rounds: dict[str, list[Measured]] = {}
    for _ in range(ROUNDS):
        found = stages(folder, table, kind)
        found["pyarrow"] = measured(folder, "pyarrow", str(table))
        for name, source in (("polars", table), ("polars, same file", folder / "data/labelled.parquet")):
            shutil.rmtree(folder / "bare", ignore_errors=True)
            found[name] = measured(folder, "polars", str(source))
        for name, value in found.items():
            rounds.setdefault(name, []).append(value)
    return {name: median(values) for name, values in rounds.items()}


def median(values: list[Measured]) -> Measured:
    """Return the median of seconds, and of memory."""
    seconds, memory = zip(*values, strict=True)
    return statistics.median(seconds), statistics.median(memory)


def tables() -> None:
    """Print the tables of times and of memory."""
    peaks: dict[int, dict[str, Measured]] = {}
    with tempfile.TemporaryDirectory() as place:
        folder, table = Path(place) / "project", Path(place) / "table.parquet"
        kind = lay(folder)
        for position, millions in enumerate(MILLIONS):
            write_table(table, millions * BLOCK)
            run = compared if position == min(1, len(MILLIONS) - 1) else stages
            peaks[millions] = run(folder, table, kind)
    most, found = next((m, f) for m, f in peaks.items() if "pyarrow" in f)
    header = f"| {most} million records of {FLOATS} numbers | seconds | MiB | ratio | target |"
    print(f"{header}\n|---|---:|---:|---:|---|")
    for name, base, target in TARGETS:
        for row in (base, name):
            ratio = f"{found[name][0] / found[base][0]:.2f} | <= {target:g}" if row == name else "1 | "
            print(f"| {row} | {found[row][0]:.1f} | {found[row][1]:.0f} | {ratio} |")
    print("\n| largest memory, MiB | " + " | ".join(f"{m} million" for m in peaks) + " |")
    print("|---|" + "---:|" * len(peaks))
    for name in ("collect", "split"):
        print(f"| {name} | " + " | ".join(f"{peak[name][1]:.0f}" for peak in peaks.values()) + " |")


# --- images -------------------------------------------------------------------------------------------------


def draw(folder: Path) -> None:
    """Write small random pictures, a folder per label."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)
    for i in range(IMAGES):
        file = folder / str(i % 10) / f"{i:05}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (28, 28), dtype=np.uint8)).save(file)


def dvc(folder: Path, *arguments: str) -> None:
    """Run a command of DVC."""
    command = [sys.executable, "-m", "dvc", *arguments, "--quiet"]
    subprocess.run(command, cwd=folder, check=True)


def repository(folder: Path) -> Path:
    """Make an empty DVC repository with a remote beside it."""
    folder.mkdir(parents=True)
    dvc(folder, "init", "--no-scm")
    dvc(folder, "remote", "add", "--default", "store", str(folder.parent / "remote"))
    return folder


def as_shards(place: Path, images: Path, kind: str) -> float:
    """Collect the images, then add and push the shards."""
    folder = repository(place / "project")
    for part in ("conf", "product.yaml"):
        (shutil.copytree if Path(part).is_dir() else shutil.copy)(part, folder / part)
    start = time.perf_counter()
    options = ["source=files", f"source.options.path={images}", f"source.options.kind={kind}"]
    command = [sys.executable, "-m", "fullstack_ml.data.collect", *options]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    dvc(folder, "add", "data/raw")
    dvc(folder, "push")
    return time.perf_counter() - start


def as_files(place: Path, images: Path) -> float:
    """Add and push the images one by one."""
    folder = repository(place / "project")
    shutil.copytree(images, folder / "images")
    start = time.perf_counter()
    dvc(folder, "add", "images")
    dvc(folder, "push")
    return time.perf_counter() - start


def pictures() -> None:
    """Print the table of the images."""
    import yaml

    kinds = yaml.safe_load(Path("product.yaml").read_text())["data"]["kinds"]
    kind = next(kind["name"] for kind in kinds if kind["scope"] == "in")
    files, shards = [], []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        draw(place / "images")
        for number in range(ROUNDS):
            os.sync()
            files.append(as_files(place / f"files-{number}", place / "images"))
            os.sync()
            shards.append(as_shards(place / f"shards-{number}", place / "images", kind))
            for done in place.glob("*-*"):
                shutil.rmtree(done)
    one, other = statistics.median(files), statistics.median(shards)
    print(f"| {IMAGES} small images | seconds | ratio | target |\n|---|---:|---:|---|")
    print(f"| dvc add + dvc push, single files | {one:.1f} | 1 | |")
    print(f"| collect + dvc add + dvc push, shards | {other:.1f} | {one / other:.1f} | >= 5 |")


def main() -> None:
    """Do one work, or measure what the project's task has."""
    if sys.argv[1:2] == ["--one"]:
        child(*sys.argv[2:])
    else:
        product = import_module("fullstack_ml.product.contract").load()
        measure = pictures if product.formulation.input.type == "image" else tables
        print(f"Medians of {ROUNDS} rounds, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n", flush=True)
        measure()


if __name__ == "__main__":
    main()
