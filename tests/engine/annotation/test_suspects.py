"""Likely label errors: most planted ones are found, and the test split is left alone."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullstack_ml.annotation import suspects

LABELLED = Path("data/labelled.parquet")


@pytest.fixture
def planted(finished: Path) -> set[str]:
    """Give every twentieth record outside the test split another label; return the ids."""
    frame = pl.read_parquet(LABELLED).sort("id")
    test = pl.read_parquet("data/splits/test.parquet")["id"]
    names = frame["label"].unique().sort().to_list()
    other = dict(zip(names, names[1:] + names[:1], strict=True))
    chosen = frame.filter(~pl.col("id").is_in(test.to_list()))["id"].gather_every(20).to_list()
    swapped = pl.when(pl.col("id").is_in(chosen)).then(pl.col("label").replace(other)).otherwise("label")
    frame.with_columns(label=swapped).write_parquet(LABELLED)
    return set(chosen)


def test_most_planted_errors_are_listed_and_none_of_the_test_split(planted: set[str], config: Any) -> None:
    suspects.run(config)
    found = json.loads(Path("reports/suspects.json").read_text(encoding="utf-8"))["suspects"]
    listed = {row["id"] for row in found}
    assert len(planted & listed) > len(planted) / 2
    assert not listed & set(pl.read_parquet("data/splits/test.parquet")["id"])
    assert [row["confidence"] for row in found] == sorted(row["confidence"] for row in found)
    assert all(row["label"] != row["model_says"] for row in found)


def test_a_label_with_too_few_records_is_named(
    finished: Path, config: Any, refused: Callable[..., AbstractContextManager[None]]
) -> None:
    frame = pl.read_parquet(LABELLED)
    rare = frame["label"].unique().sort()[0]
    test = pl.read_parquet("data/splits/test.parquet")["id"].to_list()
    few = frame.filter((pl.col("label") == rare) & ~pl.col("id").is_in(test)).head(3)
    pl.concat([frame.filter(pl.col("label") != rare), few]).write_parquet(LABELLED)
    with refused(f"{rare!r} has 3", str(LABELLED)):
        suspects.run(config)
