"""Every row of a table counts: its name is its key, or its content and how often that came; the order never matters."""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullstack_ml.data.collect import __main__ as collect
from fullstack_ml.data.collect.sources import delimited
from fullstack_ml.data.forget.__main__ import forget
from fullstack_ml.data.split.place import bounds, masks
from fullstack_ml.inputs import input_of

pytestmark = pytest.mark.task("tabular-classification")

Refused = Callable[..., AbstractContextManager[None]]
TABLE = Path("table.csv")


@pytest.fixture
def rows(product: Any) -> Callable[..., pl.DataFrame]:
    """Return rows of a table by numbers (rows of one number are equal in every feature) and labels."""
    features = product.formulation.input.features

    def make(numbers: list[int], labels: list[str | None], **more: list[Any]) -> pl.DataFrame:
        columns = {f.name: [f.low + n / 64 * (f.high - f.low) for n in numbers] for f in features}
        return pl.DataFrame({**columns, "label": labels, **more})

    return make


@pytest.fixture
def gather(project: Path, config: Any) -> Callable[..., pl.DataFrame]:
    """Return a run of the stage on a table, or on several; it returns what is stored."""

    def run(*tables: pl.DataFrame, **options: Any) -> pl.DataFrame:
        Path("inbox").mkdir(exist_ok=True)
        for number, table in enumerate(tables):
            table.write_csv(f"inbox/{number}.csv")
        wanted = {"path": "inbox", "licence": "internal", "label": "label", **options}
        config.source.name, config.source.options = "files", wanted
        collect.run(config)
        return pl.read_parquet("data/raw/*.parquet")

    return run


def told(frame: pl.DataFrame) -> Counter[tuple[str, str]]:
    """Return the contents with their labels as often as they are stored."""
    return Counter(frame.select(pl.col("id").str.slice(0, 32), "source_label").iter_rows())


