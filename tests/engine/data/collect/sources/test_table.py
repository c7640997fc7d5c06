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


def read(product: Any, file: Path | str, label: str | None = "answer", group: str | None = None) -> pl.DataFrame:
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
    table.with_columns(pl.Series(name, [*text[:2], "many", text[3]])).write_csv(tmp_path / "table.csv")
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
        (b"answer,note,note\na,1,2\n", "has a column twice: 'note'", "its own name"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "is unreadable", "give a CSV file"),
        (b"answer,note\na,1\nb\n", "line 3 has 1 cells, the header has 2", "bad_rows: keep-out"),
        (b"Answer,note\na,1\n", "lacks the column(s)", "'Answer', 'note'"),
    ],
    ids=["twice", "png", "ragged", "other-columns"],
)
def test_a_file_of_another_form_says_which_form_to_give(
    content: bytes, what: str, fix: str, product: Any, tmp_path: Path, refused: Refused
) -> None:
    (tmp_path / "table.csv").write_bytes(content)
    with refused(what, "conf/source/files.yaml", fix):
        read(product, tmp_path / "table.csv")


def test_the_nearest_name_of_a_missing_column_is_told(
    product: Any, table: pl.DataFrame, tmp_path: Path, refused: Refused
) -> None:
    table.rename({"answer": "Answer"}).write_csv(tmp_path / "table.csv")
    with refused("lacks the column(s) 'answer'", "conf/source/files.yaml", "did you mean 'Answer'?"):
        read(product, tmp_path / "table.csv")


def semicolons(table: pl.DataFrame) -> bytes:
    """Write a table as a German spreadsheet does."""
    lines = [";".join(table.columns)]
    lines += [
        ";".join(str(value).replace(".", ",") if isinstance(value, float) else value for value in row)
        for row in table.rows()
    ]
    return "\n".join(lines).encode()


def test_a_table_with_semicolons_and_decimal_commas_is_read_and_said(
    product: Any, table: pl.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "table.csv").write_bytes(semicolons(table))
    names = [feature.name for feature in product.formulation.input.features]
    assert read(product, tmp_path / "table.csv").select(names).equals(table.select(names))
    said = capsys.readouterr().out
    assert "table.csv: 4 rows; separated by semicolons; numbers with a decimal comma" in said


@pytest.mark.parametrize("path", ["inbox", "inbox/", "inbox/*.csv"])
def test_all_tables_of_a_folder_or_a_pattern_are_read(
    path: str, product: Any, table: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("inbox").mkdir()
    table[:1].write_csv("inbox/a.csv")  # of one label, as a file of many may be
    (tmp_path / "inbox/b.csv").write_bytes(semicolons(table[1:]))
    Path("inbox/README.md").write_text("no table", encoding="utf-8")
    Path("inbox/.hidden.csv").write_text("no table", encoding="utf-8")
    found = read(product, path)
    assert found["source_label"].to_list() == ["a", "b", "a", "b"]
    assert found["source"].to_list() == ["inbox/a.csv", *["inbox/b.csv"] * 3]


def test_a_folder_without_a_table_says_so(product: Any, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "note.md").touch()
    with refused("no table is there, but 1 other file(s)", "conf/source/files.yaml", ".xlsx"):
        read(product, tmp_path)


def test_bad_rows_are_kept_out_with_line_and_reason(product: Any, table: pl.DataFrame, tmp_path: Path) -> None:
    lines = table.write_csv().splitlines()
    (tmp_path / "table.csv").write_text("\n".join([*lines[:2], "a,p", *lines[2:]]), encoding="utf-8")
    options: dict[str, Any] = {
        "path": str(tmp_path / "table.csv"),
        "label": "answer",
        "bad_rows": "keep-out",
        "licence": "internal",
    }
    found = pl.concat(files.read(product, **options), how="diagonal")
    assert found.filter(pl.col("rejected").is_null())["source_label"].to_list() == ["a", "b", "a", "b"]
    bad = found.filter(pl.col("rejected").is_not_null()).select("source", "rejected", "record").rows()
    width = table.width
    assert bad == [(f"{options['path']}#line 3", f"line 3 has 2 cells, the header has {width}", "a,p")]


def test_kind_and_licence_are_the_contracts_own_where_none_is_given(
    product: Any, table: pl.DataFrame, tmp_path: Path
) -> None:
    table.write_csv(tmp_path / "table.csv")
    data = product.data.model_copy(update={"licences": ["internal"]})
    product = product.model_copy(update={"data": data})
    found = pl.concat(files.read(product, path=str(tmp_path / "table.csv"), label="answer"))
    assert found["kind"].unique().to_list() == [next(k.name for k in product.data.kinds if k.scope == "in")]
    assert found["licence"].unique().to_list() == ["internal"]


def test_one_of_several_licences_has_to_be_named(
    product: Any, table: pl.DataFrame, tmp_path: Path, refused: Refused
) -> None:
    table.write_csv(tmp_path / "table.csv")
    data = product.data.model_copy(update={"licences": ["CC0", "internal"]})
    with refused("licence is null, and product.yaml has 2", "conf/source/files.yaml", "CC0, internal"):
        list(files.read(product.model_copy(update={"data": data}), path=str(tmp_path / "table.csv"), label="answer"))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_that_is_no_table_is_refused(suffix: str, product: Any, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / f"table{suffix}").write_bytes(b"\x00\xff" * 100)
    with refused("", "conf/source/files.yaml"):
        read(product, tmp_path / f"table{suffix}")
