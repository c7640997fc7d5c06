"""Data and lock agree, whatever git does: clone, switch and merge, with real git and real DVC."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from omegaconf import DictConfig, OmegaConf

import fullstack_ml
from fullstack_ml.pipeline.tables import LABEL

pytestmark = pytest.mark.task("tabular-classification")
COLLECT = f"{sys.executable} -m fullstack_ml.data.collect --config-dir . --config-name params"
STAGES = {
    "collect": {
        "cmd": COLLECT,
        "deps": ["params.yaml"],
        "outs": [{"data/raw": {"persist": True}}, {"data/raw.lock": {"cache": False, "persist": True}}],
    }
}
CONFIG = """[core]
    autostage = true
    remote = team
['remote "team"']
    url = ../../remote
"""


@dataclass
class Clone:
    """A clone of the project, on the machine of one of the team."""

    folder: Path
    environment: dict[str, str]

    def type(self, command: str) -> subprocess.CompletedProcess[str]:
        """Type a line into a shell."""
        return subprocess.run(
            command, shell=True, cwd=self.folder, env=self.environment, capture_output=True, text=True
        )

    def ok(self, command: str) -> str:
        """Type a line that has to succeed."""
        done = self.type(command)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def give(self, rows: pl.DataFrame, name: str) -> None:
        """Lay a new file of rows into the inbox."""
        (self.folder / "data/inbox").mkdir(parents=True, exist_ok=True)
        rows.write_csv(self.folder / f"data/inbox/{name}.csv")

    def append(self, rows: pl.DataFrame, name: str) -> None:
        """Collect a new file of rows, and commit what came of it."""
        self.give(rows, name)
        self.ok("dvc repro --force && git add -A && git commit -qm rows")

    def clone(self, name: str) -> "Clone":
        """Clone what is committed: no data and no cache."""
        self.ok(f"git clone -q . ../{name}")
        return Clone(self.folder.parent / name, self.environment)

    def stored(self) -> list[str]:
        """Return the ids that the manifest lists, in their order."""
        shards = json.loads((self.folder / "data/raw/manifest.json").read_text(encoding="utf-8"))["shards"]
        files = [self.folder / f"data/raw/{shard['shard']}.parquet" for shard in shards]
        assert {path.name for path in (self.folder / "data/raw").glob("*.parquet")} == {path.name for path in files}
        ids: list[str] = pl.concat(map(pl.read_parquet, files))["id"].to_list()
        assert len({*ids}) == len(ids)
        return ids


@pytest.fixture(scope="module")
def table(source_options: dict[str, Any]) -> pl.DataFrame:
    """Rows to collect from."""
    return pl.read_csv(source_options["path"])


@pytest.fixture(scope="module")
def begun(root: Path, composed: DictConfig, table: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A project with 480 rows that are committed and pushed, beside the remote of DVC; only copy it."""
    place = tmp_path_factory.mktemp("begun")
    folder = place / "first"
    shutil.copytree(root, folder)
    options = {**composed.source.options, "path": "data/inbox/*.csv"}
    asked = OmegaConf.merge(composed, {"source": {"options": options}})
    (folder / "params.yaml").write_text(OmegaConf.to_yaml(asked), encoding="utf-8")
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}), encoding="utf-8")
    # What DVC knows of a folder's files is kept by machine.
    own = {f"DVC_{name}": str(place / name) for name in ("GLOBAL_CONFIG_DIR", "SYSTEM_CONFIG_DIR", "SITE_CACHE_DIR")}
    people = {f"GIT_{role}_{part}": "a@b" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    code = os.pathsep.join([str(Path(fullstack_ml.__file__).parents[1]), "src"])
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    clone = Clone(folder, {**os.environ, **own, **people, "PYTHONPATH": code, "PATH": path, "DVC_NO_ANALYTICS": "1"})
    clone.ok("git init -q -b main && dvc init -q")
    (folder / ".dvc/config").write_text(CONFIG, encoding="utf-8")
    clone.append(table[:480], "first")
    clone.ok("dvc push")
    return clone


@pytest.fixture
def first(begun: Clone, tmp_path: Path) -> Clone:
    """A project of its own with 480 rows, beside its remote."""
    shutil.copytree(begun.folder.parent, tmp_path, dirs_exist_ok=True, symlinks=True)
    return Clone(tmp_path / "first", begun.environment)


def test_a_clone_without_dvc_pull_gets_the_rows_and_does_not_replace_them(first: Clone, table: pl.DataFrame) -> None:
    second = first.clone("second")
    second.append(table[480:560], "new")
    assert second.stored()[:480] == first.stored()
    assert len(second.stored()) == 560


def test_rows_of_one_branch_do_not_become_those_of_another(first: Clone, table: pl.DataFrame) -> None:
    first.ok("git switch -qc theirs")
    first.append(table[480:560], "theirs")
    theirs = first.stored()
    first.ok("git switch -q main && rm data/inbox/theirs.csv")
    first.append(table[560:600], "ours")
    assert len(first.stored()) == 520
    first.ok("git switch -q theirs && rm data/inbox/ours.csv && dvc repro")
    assert first.stored() == theirs
    assert first.ok("git status --porcelain") == ""


def test_after_a_merge_the_rows_of_both_are_there_each_once_and_without_those_forgotten(
    first: Clone, table: pl.DataFrame
) -> None:
    second = first.clone("second")
    record = first.stored()[7]
    first.ok(f"{sys.executable} -m fullstack_ml.data.forget --id {record}")
    first.append(table[480:560], "ours")
    second.append(table[530:610], "theirs")  # 30 rows in both
    second.ok("dvc push")
    # The commands of docs/2-data/collection.md.
    assert "CONFLICT (content): Merge conflict in dvc.lock" in first.type("git pull --no-rebase ../second main").stdout
    first.ok("git add -A && git commit -qm 'Merge the rows of second'")
    first.ok("dvc repro")
    both = first.stored()
    assert (len(both), record in both) == (609, False)
    first.ok("git add -A && git commit -qm 'Train with both' && dvc push")
    assert len((first.folder / "data/raw.lock").read_text(encoding="utf-8").splitlines()) == 1
    second.ok("git pull -q ../first main && dvc repro")
    assert second.stored() == both
    assert second.ok("git status --porcelain") == ""


def mending(done: subprocess.CompletedProcess[str], what: str, where: str = "data/raw.lock") -> str:
    """Check that a command ended with three lines, and return the one of them that mends it."""
    lines = done.stderr.strip().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("error: "))
    assert what in lines[start]
    assert lines[start + 1] == f"where: {where}"
    return lines[start + 2].removeprefix("fix:   ")


