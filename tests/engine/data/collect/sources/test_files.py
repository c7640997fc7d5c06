"""Source files: your own data, and what is said when it has another form."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullstack_ml.data.collect.sources import files

Refused = Callable[..., AbstractContextManager[None]]


def test_records_come_with_label_kind_licence_and_place(product: Any, source_options: dict[str, Any]) -> None:
    found = pl.concat(files.read(product, **source_options))
    assert set(found["source_label"].unique()) == set(product.formulation.label_names)
    assert found["kind"].unique().to_list() == [source_options["kind"]]
    assert found["licence"].unique().to_list() == [source_options["licence"]]
    assert found["source"].str.starts_with(source_options["path"]).all()
    assert found["group"].null_count() == len(found)


def test_reading_again_gives_the_same_records_in_the_same_order(product: Any, source_options: dict[str, Any]) -> None:
    first = pl.concat(files.read(product, **source_options))
    assert first.equals(pl.concat(files.read(product, **source_options)))


def test_a_path_that_is_not_there_is_named(product: Any, source_options: dict[str, Any], refused: Refused) -> None:
    with refused("'nowhere' does not exist", "conf/source/files.yaml", "that is there"):
        list(files.read(product, **{**source_options, "path": "nowhere"}))


def test_a_file_for_a_folder_or_a_folder_for_a_file_is_refused(
    product: Any, source_options: dict[str, Any], tmp_path: Path, refused: Refused
) -> None:
    wrong = tmp_path
    if product.formulation.input.type == "image":
        wrong = tmp_path / "file"
        wrong.touch()
    with refused("wrong form", "conf/source/files.yaml", "give a "):
        list(files.read(product, **{**source_options, "path": str(wrong)}))


@pytest.mark.parametrize("kind", ["scan", "anything else"])
def test_the_kind_is_what_the_configuration_says(kind: str, product: Any, source_options: dict[str, Any]) -> None:
    found = next(iter(files.read(product, **{**source_options, "kind": kind})))
    assert found["kind"].unique().to_list() == [kind]
