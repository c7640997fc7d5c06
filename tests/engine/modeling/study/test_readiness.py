"""How far a product is on the way to its first model."""

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullstack_ml.modeling.study import readiness, repro, status
from fullstack_ml.product.contract import load

SHARES = {"train": 0.6, "validation": 0.1, "calibration": 0.1, "test": 0.2}


def some(product: Any, count: int) -> dict[str, int]:
    """Return ``count`` labelled records of every label."""
    return dict.fromkeys(product.formulation.label_names, count)


def test_enough_labels_lack_nothing(product: Any) -> None:
    assert readiness.shortfalls(some(product, 500), product, SHARES) == []


def test_the_calibration_records_of_the_rule_are_said_in_labels(product: Any) -> None:
    counts = some(product, 0) | {product.formulation.label_names[0]: 97}
    found = [one.what for one in readiness.shortfalls(counts, product, SHARES)]
    assert "97 labels; the rule to abstain wants 49 calibration records, about 490 labels" in found
    assert any(what.startswith("no record has the label") for what in found)
    without = product.model_copy(update={"formulation": product.formulation.model_copy(update={"abstain": None})})
    assert readiness.shortfalls(some(product, 50), without, SHARES) == []


def test_too_few_labels_for_a_test_split_are_said(product: Any) -> None:
    without = product.model_copy(update={"formulation": product.formulation.model_copy(update={"abstain": None})})
    counts = some(product, 1) | {product.formulation.label_names[0]: 41 - len(product.formulation.label_names) + 1}
    (found,) = readiness.shortfalls(counts, without, SHARES)
    assert found.what == "41 labels; about 8 would be the frozen test split, which wants 20: 100 labels"
    assert "set folds: 5 in conf/split.yaml" in found.fix
    assert readiness.shortfalls(counts, without, {**SHARES, "calibration": 0.8, "test": 1.0}) == []
    counts[product.formulation.label_names[0]] += 59
    assert readiness.shortfalls(counts, without, SHARES) == []


def test_no_label_at_all_is_said_once(product: Any) -> None:
    assert [one.what for one in readiness.shortfalls({}, product, SHARES)] == ["no record has a label yet"]


def collected(project: Path, labels: list[str]) -> None:
    """Let stages collect and label have run on so many records."""
    Path("data/raw").mkdir(parents=True)
    Path("data/raw/manifest.json").write_text(json.dumps({"shards": [{"rows": 120, "sources": []}]}), encoding="utf-8")
    pl.DataFrame({"label": pl.Series(labels, dtype=pl.String)}).write_parquet("data/labelled.parquet")


def test_status_says_what_is_there_and_what_is_missing(
    project: Path, product: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    collected(project, product.formulation.label_names[:1] * 97)
    status.main()
    told = capsys.readouterr().out
    assert "records: 120" in told
    assert "labelled: 97" in told
    assert "about 490 labels" in told
    assert "make annotate" in told


def test_verdicts_of_another_contract_are_not_shown(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status.main()
    assert "R1" in capsys.readouterr().out
    path = Path("product.yaml")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("threshold: 0.5,", "threshold: 0.51,"), encoding="utf-8")
    status.main()
    told = capsys.readouterr().out
    assert "reached for another contract" in told
    assert "R1" not in told


def test_verdicts_on_other_labels_are_not_shown(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = {"formulation.answer": "of other labels"}
    lock = {"stages": {"evaluate": {"params": {"contract.json": keys}}}}
    Path("dvc.lock").write_text(json.dumps(lock), encoding="utf-8")
    assert readiness.of_another_contract(json.loads(Path("reports/acceptance.json").read_text("utf-8")), load())
    status.main()
    assert "R1" not in capsys.readouterr().out


def test_stages_wait_for_labels_and_that_is_no_error(
    project: Path, product: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(repro, "repro", lambda *stages: ran.append(stages))
    collected(project, [])
    repro.main()
    assert ran == [("label",)]
    assert "wait for labels" in capsys.readouterr().out
    status.main()
    assert "not yet: no record has a label yet" in capsys.readouterr().out
    pl.DataFrame({"label": product.formulation.label_names * 500}).write_parquet("data/labelled.parquet")
    repro.main()
    assert ran[1:] == [("label",), ()]


def gave_labels(count: int, name: str = "pilot") -> None:
    """Let people have labelled a round of so many records."""
    Path("data/labels").mkdir(parents=True, exist_ok=True)
    pl.DataFrame({"id": [str(place) for place in range(count)]}).write_parquet(f"data/labels/{name}.parquet")


def test_status_names_the_round_that_waits_and_labels_that_no_stage_has_counted(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    collected(project, [])
    Path("data/rounds").mkdir(parents=True, exist_ok=True)
    Path("data/rounds/pilot.json").write_text("{}", encoding="utf-8")
    status.main()
    assert "label round pilot: make annotate, then make labels" in capsys.readouterr().out
    gave_labels(30)
    status.main()
    told = capsys.readouterr().out
    assert "30 labels came home and are not counted yet\nnext: make" in told
    assert "no record has a label yet" not in told


def test_verdicts_say_that_labels_came_home_since(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status.main()
    assert "came home" not in capsys.readouterr().out
    gave_labels(7, "later")
    status.main()
    told = capsys.readouterr().out
    assert "7 labels came home since" in told
    assert re.search(r"next:\n  make  +train", told)