def test_rows_that_are_out_of_reach_stop_the_stage_with_commands_that_mend_it(
    first: Clone, tmp_path: Path, table: pl.DataFrame
) -> None:
    shutil.rmtree(tmp_path / "remote")
    second = first.clone("second")
    second.give(table[480:560], "new")
    fix = mending(second.type("dvc repro"), "1 manifest(s) of data/raw that git names are neither here nor")
    assert not (second.folder / "data/raw").exists()
    assert "dvc push where it was made, then make here" in fix
    assert "rm -rf data/raw data/raw.lock, then make" in fix
    third = first.clone("third")
    third.give(table[480:560], "new")
    third.ok("rm -rf data/raw data/raw.lock && dvc repro")
    assert len(third.stored()) == 80
    first.ok("dvc push")
    second.ok("dvc repro")
    assert len(second.stored()) == 560


@pytest.mark.parametrize(("way", "rows"), [("rm data/raw.lock", 560), ("rm -r data/raw", 480)])
def test_rows_that_are_kept_nowhere_else_are_not_replaced(
    way: str, rows: int, first: Clone, table: pl.DataFrame
) -> None:
    first.give(table[480:560], "new")
    first.ok(COLLECT)  # as when DVC was killed after it
    first.ok("rm data/inbox/new.csv && git checkout -q data/raw.lock")
    fix = mending(first.type("dvc repro"), "data/raw is not what git names here, and DVC keeps no copy of it")
    assert way in fix
    first.ok(f"{way} && dvc repro")
    assert len(first.stored()) == rows


