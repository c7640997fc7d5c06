"""Source files on images: a folder per label."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import fsspec
import polars as pl
import pytest
from PIL import Image

from fullstack_ml.data.collect import __main__ as collect
from fullstack_ml.data.collect.sources import files

pytestmark = pytest.mark.task("image-classification")

Refused = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """A folder with two images per label."""
    for label, grey in (("one", 10), ("two", 200)):
        (tmp_path / label).mkdir()
        for i in range(2):
            Image.new("L", (4, 4), grey + i).save(tmp_path / label / f"{i}.png")
    return tmp_path


def read(product: Any, inbox: Path, **options: Any) -> pl.DataFrame:
    """Read everything below the folder."""
    return pl.concat(files.read(product, path=str(inbox), licence="internal", kind="scan", **options))


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


def test_hidden_files_are_passed_over(product: Any, inbox: Path) -> None:
    (inbox / "one" / ".DS_Store").write_text("x")
    (inbox / ".cache").mkdir()
    shutil.copy(inbox / "one/0.png", inbox / ".cache/0.png")
    assert len(read(product, inbox)) == 4


def test_a_loose_image_is_a_record_without_a_label(product: Any, inbox: Path) -> None:
    shutil.copy(inbox / "one/0.png", inbox / "loose.png")
    assert read(product, inbox).sort("source")["source_label"].to_list() == [None, "one", "one", "two", "two"]


def test_a_folder_without_labels_is_a_source_too(product: Any, inbox: Path) -> None:
    for label in ("one", "two"):
        for file in (inbox / label).iterdir():
            file.rename(inbox / f"{label}-{file.name}")
    assert read(product, inbox)["source_label"].to_list() == [None] * 4


@pytest.mark.parametrize(
    ("which", "labels"), [("first", ["one", "one", "two", "two"]), ("last", ["b", "b", "c", "c"]), (None, [None] * 4)]
)
def test_folders_may_lie_at_any_depth(which: str | None, labels: list[str | None], product: Any, inbox: Path) -> None:
    for label, inner in (("one", "b"), ("two", "c")):
        (inbox / label / "a" / inner).mkdir(parents=True)
        for file in (inbox / label).glob("*.png"):
            file.rename(inbox / label / "a" / inner / file.name)
    found = read(product, inbox, label_folder=which)
    assert found["source_label"].to_list() == labels
    assert found["source"][0] == f"{inbox}/one/a/b/0.png"


def test_a_place_for_the_label_that_there_is_not_is_refused(product: Any, inbox: Path, refused: Refused) -> None:
    with refused("label_folder is 'middle'", "conf/source/files.yaml", "first, last"):
        read(product, inbox, label_folder="middle")


@pytest.mark.parametrize("suffix", [".JPG", ".Jpeg", ".bmp", ".tiff"])
def test_images_have_many_suffixes(suffix: str, product: Any, inbox: Path) -> None:
    Image.new("L", (4, 4)).save(inbox / "one" / f"x{suffix}")
    assert read(product, inbox)["rejected"].null_count() == 5


def test_images_of_one_label_are_refused(product: Any, inbox: Path, refused: Refused) -> None:
    for file in (inbox / "two").iterdir():
        file.unlink()
    with refused("images of 1 label: one", "conf/source/files.yaml", "one sub-folder of images for each"):
        read(product, inbox)


def test_an_empty_folder_is_refused(product: Any, tmp_path: Path, refused: Refused) -> None:
    with refused("holds no image"):
        read(product, tmp_path)


def test_many_images_come_in_batches(product: Any, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "BATCH_IMAGES", 3)
    sizes = [len(batch) for batch in files.read(product, path=str(inbox), licence="internal", kind="scan")]
    assert sizes == [3, 1]


def test_a_batch_without_an_image_is_no_end(product: Any, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (inbox / "one" / "notes.txt").write_text("x")
    monkeypatch.setattr(files, "BATCH_IMAGES", 1)
    assert read(product, inbox)["rejected"].null_count() == 4


@pytest.mark.parametrize("where", ["disk", "memory", "zip"])
def test_a_name_is_no_pattern(where: str, product: Any, inbox: Path, tmp_path_factory: Any) -> None:
    picture = (inbox / "one/0.png").read_bytes()
    names = ["a*b.png", "scan[1].png", "why?.png"]
    for name in names:
        (inbox / "one" / name).write_bytes(picture)
    folder = tmp_path_factory.mktemp("elsewhere") / "batch [1]"
    shutil.copytree(inbox, folder)
    paths = {"disk": str(folder), "memory": "memory://batch [1]", "zip": f"zip://batch [1]::{folder.parent}/a.zip"}
    if where == "memory":  # which all tests share: a second copy would land in the first
        fsspec.filesystem("memory").put(str(inbox), "/batch [1]", recursive=True)
    shutil.make_archive(str(folder.parent / "a"), "zip", folder.parent, folder.name)
    found = pl.concat(files.read(product, paths[where], licence="internal", kind="scan"))
    assert found["rejected"].null_count() == len(found) == 4 + len(names)
    ours = found.filter(pl.col("source").is_in([f"{paths[where]}/one/{name}" for name in names]))
    assert ours["payload"].to_list() == [picture] * len(names)


def test_images_of_one_group_are_told_by_their_names(product: Any, inbox: Path) -> None:
    for name in ("one/p7_1.png", "two/p7_2.png", "two/p8_1.png"):
        shutil.copy(inbox / "one/0.png", inbox / name)
    found = read(product, inbox, group="^(.+)_")
    named = found.filter(pl.col("rejected").is_null())
    assert dict(named.select("source", "group").iter_rows()) == {
        f"{inbox}/one/p7_1.png": "p7",
        f"{inbox}/two/p7_2.png": "p7",
        f"{inbox}/two/p8_1.png": "p8",
    }
    alone = found.filter(pl.col("rejected").is_not_null())
    assert alone["rejected"].unique().to_list() == ["no group ^(.+)_ in its name"]
    assert len(alone) == 4, "a person's other images would come into another split"


@pytest.mark.parametrize("group", ["patient", "(.)(.)", "(", ""])
def test_a_group_that_finds_nothing_in_a_name_is_refused(
    group: str, product: Any, inbox: Path, refused: Refused
) -> None:
    with refused(f"group {group!r} is no regular expression", "conf/source/files.yaml", "before the last underscore"):
        read(product, inbox, group=group)


def test_a_broken_picture_is_kept_out_by_name_and_the_others_come_in(
    project: Path, config: Any, inbox: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for label in ("one", "two"):
        shutil.copytree(inbox / label, f"pictures/{label}")
    inbox = Path("pictures").resolve()
    whole = (inbox / "one/0.png").read_bytes()
    (inbox / "one/cut.png").write_bytes(whole[: len(whole) - 30])
    (inbox / "two/letter.jpg").write_text("no picture", encoding="utf-8")
    config.source.name, config.source.options = "files", {"path": str(inbox), "licence": "internal", "kind": "scan"}
    collect.run(config)
    stored = pl.concat([pl.read_parquet(path) for path in sorted(Path("data/raw").glob("*.parquet"))])
    assert sorted(Path(source).name for source in stored["source"]) == ["0.png", "0.png", "1.png", "1.png"]
    rejected = pl.read_parquet("data/rejected/collect.parquet").sort("source")
    assert [Path(source).name for source in rejected["source"]] == ["cut.png", "letter.jpg"]
    assert "unreadable image" in rejected["reason"][0]
    assert "no image" in rejected["reason"][1]
    told = capsys.readouterr().out
    assert "6 read: 4 new" in told
    assert "cut.png" in told
