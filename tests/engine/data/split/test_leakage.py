"""No split knows another, the test split is frozen, and one stage alone opens it."""

import importlib
import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from fullstack_ml.data.split import __main__ as split
from fullstack_ml.data.split import leakage, place, when

Refused = Callable[..., AbstractContextManager[None]]


def report() -> Any:
    """Read what the check wrote."""
    return json.loads(Path("reports/leakage.json").read_text(encoding="utf-8"))


def placed(frame: pl.DataFrame, config: Any) -> dict[str, pl.DataFrame]:
    """Return the records of each split."""
    return {name: frame.filter(mask) for name, mask in place.masks(frame, place.bounds(config.split.shares)).items()}


def pair(one: pl.DataFrame, other: pl.DataFrame) -> None:
    """State that the first records of two splits look alike."""
    rows = {"id": [one["id"][0]], "other": [other["id"][0]], "distance": [1], "group": [None], "other_group": [None]}
    types = {"distance": pl.UInt8, "group": pl.String, "other_group": pl.String}
    pl.DataFrame(rows, schema_overrides=types).write_parquet("data/near_duplicates.parquet")


def test_splits_that_know_nothing_of_each_other_pass(finished: Path, config: Any) -> None:
    leakage.run(config)
    assert (report()["exact_duplicates"], report()["shared_groups"]) == (0, 0)


def test_a_record_that_is_labelled_twice_under_two_groups_is_found(
    finished: Path, config: Any, refused: Refused
) -> None:
    frame = pl.read_parquet("data/labelled.parquet")
    first = placed(frame, config)["test"][:1]
    again = next(
        moved for i in range(99)
        if placed(moved := first.with_columns(group=pl.lit(f"g{i}")), config)["train"].height
    )  # fmt: skip
    pl.concat([frame, again]).write_parquet("data/labelled.parquet")
    with refused("1 exact duplicates", "reports/leakage.json"):
        leakage.run(config)
    assert report()["examples"]["exact_duplicates"] == first["id"].to_list()


def test_a_group_in_two_splits_is_found(
    finished: Path, config: Any, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pl.read_parquet("data/labelled.parquet").with_columns(group=pl.lit("one writer"))
    frame.write_parquet("data/labelled.parquet")
    leakage.run(config)
    by_id = when.placed
    monkeypatch.setattr(leakage, "placed", lambda f, plan: by_id(f.with_columns(group=pl.lit(None, pl.String)), plan))
    with refused("1 shared groups", "reports/leakage.json"):
        leakage.run(config)


@pytest.mark.parametrize("stops", [False, True])
def test_near_duplicates_in_two_splits_are_reported_and_stop_where_asked(
    stops: bool, finished: Path, config: Any, refused: Refused
) -> None:
    parts = placed(pl.read_parquet("data/labelled.parquet"), config)
    pair(parts["train"], parts["test"])
    config.split.stop_at_near_duplicates = stops
    if stops:
        with refused("1 near duplicates", "reports/leakage.json", "one group"):
            leakage.run(config)
    else:
        leakage.run(config)
    assert (report()["near_duplicates"], report()["near_duplicates_of_test"]) == (1, 1)


def test_a_record_without_a_label_is_in_no_split_and_leaks_nothing(finished: Path, config: Any) -> None:
    frame = pl.read_parquet("data/labelled.parquet")
    parts = placed(frame, config)
    pair(parts["train"], parts["test"])
    frame.filter(pl.col("id") != parts["test"]["id"][0]).write_parquet("data/labelled.parquet")
    leakage.run(config)
    assert report()["near_duplicates"] == 0


def test_near_duplicates_in_one_split_are_no_leak(finished: Path, config: Any) -> None:
    parts = placed(pl.read_parquet("data/labelled.parquet"), config)
    pair(parts["train"], parts["train"][1:])
    leakage.run(config)
    assert report()["near_duplicates"] == 0


def test_the_share_of_the_test_split_is_frozen_by_the_first_run(finished: Path, config: Any, refused: Refused) -> None:
    before = {path.name: path.read_bytes() for path in Path("data/splits").iterdir()}
    config.split.shares = {"train": 0.5, "validation": 0.1, "calibration": 0.1, "test": 0.3}
    with refused("the share of test was 0.2 and is 0.3", "conf/split.yaml", "set it back to 0.2"):
        split.run(config)
    assert {path.name: path.read_bytes() for path in Path("data/splits").iterdir()} == before
    config.split.shares = {"train": 0.5, "validation": 0.2, "calibration": 0.1, "test": 0.2}
    split.run(config)
    assert Path("data/splits/test.parquet").read_bytes() == before["test.parquet"]


def test_the_share_stays_frozen_where_the_data_is_not(finished: Path, config: Any, refused: Refused) -> None:
    shutil.rmtree("data/splits")  # as in a clone without dvc pull
    config.split.shares = {"train": 0.5, "validation": 0.1, "calibration": 0.1, "test": 0.3}
    with refused("the share of test was 0.2 and is 0.3", "conf/split.yaml", "delete reports/frozen.json"):
        split.run(config)
    Path("reports/frozen.json").unlink()
    split.run(config)
    assert pl.read_parquet("data/splits/test.parquet").height == pytest.approx(
        0.3 * pl.read_parquet("data/labelled.parquet").height, rel=0.25
    )


def test_a_split_that_fails_leaves_the_old_ones(finished: Path, config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in Path("data/splits").iterdir()}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(split, "write_json", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        split.run(config)
    assert {path.name: path.read_bytes() for path in Path("data/splits").iterdir()} == before
    split.run(config)
    assert {path.name: path.read_bytes() for path in Path("data/splits").iterdir()} == before
    assert not Path("data/.splitting").exists()


def test_only_evaluate_opens_the_test_split(finished: Path, config: Any) -> None:
    test, names = Path("data/splits/test.parquet"), ("modeling.train", "modeling.export")
    stages = {name: importlib.import_module(f"fullstack_ml.{name}.__main__") for name in names}
    stages["leakage"] = leakage
    test.rename("test.parquet")
    for stage in stages.values():
        stage.run(config)
    evaluate = importlib.import_module("fullstack_ml.modeling.evaluate.__main__")
    with pytest.raises(Exception, match=r"test\.parquet"):
        evaluate.run(config)


def test_only_evaluate_depends_on_the_test_split(root: Path) -> None:
    stages = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    readers = [
        name for name, stage in stages.items()
        if {"data/splits", "data/splits/test.parquet"} & set(stage["deps"])
    ]  # fmt: skip
    assert readers == ["evaluate"]


@pytest.mark.parametrize("test", [0.2, 1 / 3, 0.1 + 0.2, 0.05])
def test_a_split_holds_the_positions_of_its_interval(test: float) -> None:
    shares = {"train": 0.9 - test, "validation": 0.05, "calibration": 0.05, "test": test}
    edges = place.bounds(shares)
    starts = [int(edge * place.SPACE) + i for pair in edges.values() for edge in pair for i in (-1, 0, 1)]
    ids = [f"{n:012x}" + "0" * 52 for n in starts if 0 <= n < place.SPACE]
    frame = pl.DataFrame({"id": ids, "group": [None, *["g"] * 3, *[None] * (len(ids) - 4)]})
    for name, mask in place.masks(frame, edges).items():
        assert mask.to_list() == [edges[name][0] <= p < edges[name][1] for p in place.position(frame)], name
