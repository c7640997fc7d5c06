import hashlib
import io
import subprocess
import tarfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from fullstack_ml.edge import runtime

Refused = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files that the build takes for the tested ones."""
    folder = tmp_path / "engine"
    folder.mkdir()
    for name in runtime.FILES:
        (folder / name).write_bytes(name.encode())
    hashes = {name: hashlib.sha256(name.encode()).hexdigest() for name in runtime.FILES}
    monkeypatch.setattr(runtime, "FILES", hashes)
    monkeypatch.setenv("EDGE_RUNTIME", str(folder))
    return folder


@pytest.fixture
def registry(engine: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Stand in for npm and its registry; the list is the commands that were run."""
    commands: list[list[str]] = []

    def pack(command: list[str], **options: Any) -> None:
        commands.append(command)
        with tarfile.open(Path(command[-1]) / "package.tgz", "w:gz") as archive:
            for path in engine.iterdir():
                member = tarfile.TarInfo(f"package/dist/{path.name}")
                member.size = path.stat().st_size
                archive.addfile(member, io.BytesIO(path.read_bytes()))

    monkeypatch.delenv("EDGE_RUNTIME")
    monkeypatch.setattr(subprocess, "run", pack)
    return commands


def test_the_engine_is_fetched_once_and_kept(registry: list[list[str]]) -> None:
    first = runtime.fetch()
    assert sorted(path.name for path in first.iterdir()) == sorted(runtime.FILES)
    assert runtime.fetch() == first
    assert len(registry) == 1


def test_what_the_registry_brings_has_to_be_the_tested_file(
    registry: list[list[str]], engine: Path, refused: Refused
) -> None:
    (engine / "ort.wasm.min.mjs").write_text("changed on the way", encoding="utf-8")
    with refused("ort.wasm.min.mjs is not the file that was tested", runtime.PACKAGE):
        runtime.fetch()
    assert not (runtime.CACHE / "ort.wasm.min.mjs").exists()


def test_a_kept_file_that_was_changed_is_refused(registry: list[list[str]], refused: Refused) -> None:
    (runtime.fetch() / "ort.wasm.min.mjs").write_text("changed on the disk", encoding="utf-8")
    with refused("ort.wasm.min.mjs is not the file that was tested"):
        runtime.fetch()


def test_a_package_without_a_file_is_refused(registry: list[list[str]], engine: Path, refused: Refused) -> None:
    (engine / "ort.wasm.min.mjs").unlink()
    with refused("npm did not bring the engine", runtime.PACKAGE, "EDGE_RUNTIME"):
        runtime.fetch()


def test_a_folder_that_lacks_a_file_is_refused(engine: Path, refused: Refused) -> None:
    (engine / "ort.wasm.min.mjs").unlink()
    with refused("ort.wasm.min.mjs is not the file that was tested: its SHA-256 is missing", str(engine)):
        runtime.fetch()


def test_without_npm_uv_brings_it_along(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uv = tmp_path / "uv"
    uv.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert runtime.npm() == [str(uv), "tool", "run", "--quiet", "--from", runtime.NODE, "npm"]


def test_without_npm_and_uv_it_says_what_to_do(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    monkeypatch.delenv("EDGE_RUNTIME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with refused("neither npm nor uv", runtime.PACKAGE, "EDGE_RUNTIME"):
        runtime.fetch()


def test_a_registry_that_does_not_answer_is_named(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error network timeout' >&2\nexit 1\n", encoding="utf-8")
    npm.chmod(0o755)
    monkeypatch.delenv("EDGE_RUNTIME", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with refused("npm did not bring the engine: npm error network timeout", runtime.PACKAGE, "connect"):
        runtime.fetch()
