"""Stage collect, killed: at whatever line it dies, the next run ends with the records of an undisturbed one.

A helper process imports the stage once and forks: a child counts the lines that a run executes in the package, others
are killed (SIGKILL) at a line drawn by lot, and then run again undisturbed.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullstack_ml.data.collect import __main__ as collect

POINTS = 30  # at which a run is killed: first on an empty project, then on one that holds records
SHARDS = 5  # several are written, and several may be lost

# Reads {"package", "points", "source", "rows"}; runs in the folder "counted", then twice in the folder of each point.
# A point is one of the lines that write, at its first, its last or any other time: rare lines are drawn as often as
# those of a loop.
HELPER = """
import collections, json, os, random, signal, sys, threading
from importlib import import_module
from types import SimpleNamespace

asked = json.loads(sys.argv[1])
collect = import_module(asked["package"] + ".data.collect.__main__")
import_module(asked["package"] + ".data.collect.sources.files")
root = os.path.dirname(os.path.dirname(os.path.dirname(collect.__file__)))
names = ("data/collect/__main__", "data/store/manifest", "data/store/shards", "data/collect/rejects")
names += ("workspace/files", "pipeline/tables")
watched = {os.path.join(root, name + ".py") for name in names}
config = SimpleNamespace(
    source=SimpleNamespace(**asked["source"]),
    collect=SimpleNamespace(shard_rows=asked["rows"], shard_mib=64, max_rejected=100),
)

def traced(point=None, time=0):
    count = collections.Counter()
    def lines(frame, event, argument):
        if event == "line":
            place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
            count[place] += 1
            if place == point and count[place] == time:
                os.kill(os.getpid(), signal.SIGKILL)
        return lines
    def calls(frame, event, argument):
        return lines if frame.f_code.co_filename in watched else None
    threading.settrace(calls)
    sys.settrace(calls)
    collect.run(config)
    sys.settrace(None)
    return count

def forked(folder, work):
    child = os.fork()
    if not child:
        os.chdir(folder)
        sys.stdout = open(os.devnull, "w")
        work()
        os._exit(0)
    return os.waitpid(child, 0)[1]

def count():
    with open("lines.json", "w") as file:
        json.dump(traced(), file)

assert forked("counted", count) == 0
lines = json.load(open("counted/lines.json"))
draw = random.Random(1)
for folder, place in zip(asked["points"], draw.sample(sorted(lines), len(asked["points"]))):
    time = draw.choice([1, draw.randint(1, lines[place]), lines[place]])
    ended = forked(folder, lambda: traced(place, time))
    assert os.WIFSIGNALED(ended) and os.WTERMSIG(ended) == signal.SIGKILL, (ended, place, time)
    raw = os.path.join(folder, "data", "raw")
    sizes = {entry.name: entry.stat().st_size for entry in os.scandir(raw)} if os.path.isdir(raw) else {}
    listed = os.path.join(raw, "manifest.json")
    shards = json.load(open(listed))["shards"] if os.path.exists(listed) else []
    with open(os.path.join(folder, "after.json"), "w") as file:
        json.dump({"place": f"{place} {time}", "sizes": sizes, "listed": shards}, file)
    assert forked(folder, lambda: collect.run(config)) == 0, (place, time)
"""


def manifest(folder: Path) -> Any:
    """Read the manifest of the raw data."""
    return json.loads((folder / "data/raw/manifest.json").read_text())


def content(folder: Path) -> pl.DataFrame:
    """Read what is stored, without the time at which it was."""
    listed = [folder / f"data/raw/{entry['shard']}.parquet" for entry in manifest(folder)["shards"]]
    return pl.concat(pl.read_parquet(path) for path in listed).drop("collected_at")


def rows(shards: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """Return name and rows of shards."""
    return [(entry["shard"], entry["rows"]) for entry in shards]


def run_killed(folder: Path, config: Any) -> list[Path]:
    """Copy the project ``folder``: in the first copy collect runs undisturbed, in the others it dies, then runs."""
    points = [f"point-{i}" for i in range(POINTS)]
    folders = [folder.parent / name for name in ("counted", *points)]
    for copy in folders:
        shutil.copytree(folder, copy)
    asked: dict[str, Any] = {"package": collect.__package__.removesuffix(".data.collect"), "points": points}
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
    before: list[Any] = []
    if some_are_stored:
        with monkeypatch.context() as patch:
            patch.setattr(collect, "open_source", lambda *_: iter([batch[::3]]))
            collect.run(config)
        before = manifest(project)["shards"]
    undisturbed, *killed = run_killed(project, config)
    expected, shards = content(undisturbed), manifest(undisturbed)["shards"]
    assert expected["id"].n_unique() == len(expected) == len(batch)
    names = {f"{entry['shard']}.parquet" for entry in shards}
    for folder in killed:
        after = json.loads((folder / "after.json").read_text())
        seen = [(entry["shard"], entry["rows"]) for entry in after["listed"]]  # what a reader finds after the kill
        assert seen in [[(entry["shard"], entry["rows"]) for entry in part] for part in (before, shards)], after[
            "place"
        ]
        for entry in after["listed"]:
            assert after["sizes"][f"{entry['shard']}.parquet"] == entry["bytes"], after["place"]
        assert content(folder).equals(expected), after["place"]
        assert {path.name for path in (folder / "data/raw").iterdir()} == {*names, "manifest.json"}, after["place"]
        assert [path.name for path in (folder / "data/.collecting").iterdir()] == ["lock"], after["place"]
