"""Files are written whole or not at all."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from fullstack_ml.workspace import files

Refused = Callable[..., AbstractContextManager[None]]


def test_a_failure_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    with pytest.raises(RuntimeError), files.replacing(path) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [*tmp_path.iterdir()] == [path]


def test_a_killed_process_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    script = f"""
import os, signal
from pathlib import Path
from {files.__name__} import replacing
with replacing(Path({str(path)!r})) as temporary:
    temporary.write_text("half of the n")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    files.write_text(path, "new")
    assert path.read_text() == "new"
    assert [*tmp_path.iterdir()] == [path]


def test_what_another_process_is_writing_stays(tmp_path: Path) -> None:
    path, others = tmp_path / "report [1].json", tmp_path / f".report [1].json.{os.getppid()}.tmp"
    mine = tmp_path / ".report [1].json.draft.tmp"
    others.touch()
    mine.touch()
    files.write_text(path, "new")
    assert others.exists() and mine.exists()


def test_the_new_file_takes_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "text"
    files.write_text(path, "one")
    files.write_text(path, "zwölf")
    assert path.read_bytes() == "zwölf".encode()
    assert [*path.parent.iterdir()] == [path]


def test_a_reader_of_the_old_file_reads_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("old")
    with path.open() as reader:
        files.write_text(path, "something new")
        assert reader.read() == "old"


def test_the_old_file_is_there_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("old")
    with files.replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == path.parent
    assert path.read_text() == "new"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [object()]}], ids=["nan", "infinity", "object"])
def test_what_json_cannot_say_is_refused_and_leaves_the_old_file(value: object, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    with pytest.raises((ValueError, TypeError)):
        files.write_json(path, {"a": 1, "b": value})
    assert path.read_text() == "old"
    assert [*tmp_path.iterdir()] == [path]


def test_json_comes_back_as_it_was(tmp_path: Path) -> None:
    value = {"label": "Größe", "rows": [1, 2.5, None, True]}
    files.write_json(tmp_path / "a.json", value)
    assert files.read_json(tmp_path / "a.json") == value
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == value


@pytest.mark.parametrize("content", [b'{"rows": [1, 2', b"", b"<<<<<<< HEAD\n", b"\xff\xfe"])
def test_a_damaged_file_is_named_with_what_brings_it_back(content: bytes, tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(content)
    with refused("manifest.json is damaged", str(path), f"dvc checkout --force {path}"):
        files.read_json(path)


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    content = os.urandom(100_000)
    (tmp_path / "a").write_bytes(content)
    assert files.sha256(tmp_path / "a") == hashlib.sha256(content).hexdigest()
