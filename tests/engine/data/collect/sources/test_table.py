"""Source files on a table: CSV or Parquet, with named columns."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullstack_ml.data.collect.sources import files

pytestmark = pytest.mark.task("tabular-classification")

Refused = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def table(product: Any) -> pl.DataFrame:
    """Four rows of two labels and two patients, with a column that the contract does not know."""
    columns = {
        feature.name: [feature.low + i / 8 * (feature.high - feature.low) for i in range(4)]
        for feature in product.formulation.input.features
    }
    return pl.DataFrame({"answer": ["a", "b", "a", "b"], "patient": ["p", "p", "q", "q"], "note": "x", **columns})


def read(product: Any, file: Path, label: str | None = "answer", group: str | None = None) -> pl.DataFrame:
    """Read the whole file."""
    return pl.concat(files.read(product, path=str(file), licence="internal", kind="k", label=label, group=group))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_features_label_and_group_are_read_by_name(
    suffix: str, product: Any, table: pl.DataFrame, tmp_path: Path
) -> None:
    file = tmp_path / f"table{suffix}"
    table.write_csv(file) if suffix == ".csv" else table.write_parquet(file)
    found = read(product, file, group="patient")
    names = [feature.name for feature in product.formulation.input.features]
    assert found.select(names).equals(table.select(names))
    assert found["source_label"].to_list() == ["a", "b", "a", "b"]
    assert found["group"].to_list() == ["p", "p", "q", "q"]
    assert "note" not in found.columns


def test_a_table_without_labels_or_groups_has_none(product: Any, table: pl.DataFrame, tmp_path: Path) -> None:
    table.write_csv(tmp_path / "table.csv")
    found = read(product, tmp_path / "table.csv", label=None)
    assert found["source_label"].null_count() == found["group"].null_count() == 4


@pytest.mark.parametrize("column", ["feature", "answer", "patient"])
def test_a_missing_column_is_named_with_those_that_are_there(
    column: str, product: Any, table: pl.DataFrame, tmp_path: Path, refused: Refused
) -> None:
    column = product.formulation.input.features[0].name if column == "feature" else column
    table.drop(column).write_csv(tmp_path / "table.csv")
    with refused(column, "conf/source/files.yaml", "note"):
        read(product, tmp_path / "table.csv", group="patient")


def test_a_value_that_is_no_number_is_rejected_with_its_row(product: Any, table: pl.DataFrame, tmp_path: Path) -> None:
    name = product.formulation.input.features[0].name
    text = [str(value) for value in table[name]]
    table.with_columns(pl.Series(name, [*text[:2], "n/a", text[3]])).write_csv(tmp_path / "table.csv")
    found = read(product, tmp_path / "table.csv")
    bad = found.filter(pl.col("rejected").is_not_null())
    assert len(found) - len(bad) == 3
    assert "#row 3" in bad["source"][0]


def test_a_table_of_one_label_is_refused(product: Any, table: pl.DataFrame, tmp_path: Path, refused: Refused) -> None:
    table.filter(pl.col("answer") == "a").write_csv(tmp_path / "table.csv")
    with refused("holds one label only, 'a'", "conf/source/files.yaml", "two labels"):
        read(product, tmp_path / "table.csv")


def test_a_table_without_a_label_or_a_row_says_so(
    product: Any, table: pl.DataFrame, tmp_path: Path, refused: Refused
) -> None:
    table.with_columns(answer=None).write_csv(tmp_path / "table.csv")
    with refused("holds no label", "conf/source/files.yaml"):
        read(product, tmp_path / "table.csv")
    table.clear().write_csv(tmp_path / "table.csv")
    with refused("holds no row", "conf/source/files.yaml"):
        read(product, tmp_path / "table.csv")


@pytest.mark.parametrize(
    ("content", "what", "fix"),
    [
        (b"answer,note,note\na,1,2\n", "has a column twice", "its own name"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "is unreadable", "give a CSV file"),
        (b"answer;note\na;1\n", "lacks the column(s)", "by commas"),
        (b"answer;note\na;1,5\n", "is unreadable", "comma-separated, with a decimal point"),
        (b"answer,note\na,1\nb\n", "is unreadable", "every row as long as the first"),
        ("answer,note\na,schön\n".encode("latin-1"), "is unreadable", "UTF-8"),
    ],
    ids=["twice", "png", "semicolon", "decimal-comma", "ragged", "latin-1"],
)
def test_a_file_of_another_form_says_which_form_to_give(
    content: bytes, what: str, fix: str, product: Any, tmp_path: Path, refused: Refused
) -> None:
    (tmp_path / "table.csv").write_bytes(content)
    with refused(what, "conf/source/files.yaml", fix):
        read(product, tmp_path / "table.csv")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_that_is_no_table_is_refused(suffix: str, product: Any, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / f"table{suffix}").write_bytes(b"\x00\xff" * 100)
    with refused("", "conf/source/files.yaml"):
        read(product, tmp_path / f"table{suffix}")
