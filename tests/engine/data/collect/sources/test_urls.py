"""Source files from elsewhere than this disk, and files in the folder that are no records."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import polars as pl
import pytest

from fullstack_ml.data.collect.sources import files


@pytest.fixture
def in_memory(source_options: dict[str, Any]) -> str:
    """The drawn records on a file system that is no disk."""
    here = fsspec.filesystem("memory")
    here.put(source_options["path"], "/inbox/" + Path(source_options["path"]).name, recursive=True)
    return "memory://inbox/" + Path(source_options["path"]).name


def zipped(path: str, archive: Path) -> str:
    """Pack a file or a folder."""
    place = Path(path)
    shutil.make_archive(str(archive.with_suffix("")), "zip", place.parent, place.name)
    return f"zip://{place.name}::{archive}"


@pytest.mark.parametrize("where", ["memory", "zip"])
def test_any_file_system_gives_the_same_records(
    where: str, product: Any, source_options: dict[str, Any], in_memory: str, tmp_path: Path
) -> None:
    path = in_memory if where == "memory" else zipped(source_options["path"], tmp_path / "a.zip")
    found = pl.concat(files.read(product, **{**source_options, "path": path}))
    here = pl.concat(files.read(product, **source_options))
    assert found.drop("source").equals(here.drop("source"))
    assert found["source"].str.starts_with(path).all()


def test_an_unknown_file_system_is_named(
    product: Any, source_options: dict[str, Any], refused: Callable[..., Any]
) -> None:
    with refused("cannot be opened", "conf/source/files.yaml"):
        list(files.read(product, **{**source_options, "path": "nothing://here"}))
