"""Stage collect, killed: at whatever line it dies, the next run ends with the records of an undisturbed one.

A helper process imports the stage once and forks: a child counts the lines that a run executes in the package, others
are killed (SIGKILL) at a line drawn by lot, and then run again undisturbed.
"""

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from {{cookiecutter.__package}}.data import collect

POINTS = 30
SHARDS = 5  # several are written, and several may be lost

# Reads {"package", "shards", "points", "source", "product"}; runs first in the folder "counted", then per point.
HELPER = """
import json, os, signal, sys, threading
from importlib import import_module
from types import SimpleNamespace

asked = json.loads(sys.argv[1])
collect = import_module(asked["package"] + ".data.collect")
import_module(asked["package"] + ".data.sources.files")
root = os.path.dirname(os.path.dirname(collect.__file__))
config = SimpleNamespace(
    source=SimpleNamespace(**asked["source"]),
    collect=SimpleNamespace(shard_rows=asked["rows"], shard_mib=64, max_rejected=100),
)

def traced(last):
    count = [0]
    def lines(frame, event, argument):
        if event == "line":
            count[0] += 1
            if count[0] == last:
                os.kill(os.getpid(), signal.SIGKILL)
        return lines
    def calls(frame, event, argument):
        return lines if frame.f_code.co_filename.startswith(root) else None
    threading.settrace(calls)
    sys.settrace(calls)
    collect.run(config)
    sys.settrace(None)
    return count[0]

def forked(folder, work):
    child = os.fork()
    if not child:
        os.chdir(folder)
        sys.stdout = open(os.devnull, "w")
        work()
        os._exit(0)
    return os.waitpid(child, 0)[1]

def count():
    lines = traced(-1)
    with open("lines", "w") as file:
        file.write(str(lines))

assert forked("counted", count) == 0
lines = int(open("counted/lines").read())
for folder, share in asked["points"].items():
    ended = forked(folder, lambda: traced(1 + int(share * (lines - 1))))
    assert os.WIFSIGNALED(ended) and os.WTERMSIG(ended) == signal.SIGKILL, ended
    raw = os.path.join(folder, "data", "raw")
    sizes = {entry.name: entry.stat().st_size for entry in os.scandir(raw)} if os.path.isdir(raw) else {}
    with open(os.path.join(folder, "after.json"), "w") as file:
        json.dump(sizes, file)
    assert forked(folder, lambda: collect.run(config)) == 0
"""


def manifest(folder: Path) -> Any:
    """Read the manifest of the raw data."""
    return json.loads((folder / "data/raw/manifest.json").read_text())


def content(folder: Path) -> pl.DataFrame:
    """Read what is stored, without the time at which it was."""
    listed = [folder / f"data/raw/{entry['shard']}.parquet" for entry in manifest(folder)["shards"]]
    return pl.concat(pl.read_parquet(path) for path in listed).drop("collected_at")


def run_killed(folder: Path, config: Any) -> list[Path]:
    """Copy the project ``folder``: in the first copy collect runs undisturbed, in the others it dies, then runs."""
    points = {f"point-{i}": random.Random(i).random() for i in range(POINTS // 2)}
    folders = [folder.parent / name for name in ("counted", *points)]
    for copy in folders:
        shutil.copytree(folder, copy)
    asked: dict[str, Any] = {"package": collect.__package__.removesuffix(".data"), "points": points}
    asked |= {"source": vars(config.source), "rows": config.collect.shard_rows}
    helper = [sys.executable, "-c", HELPER, json.dumps(asked)]
    done = subprocess.run(helper, cwd=folder.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folders


@pytest.mark.parametrize("some_are_stored", [False, True], ids=["first-run", "later-run"])
def test_the_next_run_ends_with_the_records_of_an_undisturbed_one(
    some_are_stored: bool, project: Path, config: Any, batch: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.collect.shard_rows = len(batch) // SHARDS
    if some_are_stored:
        with monkeypatch.context() as patch:
            patch.setattr(collect, "open_source", lambda *_: iter([batch[::3]]))
            collect.run(config)
    undisturbed, *killed = run_killed(project, config)
    expected = content(undisturbed)
    assert expected["id"].n_unique() == len(expected) == len(batch)
    whole = {f"{entry['shard']}.parquet": entry["bytes"] for entry in manifest(undisturbed)["shards"]}
    for folder in killed:
        after = json.loads((folder / "after.json").read_text())
        for name in whole.keys() & after.keys():
            assert after[name] == whole[name], f"{folder.name}: {name} is not whole under its final name"
        assert content(folder).equals(expected), folder.name
        assert {path.name for path in (folder / "data/raw").iterdir()} == {*whole, "manifest.json"}
        assert [path.name for path in (folder / "data/.collecting").iterdir()] == ["lock"]
