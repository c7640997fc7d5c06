"""The copy of the project: what it takes along, what it leaves, and which records it holds back."""

import subprocess
from pathlib import Path

import polars as pl
import pytest
import yaml

from fullstack_ml.data.split import place
from fullstack_ml.inputs import input_of
from fullstack_ml.product import contract
from fullstack_ml.product.types import Product
from fullstack_ml.simulation import copying

pytestmark = pytest.mark.task("image-classification")


def table(count: int, groups: int) -> pl.DataFrame:
    """Records in some groups, one in ten without a label."""
    frame = pl.DataFrame(
        {
            "id": [f"{i:064x}" for i in range(count)],
            "payload": [bytes([i % 256]) for i in range(count)],
            "group": [f"g{i % groups}" for i in range(count)],
            "label": [None if i % 10 == 0 else str(i % 7) for i in range(count)],
            "source_label": [None] * count,
            "kind": ["scan"] * count,
            "source": ["s"] * count,
            "licence": ["internal"] * count,
        }
    )
    return frame.with_columns(copying.draws(frame)).sort("draw", "id")


@pytest.fixture
def product(project: Path) -> Product:
    """The contract of the working folder."""
    return contract.load()


def test_no_group_is_in_the_past_and_in_the_future(product: Product) -> None:
    found = table(1000, 200)
    past, future = copying.parted(found, product)
    held = pl.concat([future.normal, future.shifted, future.later])
    assert len(past) + len(held) == len(found), "every record is in one of them"
    assert held["label"].null_count() == 0
    assert 0.3 < len(held) / len(found) < 0.5
    cut = found["draw"][int(copying.HELD[0] * len(found))]
    groups = set(found.filter(pl.col("draw") < cut)["group"])
    assert groups.isdisjoint(found.filter(pl.col("draw") >= cut)["group"])


def test_the_past_has_records_in_every_split_where_there_are_groups(product: Product) -> None:
    """Both cut by a hash of the group: of the same one the past would be hardly more than the training split."""
    past, _ = copying.parted(table(1000, 1000), product)
    placed = pl.DataFrame({"id": [f"{i:064x}" for i in range(len(past))], "group": past["group"]})
    edges = place.bounds({"train": 0.6, "validation": 0.1, "calibration": 0.1, "test": 0.2})
    shares = {name: mask.sum() / len(mask) for name, mask in place.masks(placed, edges).items()}
    assert shares == pytest.approx({"train": 0.6, "validation": 0.1, "calibration": 0.1, "test": 0.2}, abs=0.06)


def test_the_past_has_the_labels_that_count_and_nothing_of_the_future(product: Product) -> None:
    found = table(1000, 1000)
    past, future = copying.parted(found, product)
    known = dict(found.select("payload", "label").iter_rows())
    assert set(past.columns) == {*input_of(product).columns(product), *copying.SAID}
    assert past["source_label"].null_count() == 100, "what nobody labelled stays without a label"
    assert set(future.normal.columns) == {"payload", "label"}
    assert set(known) >= set(past["payload"])


def test_the_past_names_dates_and_splits_its_records_where_the_contract_does(product: Product) -> None:
    found = table(1000, 1000).with_columns(happened_at=pl.datetime(2026, 1, 1), given_split=pl.lit("train"))
    data = product.data.model_copy(update={"row_key": "order", "time": "ordered"})
    past, _ = copying.parted(found, product.model_copy(update={"data": data}))
    assert past["row_key"].n_unique() == len(past)
    assert past["happened_at"].null_count() == 0
    assert past["given_split"].unique().to_list() == ["train"]


@pytest.fixture
def finished(project: Path) -> Path:
    """A repository in the working folder, with results, labels of people and settings of this machine."""
    for name in ("reports/metrics.json", "data/labels/round.parquet", "dvc.lock", ".env", "mine.txt"):
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    for name in copying.LENT:
        (project / name).mkdir()
    subprocess.run(["git", "init", "--quiet"], check=True)
    return project


def test_the_copy_takes_what_git_would_and_nothing_that_was_made_here(finished: Path) -> None:
    copying.lay_files(copying.PROJECT)
    there = {path.relative_to(copying.PROJECT).as_posix() for path in copying.PROJECT.rglob("*") if path.is_file()}
    assert {"mine.txt", "product.yaml", "conf/config.yaml", "Makefile"} <= there
    assert there.isdisjoint({"reports/metrics.json", "data/labels/round.parquet", "dvc.lock", ".env"})
    assert not [name for name in there if name.startswith(".simulation/")]
    assert (copying.PROJECT / ".venv").resolve() == finished / ".venv"


def test_the_copy_tells_nobody_and_its_gate_waits_for_traffic(finished: Path) -> None:
    told = finished / "conf/monitoring.yaml"
    told.write_text(told.read_text().replace("webhook: null", "webhook: env:ALARM_WEBHOOK"))
    before = {path: path.read_bytes() for path in finished.rglob("*.yaml")}
    copying.lay_files(copying.PROJECT)
    copying.set_up(copying.PROJECT, 0.5, small=False)
    read = {
        name: yaml.safe_load((copying.PROJECT / f"conf/{name}.yaml").read_text()) for name in ("monitoring", "register")
    }
    assert read["monitoring"]["monitoring"]["webhook"] is None
    assert read["register"]["crown"] is False
    config = yaml.safe_load((copying.PROJECT / "conf/config.yaml").read_text())
    assert {"source": "past"} in config["defaults"]
    back = yaml.safe_load((copying.PROJECT / "conf/source/predictions.yaml").read_text())["options"]
    assert (back["days"], back["records"]) == (7, 400), "what came since the change"
    rows = yaml.safe_load((copying.PROJECT / "product.yaml").read_text())["requirements"]
    assert [row["threshold"] for row in rows if row["metric"] == "records"] == [750], "half of 1500"
    assert {path: path.read_bytes() for path in before} == before, "the project itself stays as it is"


def test_too_few_records_for_three_slices_are_cut_into_folds(product: Product) -> None:
    """A fifth of the records is tested, in three slices of which each needs 20; they are not alike in size."""
    assert copying.is_small(599, product)
    assert not copying.is_small(601, product)
