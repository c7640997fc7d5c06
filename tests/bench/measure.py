"""What every group needs: a clock, rounds, a table, and the machine on which it was measured."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# Of every work; an odd number, so that the median is one that was measured.
ROUNDS = int(os.environ.get("ROUNDS", "5"))


def seconds(work: Callable[[], object]) -> float:
    """Return the wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def rounds(works: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """Measure every work once per round, so that a busy moment hits all of them, and return the medians."""
    measured: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            measured[name].append(work())
    return {name: statistics.median(values) for name, values in measured.items()}


def verdict(value: float, target: float) -> str:
    """Say whether a target is reached."""
    return "reached" if value <= target else "**missed**"


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], note: str) -> None:
    """Print a Markdown table under its title, and what was measured below it."""
    numbers = ["---:" if rows and rows[0][i][:1].isdigit() else "---" for i in range(len(header))]
    lines = [" | ".join(cells) for cells in (header, numbers, *rows)]
    print(f"### {title}\n\n" + "\n".join(f"| {line} |" for line in lines) + f"\n\n{note}\n", flush=True)


def machine_class() -> str:
    """Describe the machine as far as it matters, and how busy it was."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    python, load = platform.python_version(), os.getloadavg()[0]
    return f"{cores} cores, {memory:.0f} GiB, {platform.system()}, Python {python}, load {load:.1f}"


def one_file_template(place: Path) -> Path:
    """Write the smallest template there is: one question, one file, no hooks."""
    project = place / "{{cookiecutter.name}}"
    project.mkdir(parents=True)
    (place / "cookiecutter.json").write_text('{"name": "one"}\n', encoding="utf-8")
    (project / "README.md").write_text("# {{cookiecutter.name}}\n", encoding="utf-8")
    return place
