"""Split by time, and as the source says: the past never knows the future, a group is in one split, nothing moves."""

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullstack_ml.data.collect import __main__ as collect
from fullstack_ml.data.label import __main__ as label
from fullstack_ml.data.split import __main__ as split
from fullstack_ml.data.split import leakage
from fullstack_ml.data.split.place import NAMES

pytestmark = pytest.mark.task("tabular-classification")

Refused = Callable[..., AbstractContextManager[None]]
START = datetime(2020, 1, 1)


@pytest.fixture
def table(product: Any) -> Callable[..., pl.DataFrame]:
    """Return as many rows as days, one a day, of all labels in turn, with columns of the caller's."""
    features, labels = product.formulation.input.features, product.formulation.label_names

    def make(days: int, **more: list[Any]) -> pl.DataFrame:
        columns = {f.name: [f.low + (n % 997) / 997 * (f.high - f.low) for n in range(days)] for f in features}
        when = [(START + timedelta(days=n)).isoformat() + "+09:00" for n in range(days)]
        return pl.DataFrame({**columns, "label": [labels[n % len(labels)] for n in range(days)], "day": when, **more})

    return make


@pytest.fixture
def run(project: Path, config: Any) -> Callable[..., dict[str, pl.DataFrame]]:
    """Return a run of the stages from collect to split on a table; it returns the splits."""
    file = Path("product.yaml")
    text = re.sub("  abstain: .*\n", "", file.read_text(encoding="utf-8"))  # whose rule wants more rows than these
    file.write_text(text.replace("\ndata:\n", "\ndata:\n  time: day\n"), encoding="utf-8")

    def stages(rows: pl.DataFrame, **options: Any) -> dict[str, pl.DataFrame]:
        rows.sample(fraction=1, shuffle=True, seed=5).write_csv("table.csv")
        config.source.name = "files"
        config.source.options = {"path": "table.csv", "licence": "internal", "label": "label", **options}
        for stage in (collect, label, split, leakage):
            stage.run(config)
        return {name: pl.read_parquet(f"data/splits/{name}.parquet") for name in NAMES}

    return stages


def test_train_comes_before_validation_before_calibration_before_test(
    run: Callable[..., dict[str, pl.DataFrame]], table: Callable[..., pl.DataFrame], config: Any
) -> None:
    config.split.by = "time"
    parts = run(table(200))
    assert [len(parts[name]) for name in NAMES] == [120, 20, 20, 40]
    times = [part["happened_at"].to_list() for part in parts.values()]
    assert all(max(before) < min(after) for before, after in pairwise(times))
    assert min(times[0]) == START - timedelta(hours=9)  # in UTC


def test_the_days_of_the_gap_are_left_out_and_counted(
    run: Callable[..., dict[str, pl.DataFrame]], table: Callable[..., pl.DataFrame], config: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    config.split.by, config.split.gap = "time", 3
    parts = run(table(200))
    assert [len(parts[name]) for name in NAMES] == [117, 17, 17, 40]
    assert "split: 9 records are left out: in a gap" in capsys.readouterr().out
    first, last = (parts[name]["happened_at"].to_list() for name in ("validation", "train"))
    assert min(first) - max(last) == timedelta(days=4)


def test_a_group_is_never_in_two_splits(
    run: Callable[..., dict[str, pl.DataFrame]], table: Callable[..., pl.DataFrame], config: Any
) -> None:
    config.split.by = "time"
    rows = table(2000, person=[(n * 7 + n // 40) % 60 for n in range(2000)])
    parts = run(rows, group="person")
    groups = [set(part["group"]) for part in parts.values()]
    assert all(groups)
    assert sum(map(len, groups)) == len(set().union(*groups))
    assert max(parts["train"]["happened_at"].to_list()) < min(parts["test"]["happened_at"].to_list())


def test_new_data_never_moves_an_old_record(
    run: Callable[..., dict[str, pl.DataFrame]], table: Callable[..., pl.DataFrame], config: Any
) -> None:
    config.split.by = "time"
    before = {name: set(part["id"]) for name, part in run(table(200)).items()}
    after = {name: set(part["id"]) for name, part in run(table(400)).items()}
    assert [after[name] == before[name] for name in NAMES[:-1]] == [True] * 3
    assert after["test"] > before["test"]
    assert len(after["test"]) == 240
    assert len(json.loads(Path("reports/frozen.json").read_text(encoding="utf-8"))["moments"]) == 3


def test_another_way_to_split_is_refused_once_test_is_frozen(
    run: Callable[..., dict[str, pl.DataFrame]], table: Callable[..., pl.DataFrame], config: Any, refused: Refused
) -> None:
    config.split.by = "time"
    run(table(200))
    config.split.by = "hash"
    with refused("by was time and is hash", "conf/split.yaml", "set it back to time"):
        split.run(config)


def test_a_split_by_time_without_a_time_is_refused(finished: Path, config: Any, refused: Refused) -> None:
    Path("reports/frozen.json").unlink()
    config.split.by = "time"
    with refused("0 records have a time", "conf/split.yaml", "data.time"):
        split.run(config)


def test_a_time_that_is_no_date_is_rejected_by_its_row(
    run: Callable[..., dict[str, pl.DataFrame]], table: Callable[..., pl.DataFrame], config: Any
) -> None:
    rows = table(200).with_columns(day=pl.when(pl.int_range(pl.len()) == 7).then(pl.lit("soon")).otherwise("day"))
    assert sum(map(len, run(rows).values())) == 199
    reasons = pl.read_parquet("data/rejected/collect.parquet")["reason"].to_list()
    assert reasons == ["day is no date, which says the time"]


def test_the_split_that_the_source_gives_is_the_test_split(
    run: Callable[..., dict[str, pl.DataFrame]], table: Callable[..., pl.DataFrame]
) -> None:
    rows = table(600, part=["test" if n % 10 < 3 else "train" for n in range(600)])
    parts = run(rows, split="part")
    assert {name: set(part["given_split"]) for name, part in parts.items()} == {
        "train": {"train"}, "validation": {"train"}, "calibration": {"train"}, "test": {"test"},
    }  # fmt: skip
    assert len(parts["test"]) == 180
    assert 280 < len(parts["train"]) < 350  # three quarters of 420, since test has its own


def test_a_word_that_is_no_split_is_rejected(
    run: Callable[..., dict[str, pl.DataFrame]], table: Callable[..., pl.DataFrame]
) -> None:
    rows = table(600, part=["dev" if n == 0 else "test" if n % 10 < 3 else "train" for n in range(600)])
    assert sum(map(len, run(rows, split="part").values())) == 599
    reasons = pl.read_parquet("data/rejected/collect.parquet")["reason"].to_list()
    assert reasons == ["part is neither train nor test"]
