"""Several labels in raw data: a column of a table, a list of JSON, a table beside pictures; and what is kept of it."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from fullstack_ml.annotation import suspects
from fullstack_ml.answers import labels
from fullstack_ml.data.collect.intake import prepare
from fullstack_ml.data.collect.sources import files, slips
from fullstack_ml.data.split import rare
from fullstack_ml.data.validate.checks import violations
from fullstack_ml.modeling.study.readiness import shortfalls
from fullstack_ml.product.types import Product

pytestmark = pytest.mark.task("image-labels")
GIVEN = {
    "late;damaged": "damaged;late",
    "late | other item": "late;other item",
    "none": "none",
    "": None,
    "late": "late",
}


def kept(product: Product, **options: Any) -> list[str | None]:
    """Return the labels of what source ``files`` reads, as they would be stored."""
    batches = files.read(product, licence=product.data.licences[0], kind="slip", **options)
    frames = [prepare(batch, product, datetime.now(UTC)) for batch in batches]
    return pl.concat(frames).sort("source", "source_row")["source_label"].to_list()


def of_messages(product: Product) -> Product:
    """Return the contract with a text as input."""
    written = json.loads(product.model_dump_json(exclude_unset=True))
    written["formulation"]["input"] = {"name": "message", "type": "text", "meaning": "m"}
    written["data"]["slices"] = []
    written["requirements"] = [r for r in written["requirements"] if not r["metric"].startswith("worst_slice")]
    written["evaluation"] = []
    return Product(**written)


def test_a_column_holds_several_labels_whatever_stands_between_cells(product: Product, tmp_path: Path) -> None:
    rows = [f'message {i},"{text}"' for i, text in enumerate(GIVEN)]
    (tmp_path / "quoted.csv").write_text("\n".join(["text,labels", *rows]), encoding="utf-8")
    (tmp_path / "bare.csv").write_text("\n".join(["text,labels", *rows]).replace('"', ""), encoding="utf-8")
    asked = of_messages(product)
    for name in ("quoted", "bare"):
        assert kept(asked, path=str(tmp_path / f"{name}.csv"), label="labels") == [*GIVEN.values()], name


def test_a_list_of_json_holds_several_labels_and_an_empty_one_none(product: Product, tmp_path: Path) -> None:
    lists: list[Any] = [["late", "damaged"], ["late", "other item"], [], None, ["late"]]
    rows = [json.dumps({"text": f"message {i}", "labels": one}) for i, one in enumerate(lists)]
    (tmp_path / "all.jsonl").write_text("\n".join(rows), encoding="utf-8")
    assert kept(of_messages(product), path=str(tmp_path / "all.jsonl"), label="labels") == [*GIVEN.values()]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_table_beside_pictures_names_several_labels_of_each(product: Product, tmp_path: Path, form: str) -> None:
    folder, random = tmp_path / "scans", np.random.default_rng(0)
    folder.mkdir()
    for i in range(len(GIVEN)):
        Image.fromarray(random.integers(0, 256, (8, 16), np.uint8)).save(folder / f"{i}.png")
    if form == "csv":
        table = "\n".join(["file,label", *(f"{i}.png,{text}" for i, text in enumerate(GIVEN))])
    else:
        lists = [["late", "damaged"], ["late", "other item"], [], None, ["late"]]
        table = "\n".join(json.dumps({"file": f"{i}.png", "label": one}) for i, one in enumerate(lists))
    (tmp_path / f"labels.{form}").write_text(table, encoding="utf-8")
    found = kept(product, path=str(folder), labels=str(tmp_path / f"labels.{form}"))
    assert found == [*GIVEN.values()]


def test_a_folder_may_name_several_labels(product: Product, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name in ("late;damaged", "none"):
        (tmp_path / name).mkdir()
        Image.fromarray(random.integers(0, 256, (8, 16), np.uint8)).save(tmp_path / name / "a.png")
    assert kept(product, path=str(tmp_path)) == ["damaged;late", "none"]


def test_records_with_labels_that_exclude_each_other_are_named(product: Product) -> None:
    (frame,) = slips.read(product)
    stored = prepare(frame.head(3), product, datetime.now(UTC))
    stored = stored.with_columns(source_label=pl.Series(["too large;too small", "late;later", "none"]))
    found = {(rule, what) for rule, _, what in violations(stored, stored.head(0), product)}
    both = "source_label 'too large;too small' names too large and too small, which exclude each other"
    assert ("source_label", both) in found
    assert any("names 'later', which is not in" in what for _, what in found)
    assert len(found) == 2


def test_the_sample_uses_each_scan_once_and_tells_no_split_of_another(product: Product) -> None:
    (frame,) = slips.read(product)
    assert not labels.illegal(frame["source_label"].to_list(), product)
    counts = frame.group_by("group").agg(pl.len(), pl.col("source_label").n_unique().alias("different"))
    assert set(counts["len"]) == {2}
    assert set(counts["different"]) == {1}
    digits = [len(slip) for slip in slips.paired([n % 10 for n in range(100)])]
    assert sum(digits) == 100
    assert {"none", "late"} < set(frame["source_label"])
    assert frame["source_label"].str.contains(";").sum() > len(frame) / 4


def test_suspects_are_the_records_in_which_a_label_is_wrong_or_lacking(
    product: Product, refused: Callable[..., AbstractContextManager[None]]
) -> None:
    (frame,) = slips.read(product)
    frame = frame.sample(700, seed=0).with_columns(
        id=pl.int_range(pl.len()).cast(pl.String), label="source_label", labelled_by=pl.lit("people")
    )
    given = frame["label"].to_list()
    given[5], given[9] = "damaged" if "damaged" not in given[5] else "late", "other colour;not wanted"
    found = suspects.doubted(frame.with_columns(label=pl.Series(given)), product)
    assert {"5", "9"} & {row["id"] for row in found[:20]}
    assert all(row["label"] != row["model_says"] for row in found[:5])
    with refused("39 records outside the test split have labels", "data/labelled.parquet"):
        suspects.doubted(frame.head(39), product)


def test_a_rare_label_counts_also_beside_others() -> None:
    records = pl.LazyFrame({"id": ["1", "2", "3"], "label": ["a;b", "none", "b"]})
    found = rare.by_label(records, labels.named).collect()
    assert sorted(found.select("id", "label").rows()) == [("1", "a"), ("1", "b"), ("2", "none"), ("3", "b")]


def test_a_label_that_stands_only_beside_others_is_no_missing_one(product: Product) -> None:
    first, second, *others = product.formulation.label_names
    counts = {f"{first};{second}": 900, "none": 300} | dict.fromkeys(others[:-1], 300)
    shares = {"train": 0.7, "validation": 0.05, "calibration": 0.1, "test": 0.15}
    (lacking,) = shortfalls(counts, product, shares)
    assert lacking.what == f"no record has the label {others[-1]}"
