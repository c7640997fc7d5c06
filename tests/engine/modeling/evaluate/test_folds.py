"""Folds for small data: each record is tested by a model that has not seen it, and the shipped one learns from all."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import polars as pl
import pytest
from onnx import numpy_helper
from sklearn import metrics

from fullstack_ml.answers import label
from fullstack_ml.answers.label.calibration import fit_beta
from fullstack_ml.answers.words import ACCEPT
from fullstack_ml.artefact.session import Artefact
from fullstack_ml.data.split import __main__ as split
from fullstack_ml.data.split import folds, leakage
from fullstack_ml.inputs import input_of
from fullstack_ml.modeling.evaluate import __main__ as evaluate
from fullstack_ml.modeling.export import __main__ as export
from fullstack_ml.modeling.measuring import measure
from fullstack_ml.modeling.register import champion
from fullstack_ml.modeling.train import __main__ as train
from fullstack_ml.pipeline import examples
from fullstack_ml.pipeline.tables import write_parquet

Refused = Callable[..., AbstractContextManager[None]]
LABELLED, FROZEN, MODEL = Path("data/labelled.parquet"), Path("reports/frozen.json"), Path("models/model.onnx")
COUNT, FOLDS = 400, 4


def begin(config: Any, labels: list[str] | None = None, count: int = FOLDS) -> None:
    """Keep a few labelled records, perhaps with other labels, and cut them into folds."""
    frame = pl.read_parquet(LABELLED).sample(COUNT, seed=0)
    if labels:
        frame = frame.with_columns(label=pl.Series(labels, dtype=frame.schema["label"]))
    write_parquet(LABELLED, [frame])
    FROZEN.unlink()
    config.split.folds = count
    split.run(config)


def report() -> Any:
    """Read what was evaluated."""
    return json.loads(Path("reports/evaluation.json").read_text(encoding="utf-8"))


def test_each_record_is_tested_once_and_all_are_learned(finished: Path, config: Any, product: Any) -> None:
    begin(config)
    for stage in (leakage, train, export, evaluate):
        stage.run(config)
    parts = examples.read_folds(product)
    assert sorted(len(part.truth) for part in parts) == [COUNT // FOLDS] * FOLDS
    ids = [id for part in parts for id in part.frame["id"]]
    assert sorted(ids) == sorted(pl.read_parquet(LABELLED)["id"])
    assert json.loads(Path("reports/training.json").read_text(encoding="utf-8"))["records"] == COUNT
    truth = np.concatenate([part.truth for part in parts])
    by_fold = [Artefact(Path(f"models/variants/folds/{i}.onnx")) for i in range(FOLDS)]
    said = np.concatenate([by.score(part.inputs).outputs for by, part in zip(by_fold, parts, strict=True)])
    found = report()
    assert (found["records"], found["folds"]) == (COUNT, FOLDS)
    answers = [by.decide(by.score(part.inputs)) == "accept" for by, part in zip(by_fold, parts, strict=True)]
    assert found["answered_by_fold"] == pytest.approx([given.mean() for given in answers])
    assert found["metrics"]["accuracy"] == pytest.approx(metrics.accuracy_score(truth, said.argmax(axis=1)))
    assert found["confusion"] == metrics.confusion_matrix(truth, said.argmax(axis=1)).tolist()
    # The shipped model is calibrated on what the folds say before calibration, and each fold's on that of the others.
    raw = [Artefact(Path(f"models/folds/{i}.onnx")).score(part.inputs).outputs for i, part in enumerate(parts)]
    assert beta(MODEL) == pytest.approx(fit_beta(np.concatenate(raw), truth), rel=1e-5)
    others = np.concatenate([part.truth for part in parts[1:]])
    assert beta(Path("models/variants/folds/0.onnx")) == pytest.approx(
        fit_beta(np.concatenate(raw[1:]), others), rel=1e-5
    )


def beta(path: Path) -> float:
    """Return the inverse temperature in a graph."""
    (found,) = (numpy_helper.to_array(value) for value in onnx.load(path).graph.initializer if value.name == "beta")
    return float(found)


def test_what_cannot_be_learned_is_found_to_be_guessed(finished: Path, config: Any, product: Any) -> None:
    """Labels by lot: a model that had seen a record would know its label, and one that has not is right by chance."""
    names = product.formulation.label_names
    lots = np.random.default_rng(0).integers(0, len(names), COUNT)
    begin(config, [names[i] for i in lots])
    for stage in (train, export, evaluate):
        stage.run(config)
    chance = 1 / len(names)
    assert report()["metrics"]["accuracy"] < chance + 4 * np.sqrt(chance * (1 - chance) / COUNT)
    known = examples.joined(examples.read_folds(product))
    learned = Artefact(MODEL).score(known.inputs).outputs.argmax(axis=1)
    assert metrics.accuracy_score(known.truth, learned) > chance + 0.3, "the shipped model has seen every record"


@pytest.mark.task("tabular-classification")
def test_the_shipped_model_is_as_sure_of_new_records_as_those_that_test_it(
    finished: Path, config: Any, product: Any
) -> None:
    """Of trees that each stop by a tenth of their records, one may answer nothing where the others answer most."""
    whole = pl.read_parquet(LABELLED)
    begin(config, count=5)
    for stage in (train, export, evaluate):
        stage.run(config)
    sizes = {trees(path) for path in (Path("models/candidate.onnx"), *Path("models/folds").glob("*.onnx"))}
    assert len(sizes) == 1, "all models have the same number of trees"
    known = pl.read_parquet(LABELLED)["id"]
    fresh = whole.filter(~pl.col("id").is_in(known.implode()))
    shipped = Artefact(MODEL)
    words = shipped.decide(shipped.score(input_of(product).matrix(fresh, product)))
    tested = report()["metrics"]["answered_share"]
    deviation = np.sqrt(0.25 / len(fresh) + 0.25 / COUNT)
    assert abs((words == ACCEPT).mean() - tested) < 4 * deviation


def trees(path: Path) -> int:
    """Return how many trees a graph holds."""
    (found,) = (node for node in onnx.load(path).graph.node if node.op_type.startswith("TreeEnsemble"))
    return len({value for one in found.attribute if one.name == "nodes_treeids" for value in one.ints})


def test_groups_stay_together_and_labels_are_spread() -> None:
    frame = pl.DataFrame(
        {
            "id": [f"{i:012x}" + "0" * 52 for i in range(200)],
            "group": [f"clinic {i // 5}" for i in range(200)],
            "label": ["rare" if i % 10 == 0 else "often" for i in range(200)],
        }
    )
    found = frame.with_columns(fold=pl.Series(folds.folds_of(frame, 5, ["often", "rare"], label.named)))
    assert found.group_by("group").agg(pl.col("fold").n_unique())["fold"].max() == 1
    rare = found.filter(pl.col("label") == "rare").group_by("fold").len()
    assert sorted(rare["len"]) == [4] * 5


def test_a_label_in_one_fold_is_refused(refused: Refused) -> None:
    ids = [f"{i:012x}" + "0" * 52 for i in range(20)]
    frame = pl.DataFrame({"id": ids, "group": [None] * 20, "label": ["a"] * 19 + ["b"]})
    with refused("the label(s) b stand in one fold", "folds in conf/split.yaml", "label more"):
        folds.folds_of(frame, 4, ["a", "b"], label.named)
    with refused("20 labelled records in 20 groups cannot be cut into 21 folds", "folds", "set fewer folds"):
        folds.folds_of(frame, 21, ["a"], label.named)


@pytest.mark.task("tabular-classification")
def test_folds_and_a_test_split_are_not_exchanged(finished: Path, config: Any, refused: Refused) -> None:
    config.split.folds = 4
    with refused("until now there was a test split", "conf/split.yaml", "delete reports/frozen.json"):
        split.run(config)
    begin(config)
    config.split.folds = 5
    split.run(config)
    config.split.folds = 0
    with refused("until now there was no test split", "conf/split.yaml", "delete reports/frozen.json"):
        split.run(config)
    config.split.folds = 1
    with refused("there is 1 fold", "conf/split.yaml", "2 and more"):
        split.run(config)


@pytest.mark.task("tabular-classification")
def test_a_model_is_not_measured_on_what_it_has_learned(
    finished: Path, config: Any, product: Any, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(config)
    with refused("with folds a model has learned from every record", "conf/split.yaml", "compare what stage evaluate"):
        measure.test(Artefact(MODEL), product, config)

    class Registry:
        def aliases(self) -> dict[str, str]:
            return {"champion": "1"}

        def file(self, number: str) -> Path:
            return MODEL

    reasons = champion.challenge(Registry(), "2", product, config)  # type: ignore[arg-type]
    assert ["make promote VERSION=2" in reason for reason in reasons] == [True]