def repeated(rows: Callable[..., pl.DataFrame]) -> pl.DataFrame:
    """Make 220 rows, 20 of them distinct, with contrary labels: of every content, 7 rows say low and 4 say high."""
    return rows([n % 20 for n in range(220)], ["low" if n // 20 < 7 else "high" for n in range(220)])


def test_every_one_of_equal_rows_is_stored_whatever_its_label(
    gather: Callable[..., pl.DataFrame], rows: Callable[..., pl.DataFrame], capsys: pytest.CaptureFixture[str]
) -> None:
    stored = gather(repeated(rows))
    assert len(stored) == stored["id"].n_unique() == 220
    assert sorted(told(stored).values()) == [4] * 20 + [7] * 20
    assert stored["source_row"].to_list() == list(range(1, 221))
    assert "220 records in data/raw; 220 read: 220 new, 0 known" in capsys.readouterr().out


def test_the_order_of_the_file_changes_no_id(
    gather: Callable[..., pl.DataFrame], rows: Callable[..., pl.DataFrame], capsys: pytest.CaptureFixture[str]
) -> None:
    first = gather(repeated(rows))
    again = gather(repeated(rows).sample(fraction=1, shuffle=True, seed=3))
    assert again.equals(first)
    assert "220 read: 0 new, 220 known" in capsys.readouterr().out.splitlines()[-1]


def test_a_shuffled_table_gives_the_same_records_in_a_new_project(
    gather: Callable[..., pl.DataFrame], rows: Callable[..., pl.DataFrame]
) -> None:
    first = gather(repeated(rows))
    for path in [Path("data/raw.lock"), *Path("data/raw").iterdir()]:
        path.unlink()
    again = gather(repeated(rows).sample(fraction=1, shuffle=True, seed=3))
    columns = ["id", "source_label"]
    assert again.select(columns).sort("id").equals(first.select(columns).sort("id"))


def test_rows_that_are_appended_are_all_that_is_added(
    gather: Callable[..., pl.DataFrame], rows: Callable[..., pl.DataFrame], capsys: pytest.CaptureFixture[str]
) -> None:
    gather(repeated(rows))
    more = pl.concat([rows([0, 0, 50], ["low", "high", "low"]), repeated(rows)])
    assert len(gather(more)) == 223
    assert "223 read: 3 new, 220 known" in capsys.readouterr().out


def test_numbers_of_equal_rows_go_on_over_batches(
    gather: Callable[..., pl.DataFrame], rows: Callable[..., pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BLOCK", 4000)
    stored = gather(repeated(rows))
    assert stored["id"].n_unique() == len(stored) == 220


def test_equal_rows_of_two_files_are_one_export_twice(
    gather: Callable[..., pl.DataFrame], rows: Callable[..., pl.DataFrame], capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(gather(repeated(rows), pl.concat([repeated(rows), rows([50], ["low"])]))) == 221
    assert "441 read: 221 new, 220 known" in capsys.readouterr().out


def test_equal_rows_stand_in_one_split(
    gather: Callable[..., pl.DataFrame], rows: Callable[..., pl.DataFrame], config: Any
) -> None:
    stored = gather(rows([n % 60 for n in range(600)], ["low" if n < 300 else "high" for n in range(600)]))
    placed = masks(stored, bounds(config.split.shares))
    contents = [set(stored.filter(mask)["id"].str.slice(0, 32)) for mask in placed.values()]
    assert sum(map(len, contents)) == len(set().union(*contents)) == 60
    assert all(contents)


@pytest.mark.parametrize("group", ["integer", "null"])
def test_a_group_of_any_type_keeps_its_rows_together(
    group: str, gather: Callable[..., pl.DataFrame], rows: Callable[..., pl.DataFrame], config: Any
) -> None:
    people = [n // 5 if group == "integer" else None for n in range(60)]
    stored = gather(rows(list(range(60)), ["low", "high"] * 30, person=people), group="person")
    assert stored["group"].to_list() == [None if person is None else str(person) for person in people]
    for frame in (stored, stored.with_columns(pl.col("group").cast(pl.Categorical))):
        parts = [set(frame.filter(mask)["group"]) for mask in masks(frame, bounds(config.split.shares)).values()]
        assert group == "null" or sum(map(len, parts)) == 12


def test_another_group_column_is_refused_instead_of_storing_all_rows_again(
    gather: Callable[..., pl.DataFrame], rows: Callable[..., pl.DataFrame], refused: Refused
) -> None:
    table = rows([1, 2], ["low", "high"], person=["a", "b"], other=["low", "high"])
    gather(table)
    with refused("group was None", "conf/source/files.yaml", "rm -r data/raw data/raw.lock"):
        gather(table, group="person")
    with refused("label was 'label'", "conf/source/files.yaml", "set it back"):
        gather(table, label="other")
    assert len(gather(table)) == 2


def test_labels_that_come_later_go_to_the_rows_that_lacked_them(
    gather: Callable[..., pl.DataFrame], rows: Callable[..., pl.DataFrame], capsys: pytest.CaptureFixture[str]
) -> None:
    table = rows([1, 1, 2], ["low", "high", "low"])
    before = gather(table.with_columns(label=None), label=None)
    after = gather(table)
    assert after["id"].to_list() == before["id"].to_list()
    assert Counter(after["source_label"]) == Counter(["low", "high", "low"])
    assert "3 read: 0 new, 0 known, 3 got the label that they lacked" in capsys.readouterr().out
    assert len(gather(table)) == 3
    assert gather(table, label=None)["source_label"].null_count() == 0


def test_equal_rows_of_one_run_are_two_where_one_has_no_label(
    gather: Callable[..., pl.DataFrame], rows: Callable[..., pl.DataFrame]
) -> None:
    gather(rows([0, 1], ["low", "high"]))  # only where something is stored can a label come later
    stored = gather(rows([0, 1, 2], ["low", "high", None]), rows([2], ["high"]))
    assert sorted(stored["source_label"].to_list(), key=str) == [None, "high", "high", "low"]


def test_rows_without_a_label_say_nothing_of_rows_that_have_one(
    gather: Callable[..., pl.DataFrame], rows: Callable[..., pl.DataFrame]
) -> None:
    gather(rows([1, 1, 2], ["low", "high", "low"]))
    stored = gather(rows([1, 1, 2, 3, 4], ["low", "high", "low", "low", "high"]), rows([1, 2, 5], ["", "", "low"]))
    assert len(stored) == 6


def keep_a_key() -> None:
    """Say in product.yaml which column names a row."""
    file = Path("product.yaml")
    file.write_text(
        file.read_text(encoding="utf-8").replace("\ndata:\n", "\ndata:\n  row_key: case\n"), encoding="utf-8"
    )


def test_a_key_names_a_row_whatever_it_holds(
    gather: Callable[..., pl.DataFrame], rows: Callable[..., pl.DataFrame], capsys: pytest.CaptureFixture[str]
) -> None:
    keep_a_key()
    table = rows([1, 1, 2, 3], ["low", "low", "high", "low"], case=[7, 8, 9, None])
    stored = gather(table)
    assert (len(stored), "case" in stored.columns, "row_key" in stored.columns) == (3, False, False)
    assert "4 read: 3 new, 0 known, 1 rejected" in capsys.readouterr().out
    changed = rows([1, 1, 40, 3], ["low", "high", "high", "low"], case=[7, 8, 9, 10])
    assert len(gather(changed)) == 4
    assert "4 read: 1 new, 1 known, 2 rejected" in capsys.readouterr().out
    reasons = set(pl.read_parquet("data/rejected/collect.parquet")["reason"])
    assert reasons == {
        "case is missing, which names the row",
        "known case with other values, another group or label",
    }


def test_one_of_equal_rows_can_be_forgotten_or_all_by_their_content(
    gather: Callable[..., pl.DataFrame], rows: Callable[..., pl.DataFrame], product: Any, refused: Refused
) -> None:
    table = rows([1, 1, 1, 2], ["low", "low", "high", "low"])
    stored = gather(table)
    with refused("is the beginning of 3 ids", "ID", "all 64 digits of a content"):
        forget(stored["id"][0][:20], None)
    forget(stored["id"][0], None)
    assert set(gather(table)["id"]) == set(stored["id"][1:])
    content = input_of(product).content_id(stored[:1], product)[0]
    assert len(forget(content, None)) == 3  # the one that was forgotten before is named again
    more = gather(pl.concat([table, rows([1], ["high"])]))
    assert more["id"].to_list() == [stored["id"][3]]


def test_a_key_that_the_source_cannot_give_is_refused(
    gather: Callable[..., pl.DataFrame], batch: pl.DataFrame, config: Any, monkeypatch: pytest.MonkeyPatch,
    refused: Refused,
) -> None:  # fmt: skip
    keep_a_key()
    monkeypatch.setattr(collect, "open_source", lambda *_: iter([batch[:5]]))
    with refused("names the column 'case', and the source gives no such thing", "product.yaml", "leave it out"):
        collect.run(config)


def test_rows_are_not_stored_a_second_time_under_another_contract(
    gather: Callable[..., pl.DataFrame],
    rows: Callable[..., pl.DataFrame],
    product: Any,
    monkeypatch: pytest.MonkeyPatch,
    refused: Refused,
) -> None:
    """Without one feature all ids are others: each row would be there twice, in train and in test."""
    table = rows(list(range(20)), ["low", "high"] * 10)
    stored, wanted = gather(table), product.formulation.input
    other = wanted.model_copy(update={"features": wanted.features[1:]})
    formulation = product.formulation.model_copy(update={"input": other})
    changed = product.model_copy(update={"formulation": formulation})
    monkeypatch.setattr(collect, "load", lambda: changed)
    what = f"other columns than those that product.yaml asks for: {wanted.features[0].name}"
    with refused(what, fix="to read the source anew: rm -r data/raw data/raw.lock, then make"):
        gather(table)
    assert pl.read_parquet("data/raw/*.parquet").equals(stored)


def test_rows_are_not_stored_a_second_time_by_a_key_that_comes_later(
    gather: Callable[..., pl.DataFrame], rows: Callable[..., pl.DataFrame], refused: Refused
) -> None:
    """Their ids were made from the content, and those of the same rows would be made from the key."""
    table = rows([1, 2, 3], ["low", "low", "high"], case=[7, 8, 9])
    stored = gather(table)
    keep_a_key()
    what = "row_key was None when this table was collected, and is 'case'"
    with refused(what, "data in product.yaml", "to read the table anew: rm -r data/raw data/raw.lock, then make"):
        gather(table)
    assert pl.read_parquet("data/raw/*.parquet").equals(stored)
