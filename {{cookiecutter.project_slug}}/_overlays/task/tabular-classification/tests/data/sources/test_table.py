"""Source files on a table: CSV or Parquet, with named columns."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from {{cookiecutter.__package}}.data.sources import files

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
    with refused("column 'answer'", "conf/source/files.yaml", "two labels"):
        read(product, tmp_path / "table.csv")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_that_is_no_table_is_refused(suffix: str, product: Any, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / f"table{suffix}").write_bytes(b"\x00\xff" * 100)
    with refused("", "conf/source/files.yaml"):
        read(product, tmp_path / f"table{suffix}")
