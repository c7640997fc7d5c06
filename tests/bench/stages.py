"""Time and memory of every stage: its own process, as `dvc repro` starts it, in a clone without data."""

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from measure import ROUNDS, table, verdict

from lifecycle import commands, generate
from projects import Project, machine

TARGET = 600.0


def measured(project: Project, command: list[str]) -> tuple[float, float]:
    """Run a command and return its seconds, and the largest MiB of its process or of one that it started."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=project.folder,
        env=project.variables(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main() -> None:
    """Print the table of the stages."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        project = generate(place, machine(place / "machine"))
        project.ok("make")
        took: dict[str, list[tuple[float, float]]] = {name: [] for name in commands(project)}
        for _ in range(ROUNDS):
            clone = project.clone(place / "clone")
            shutil.copy(project.folder / "dvc.lock", clone.folder)
            for name, lines in commands(project).items():
                parts = [measured(clone, line) for line in lines]
                took[name].append((sum(part[0] for part in parts), max(part[1] for part in parts)))
            shutil.rmtree(clone.folder)
    rows = []
    for name, pairs in took.items():
        time_, memory = (statistics.median(values) for values in zip(*pairs, strict=True))
        rows.append([name, f"{time_:.2f}", f"{memory:.0f}", f"<= {TARGET:g}: {verdict(memory, TARGET)}"])
    note = "The largest resident memory of the stage's process or of one that it started."
    table("Stages", ["stage", "seconds", "MiB", "target"], rows, note)


if __name__ == "__main__":
    main()
