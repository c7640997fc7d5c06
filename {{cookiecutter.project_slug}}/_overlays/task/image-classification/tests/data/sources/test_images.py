"""Source files on images: a folder per label."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image

from {{cookiecutter.__package}}.data.sources import files

Refused = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """A folder with two images per label."""
    for label, grey in (("one", 10), ("two", 200)):
        (tmp_path / label).mkdir()
        for i in range(2):
            Image.new("L", (4, 4), grey + i).save(tmp_path / label / f"{i}.png")
    return tmp_path


def read(product: Any, inbox: Path) -> pl.DataFrame:
    """Read everything below the folder."""
    return pl.concat(files.read(product, path=str(inbox), licence="internal", kind="scan"))


def test_the_label_of_an_image_is_the_name_of_its_folder(product: Any, inbox: Path) -> None:
    found = read(product, inbox)
    assert found["source_label"].to_list() == ["one", "one", "two", "two"]
    names = ("one/0.png", "one/1.png", "two/0.png", "two/1.png")
    assert found["source"].to_list() == [f"{inbox}/{name}" for name in names]
    assert found["payload"][0] == (inbox / "one/0.png").read_bytes()


def test_what_is_no_image_is_rejected_by_name(product: Any, inbox: Path) -> None:
    (inbox / "one" / "notes.txt").write_text("x")
    (inbox / "two" / "empty.png").touch()
    found = read(product, inbox).filter(pl.col("rejected").is_not_null())
    assert found["source"].to_list() == [f"{inbox}/one/notes.txt", f"{inbox}/two/empty.png"]


def test_hidden_files_and_loose_ones_are_passed_over(product: Any, inbox: Path) -> None:
    (inbox / "one" / ".DS_Store").write_text("x")
    (inbox / "loose.png").write_bytes((inbox / "one/0.png").read_bytes())
    assert len(read(product, inbox)) == 4


@pytest.mark.parametrize("suffix", [".JPG", ".Jpeg", ".bmp", ".tiff"])
def test_images_have_many_suffixes(suffix: str, product: Any, inbox: Path) -> None:
    Image.new("L", (4, 4)).save(inbox / "one" / f"x{suffix}")
    assert read(product, inbox)["rejected"].null_count() == 5


def test_images_of_one_label_are_refused(product: Any, inbox: Path, refused: Refused) -> None:
    for file in (inbox / "two").iterdir():
        file.unlink()
    with refused("images of 1 label(s): one", "conf/source/files.yaml", "one sub-folder of images for each"):
        read(product, inbox)


def test_an_empty_folder_is_refused(product: Any, tmp_path: Path, refused: Refused) -> None:
    with refused("images of 0 label(s): none"):
        read(product, tmp_path)


def test_many_images_come_in_batches(product: Any, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "BATCH_IMAGES", 3)
    sizes = [len(batch) for batch in files.read(product, path=str(inbox), licence="internal", kind="scan")]
    assert sizes == [3, 1]
