"""Runners: the same report whoever works on the shards, in their order, the first error first."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullstack_ml.data.validate import __main__ as validate
from fullstack_ml.pipeline.runner import local, runner_of
from fullstack_ml.pipeline.tables import shards
from fullstack_ml.workspace.paths import RAW

Refused = Callable[..., AbstractContextManager[None]]
PLACE = Path("src/my_product/runner/processes.py")
PROCESSES = '''
"""Works on two shards at a time, each in a process."""

from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path


def map(function, items):
    Path("processes-ran").touch()
    left = iter(items)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        while some := list(islice(left, 2)):
            yield from pool.map(function, some)
'''


@pytest.fixture
def sharded(finished: Path, config: Any) -> Any:
    """The raw records in three shards, each with a record that product.yaml does not allow."""
    frame = pl.concat([pl.read_parquet(path) for path in shards(RAW)]).sort("id").with_row_index("row")
    stolen = pl.when(pl.col("row") % 500 == 7).then(pl.lit("stolen")).otherwise("licence")
    frame = frame.with_columns(licence=stolen).drop("row")
    manifest = json.loads((RAW / "manifest.json").read_text(encoding="utf-8"))
    manifest["shards"] = [{"shard": f"part-{number}"} for number in range(3)]
    (RAW / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    for number, path in enumerate(shards(RAW)):
        frame[500 * number : 500 * (number + 1)].write_parquet(path)
    return config


def own(config: Any, text: str = PROCESSES) -> Any:
    """Choose a runner of the product's own."""
    PLACE.parent.mkdir(parents=True, exist_ok=True)
    PLACE.write_text(text, encoding="utf-8")
    config.runner.name = "processes"
    return config


def test_local_works_in_order_when_it_is_asked_and_ends_with_the_first_error() -> None:
    seen: list[int] = []

    def third(number: int) -> float:
        seen.append(number)
        return 6 / number

    results = local.map(third, [3, 2, 0, 1])
    assert seen == []
    assert next(results) == 2
    assert seen == [3]
    assert next(results) == 3
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert seen == [3, 2, 0]


def test_without_a_choice_shards_run_in_this_process(config: Any) -> None:
    assert runner_of(config) is local


def test_a_runner_that_is_not_there_is_named_with_the_nearest(project: Path, config: Any, refused: Refused) -> None:
    config.runner.name = "locla"
    with refused("no runner module 'locla'", "conf/runner", "'local'"):
        validate.run(config)


def test_a_runner_without_map_is_refused(project: Path, config: Any, refused: Refused) -> None:
    with refused("'processes' lacks map", str(PLACE)):
        validate.run(own(config, "def mapp(function, items): ..."))


def test_processes_write_the_report_that_this_process_writes(sharded: Any, refused: Refused) -> None:
    def report() -> tuple[Any, pl.DataFrame]:
        with refused("3 of 1500 records break product.yaml: licence (3); such as licence 'stolen'"):
            validate.run(sharded)
        written = json.loads(Path("reports/validation.json").read_text(encoding="utf-8"))
        return written, pl.read_parquet("data/near_duplicates.parquet")

    own(sharded)
    sharded.validate.max_reported, sharded.runner.name = 2, "local"
    here, near_here = report()
    assert not Path("processes-ran").exists()
    sharded.runner.name = "processes"
    there, near_there = report()
    assert Path("processes-ran").exists()
    assert there == here
    assert near_there.equals(near_here)
    assert len(here["examples"]["licence"]) == 2


def test_the_first_error_of_a_process_is_the_users_three_lines(sharded: Any, refused: Refused) -> None:
    for number in (1, 2):
        (RAW / f"part-{number}.parquet").unlink()
    with refused("part-1.parquet is listed and not there", str(RAW), "dvc checkout"):
        validate.run(own(sharded))
