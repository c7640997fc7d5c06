"""A disk that is full, or a folder that may not be written, ends every stage and command in three lines."""

import errno
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from fullstack_ml.workspace import errors, files

pytestmark = pytest.mark.task("tabular-classification")
STAGES = ["pipeline.compose", "data.collect", "data.validate", "data.label", "data.split", "data.split.leakage"]
STAGES += [f"modeling.{name}" for name in ("train", "export", "evaluate", "accept", "cards")]
FRAME = pl.DataFrame({"n": [1]})
COMMANDS = ["project.new_stage enrich split", "project.remove serving"]
COMMANDS += ["annotation.queue annotation.round=pilot annotation.items=9"]


def full() -> None:
    """Let this process write no byte into a file: the system then says what it says of a full disk, in other words."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def content(root: Path) -> dict[str, bytes]:
    """Return every file that is seen: what a stage works on lies in hidden folders, and is removed by its next run."""
    found = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    seen = [path for path in found if not any(part.startswith(".") or part == "__pycache__" for part in path.parts)]
    return {str(path): (root / path).read_bytes() for path in seen}


@pytest.mark.parametrize("command", [*STAGES, *COMMANDS])
def test_a_full_disk_ends_in_three_lines_with_nothing_half_written(command: str, finished: Path, git: Any) -> None:
    if command == "data.collect":
        shutil.rmtree("data")
    if command in COMMANDS:
        git("init", "--quiet")
        git("add", "--all")
        git("commit", "--quiet", "-m", "all")
    before = content(finished)
    run = [sys.executable, "-B", "-m", *f"fullstack_ml.{command}".split()]
    settings = {**os.environ, "PYTHONPATH": "src"}
    ended = subprocess.run(run, capture_output=True, text=True, preexec_fn=full, env=settings)
    assert ended.returncode == 1, ended.stdout
    *_, what, where, fix = ended.stderr.splitlines()
    assert (what[:7], where[:7], fix[:7]) == ("error: ", "where: ", "fix:   ")
    assert "Traceback" not in ended.stderr
    assert "make room on the disk" in fix
    assert content(finished).items() <= before.items()  # a stage removes the old outputs first, as DVC does


def refused_by_sqlite() -> None:
    sqlite3.connect("/proc/nothing/here.db").execute("CREATE TABLE a (b)")


def limited(work: Callable[[], None]) -> Callable[[], None]:
    """Do work while this process may write no byte."""

    def run() -> None:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
            work()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return run


def full_for_sqlite() -> None:
    with sqlite3.connect("small.db") as connection:
        connection.execute("PRAGMA max_page_count = 2")
        connection.execute("CREATE TABLE a (b)")
        connection.execute("INSERT INTO a VALUES (zeroblob(100000))")


def closed() -> None:
    """Write where nobody may, as somebody who is not root."""
    Path("shut").mkdir(mode=0o500)
    root = os.geteuid() == 0
    try:
        os.seteuid(65534 if root else os.geteuid())
        files.write_text(Path("shut/x"), "x")
    finally:
        os.seteuid(0 if root else os.geteuid())


def chained() -> None:
    try:
        raise OSError(errno.ENOSPC, "No space left on device", "data/x.parquet")
    except OSError as error:
        raise RuntimeError("a library failed") from error


@pytest.mark.parametrize(
    ("work", "what", "where", "fix"),
    [
        (lambda: Path("a/b").mkdir(parents=True), "Not a directory", "a/b", "stands where a folder"),
        (lambda: files.write_text(Path("a/b"), "x"), "File exists", "a", "stands where a folder"),
        (limited(lambda: FRAME.write_parquet("b")), "File too large", "", "make room"),
        (limited(lambda: pq.write_table(FRAME.to_arrow(), "b")), "File too large", "", "make room"),
        (closed, "Permission denied", "shut", "give yourself the right"),
        (full_for_sqlite, "database or disk is full", "", "make room"),
        (refused_by_sqlite, "unable to open database file", "", "give yourself the right"),
        (chained, "No space left on device", "data/x.parquet", "make room"),
    ],
    ids=["folder", "file", "polars", "arrow", "closed", "full database", "no database", "chained"],
)
def test_whoever_says_it_first_it_is_told_in_three_lines(
    work: Any, what: str, where: str, fix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a").write_text("a file")
    with pytest.raises(SystemExit) as ended:
        errors.guard(work)
    lines = str(ended.value.code).splitlines()
    assert len(lines) == 3
    for line, text in zip(lines, (what, where, fix), strict=True):
        assert text in line


def test_a_mistake_of_the_program_stays_one(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Bad file"):
        errors.guard(lambda: os.close(10_000))
