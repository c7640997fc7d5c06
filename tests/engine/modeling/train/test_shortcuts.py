"""Shortcuts: a planted one is reported in plain words, what identifies a record is none."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from fullstack_ml.modeling.train import __main__ as train
from fullstack_ml.modeling.train import shortcuts
from fullstack_ml.workspace.sentences import in_english

COUNT = 400
TRUTH = np.arange(COUNT) % 2


def frame(**columns: Any) -> pl.DataFrame:
    """Return records that say nothing of their label, but for ``columns``."""
    same = {"id": [f"{i}" for i in range(COUNT)], "source": ["one"] * COUNT, "kind": ["one"] * COUNT}
    return pl.DataFrame(same | {"group": [None] * COUNT} | columns, schema_overrides={"group": pl.String})


def test_a_source_that_gives_the_label_away_is_reported() -> None:
    found = shortcuts.check(frame(source=[f"camera {label}" for label in TRUTH]), TRUTH)
    assert found["source"]["accuracy"] == 1.0
    for part in ("source", "100 %", "50 %", "collect every label with every source"):
        assert part in in_english(found["source"]["warning"])
    assert found["kind"]["warning"] is None


def test_a_source_that_helps_in_three_of_four_is_measured_as_that() -> None:
    # Camera 0 took 150 records of label 0 and 50 of label 1, camera 1 the other way round.
    sources = [f"camera {label ^ (i % 8 in (6, 7))}" for i, label in enumerate(TRUTH)]
    found = shortcuts.check(frame(source=sources), TRUTH)["source"]
    assert found["accuracy"] == pytest.approx(0.75)
    assert found["warning"] is not None


@pytest.mark.parametrize("group", [[f"{i}" for i in range(COUNT)], [None] * COUNT], ids=["unique", "unknown"])
def test_a_group_of_one_record_is_no_knowledge(group: list[str | None]) -> None:
    found = shortcuts.check(frame(group=group), TRUTH)["group"]
    assert found["accuracy"] <= found["baseline"]
    assert found["warning"] is None


def test_chance_is_no_shortcut() -> None:
    random = np.random.default_rng(0)
    sources = [f"{value}" for value in random.integers(0, 5, COUNT)]
    assert shortcuts.check(frame(source=sources), TRUTH)["source"]["warning"] is None


def test_the_count_is_that_of_leaving_each_record_out_by_hand() -> None:
    random = np.random.default_rng(0)
    values, truth = random.integers(0, 30, 100), random.integers(0, 3, 100)
    right = 0
    for i in range(100):
        others = np.delete(np.arange(100), i)
        near = np.bincount(truth[others][values[others] == values[i]], minlength=3)
        overall = np.bincount(truth[others], minlength=3)
        # The most frequent among the same value; of equals, the one more frequent overall; then the first.
        right += max(range(3), key=lambda label: (near[label], overall[label], -label)) == truth[i]
    assert shortcuts.predictable(values, truth, 3) == right


def test_train_reports_a_planted_shortcut_and_prints_it(
    finished: Path, config: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    split = Path("data/splits/train.parquet")
    known = pl.read_parquet(split)
    known.with_columns(source=pl.concat_str(pl.lit("scanner of "), "label")).write_parquet(split)
    train.run(config)
    report = json.loads(Path("reports/training.json").read_text(encoding="utf-8"))
    assert report["shortcuts"]["source"]["accuracy"] == 1.0
    assert f"warning: {in_english(report['shortcuts']['source']['warning'])}\n" in capsys.readouterr().out