HELD = f"{sys.executable} -m fullstack_ml.data.label.held"
ROUND = "data/labels/pilot.parquet"


def say(clone: Clone, *labels: tuple[str, str, str, int], commit: bool = True) -> None:
    """Let people label records of the pilot: id, label, annotator, minute; commit what they said."""
    rows = [
        {"id": record, "label": label, "annotator": who, "round": "pilot", "guide_version": "1.0"}
        | {"annotated_at": datetime(2026, 1, 1, 0, minute, tzinfo=UTC), "seconds": 1.0, "note": None}
        for record, label, who, minute in labels
    ]
    (clone.folder / "data/labels").mkdir(exist_ok=True)
    pl.DataFrame(rows, schema=LABEL).write_parquet(clone.folder / ROUND)
    if commit:
        clone.ok(f"dvc add -q {ROUND} && git add -A && git commit -qm labels")


def said(clone: Clone) -> list[tuple[str, str, str]]:
    """Return the labels that lie there: id, annotator, label."""
    return sorted(pl.read_parquet(clone.folder / ROUND).select("id", "annotator", "label").iter_rows())


def test_labels_of_one_branch_do_not_become_those_of_another(first: Clone) -> None:
    say(first, ("a", "yes", "kim", 0))
    first.ok("git switch -qc theirs")
    say(first, ("a", "no", "kim", 1))
    first.ok("git switch -q main")
    assert said(first) == [("a", "kim", "no")]  # git switches, and DVC does not
    assert first.ok(HELD) == f"labels: {ROUND} is now what git names\n"
    assert said(first) == [("a", "kim", "yes")]
    assert first.ok(HELD) == ""
    assert first.ok("git status --porcelain") == ""
    second = first.clone("second")
    first.ok("dvc push -q")
    second.ok(HELD)
    assert said(second) == [("a", "kim", "yes")]


def test_after_a_merge_the_labels_of_both_are_there_and_of_two_by_one_person_the_later(first: Clone) -> None:
    say(first, ("a", "yes", "kim", 0))
    first.ok("dvc push -q")
    second = first.clone("second")
    say(first, ("a", "yes", "kim", 0), ("b", "yes", "kim", 5), ("c", "yes", "kim", 9))
    say(second, ("a", "yes", "kim", 0), ("b", "no", "kim", 7), ("c", "no", "kim", 8), ("c", "no", "lee", 1))
    second.ok("dvc push -q")
    first.ok("git pull -q --no-rebase ../second main")
    first.ok(HELD)
    assert said(first) == [("a", "kim", "yes"), ("b", "kim", "no"), ("c", "kim", "yes"), ("c", "lee", "no")]
    first.ok("git add -A && git commit -qm 'Labels of both' && dvc push -q")
    second.ok(f"git pull -q ../first main && {HELD}")
    assert said(second) == said(first)
    assert second.ok("git status --porcelain") == ""


@pytest.mark.parametrize(("way", "label"), [("dvc add", "changed"), ("dvc checkout --force", "yes")])
def test_a_table_of_labels_that_was_changed_by_hand_is_not_replaced(way: str, label: str, first: Clone) -> None:
    say(first, ("a", "yes", "kim", 0))
    say(first, ("a", "changed", "kim", 0), commit=False)
    fix = mending(first.type(HELD), f"{ROUND} is not the table that git names", f"{ROUND}.dvc")
    [command] = [part.split(": ")[1] for part in fix.split("; ") if way in part]
    first.ok(f"{command} && {HELD}")
    assert said(first) == [("a", "kim", label)]


def test_labels_that_are_out_of_reach_stop_make_with_commands_that_mend_it(first: Clone) -> None:
    say(first, ("a", "yes", "kim", 0))
    second = first.clone("second")
    fix = mending(second.type(HELD), f"{ROUND}, as git names it, is neither here nor", f"{ROUND}.dvc")
    third = first.clone("third")
    third.ok(f"{fix.split('do without it: ')[1]} && {HELD}")
    first.ok("dvc push -q")
    second.ok(HELD)
    assert said(second) == said(first)
