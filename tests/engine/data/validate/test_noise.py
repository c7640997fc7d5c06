"""Contrary labels of one content are label noise: counted, named by row, with the accuracy that is left to reach."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullstack_ml.data.collect import __main__ as collect
from fullstack_ml.data.validate import __main__ as validate

pytestmark = pytest.mark.task("tabular-classification")


def table(product: Any, contents: list[int], labels: list[str]) -> pl.DataFrame:
    """Make rows; those of one number are equal in every feature."""
    features = product.formulation.input.features
    columns = {f.name: [f.low + n / 64 * (f.high - f.low) for n in contents] for f in features}
    return pl.DataFrame({**columns, "label": labels})


def noise_of(rows: pl.DataFrame, config: Any, order: int | None = None) -> dict[str, Any]:
    """Collect and validate the rows; return what the report says of noise."""
    rows = rows if order is None else rows.sample(fraction=1, shuffle=True, seed=order)
    rows.write_csv("table.csv")
    config.source.name = "files"
    config.source.options = {"path": "table.csv", "licence": "internal", "label": "label"}
    collect.run(config)
    validate.run(config)
    found: dict[str, Any] = json.loads(Path("reports/validation.json").read_text(encoding="utf-8"))["label_noise"]
    return found


@pytest.mark.parametrize("order", [None, 1, 2])
def test_the_bound_is_the_share_of_labels_that_are_those_of_most_of_their_content(
    order: int | None, project: Path, product: Any, config: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = product.formulation.label_names[:2]
    # Of content 1 two of three say first, of 2 one of two; 3 and 4 are at one with themselves: 8 of 10 can be right.
    rows = table(product, [1, 1, 1, 2, 2, 3, 3, 4, 4, 5], [first, second, first, first, second, *[second] * 5])
    noise = noise_of(rows, config, order)
    assert (noise["records"], noise["contents"], noise["contrary"], noise["bound"]) == (9, 2, 2, 0.8)
    assert [sorted(example["labels"].values()) for example in noise["examples"]] in ([[1, 2], [1, 1]], [[1, 1], [1, 2]])
    said = capsys.readouterr().out
    assert "2 of 10 labels differ from most of the same content" in said
    assert "no accuracy above 0.800 can be reached" in said


def test_examples_name_the_rows_of_the_table(project: Path, product: Any, config: Any) -> None:
    first, second = product.formulation.label_names[:2]
    noise = noise_of(table(product, [1, 2, 2, 2], [first, first, second, second]), config)
    assert noise["examples"][0]["places"] == [f"table.csv row 2: {first}", f"table.csv row 3: {second}"]
    assert "table.csv row 3" in Path("reports/validation.html").read_text(encoding="utf-8")


def test_equal_rows_under_one_label_are_no_noise(
    project: Path, product: Any, config: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = product.formulation.label_names[:2]
    noise = noise_of(table(product, [1, 1, 2], [first, first, second]), config)
    assert (noise["records"], noise["contrary"], noise["bound"]) == (2, 0, 1)
    assert "label noise" not in capsys.readouterr().out
