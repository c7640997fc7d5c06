"""A table beside a folder of pictures gives what folders do not: label, group, split, and columns for slices."""

import unicodedata
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image

from fullstack_ml.data.collect import __main__ as collect
from fullstack_ml.data.collect.sources import files
from fullstack_ml.data.validate.checks import schema_fault
from fullstack_ml.pipeline.tables import slice_mask
from fullstack_ml.product.contradictions import contradictions
from fullstack_ml.product.types import Slice

pytestmark = pytest.mark.task("image-classification")

Refused = Callable[..., AbstractContextManager[None]]
HEAD = "file,label,group,split,clinic"
ROWS = ["a/1.png,가위 & 풀,p1,train,01", "2.png,two,p2,test,북구", "b/3.png,,p1,,"]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Three pictures in folders that say nothing of a label, one more that no table names, and the table."""
    for i, folder in enumerate(("a", "b", "b", "c"), start=1):
        (tmp_path / "inbox" / folder).mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), 10 * i).save(tmp_path / "inbox" / folder / f"{i}.png")
    (tmp_path / "inbox/labels.csv").write_text("\n".join([HEAD, *ROWS]), encoding="utf-8")
    return tmp_path / "inbox"


@pytest.fixture
def by_clinic(product: Any) -> Any:
    """The contract with a column beside the record, and a slice by it."""
    part = Slice(id="north", column="clinic", equals="북구", reason="its scanner is old")
    data = product.data.model_copy(update={"columns": ["clinic"], "slices": [part]})
    return product.model_copy(update={"data": data})


def options(inbox: Path) -> dict[str, Any]:
    """Return the options of the source."""
    return {"path": str(inbox), "labels": str(inbox / "labels.csv"), "licence": "internal", "kind": "scan"}


def test_a_table_says_what_the_folders_do_not(by_clinic: Any, inbox: Path) -> None:
    found = pl.concat(files.read(by_clinic, **options(inbox)))
    assert found.select("source_label", "group", "given_split", "clinic").rows() == [
        ("가위 & 풀", "p1", "train", "01"),
        ("two", "p2", "test", "북구"),
        (None, "p1", None, None),
        (None, None, None, None),
    ]
    assert found["rejected"].null_count() == 4, "the table among the pictures is no broken picture"


def test_a_column_of_the_table_is_stored_and_selects_a_slice(
    project: Path, config: Any, by_clinic: Any, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "load", lambda: by_clinic)
    config.source.name, config.source.options = "files", options(inbox)
    collect.run(config)
    stored = pl.read_parquet("data/raw/*.parquet")
    assert schema_fault(stored, by_clinic) is None
    assert stored.filter(slice_mask(by_clinic.data.slices[0]))["source_label"].to_list() == ["two"]
    assert [finding for finding in contradictions(by_clinic) if finding[0][0] == "data"] == []


def test_a_column_that_the_source_does_not_have_is_refused(
    project: Path, config: Any, by_clinic: Any, inbox: Path, refused: Refused
) -> None:
    (inbox / "labels.csv").write_text("file,label\na/1.png,one\nb/2.png,two\n")
    with refused("lacks the column(s) 'clinic'", "conf/source/files.yaml", "it has 'file', 'label'"):
        list(files.read(by_clinic, **options(inbox)))


def test_a_column_of_a_name_that_is_taken_is_a_contradiction(product: Any) -> None:
    data = product.data.model_copy(update={"columns": ["ink", "clinic"], "slices": []})
    found = list(contradictions(product.model_copy(update={"data": data})))
    assert [finding[0] for finding in found if finding[0][0] == "data"] == [("data", "columns", 0)]


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("z/9.png,one,,,", "labels names 1 file(s)"),
        ("a/1.png,one,,,", "names the file 'a/1.png' twice"),
        ("c/4.png,one,,later,", "the split of c/4.png is 'later'"),
    ],
)
def test_a_row_that_cannot_be_right_is_refused(
    row: str, what: str, product: Any, inbox: Path, refused: Refused
) -> None:
    (inbox / "labels.csv").write_text("\n".join([HEAD, *ROWS, row]), encoding="utf-8")
    with refused(what, "conf/source/files.yaml"):
        list(files.read(product, **options(inbox)))


def test_names_as_macos_writes_them_are_those_that_people_type(product: Any, inbox: Path) -> None:
    """On its disks a syllable is written letter by letter; labels, groups and columns are what product.yaml says."""
    apart = partial(unicodedata.normalize, "NFD")
    (inbox / "a/1.png").rename(inbox / apart("a/사진 é.png"))
    table = "\n".join([HEAD, "사진 é.png,가위 & 풀,한글,train,01", "2.png,둘,p2,test,북구"])
    for listed in (table, apart(table)):
        (inbox / "labels.csv").write_text(listed, encoding="utf-8")
        found = pl.concat(files.read(product, **options(inbox)))
        first = found.row(0, named=True)
        assert (first["source_label"], first["group"]) == ("가위 & 풀", "한글")
        assert first["source"].endswith("/a/사진 é.png")
        assert found["source_label"].to_list()[1] == "둘"


def test_a_folder_as_macos_writes_it_is_a_label(product: Any, inbox: Path) -> None:
    (inbox / "labels.csv").unlink()
    (inbox / "a").rename(inbox / unicodedata.normalize("NFD", "잎사귀"))
    found = pl.concat(files.read(product, path=str(inbox), licence="internal", kind="scan", group="^(.+)[.]"))
    assert "잎사귀" in found["source_label"].to_list()
