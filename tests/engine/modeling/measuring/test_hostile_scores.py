"""What must never pass in silence: numbers that are none, labels that are missing, slices and splits that are empty."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from fullstack_ml.answers import label
from fullstack_ml.answers.label import calibration, report
from fullstack_ml.answers.words import Scored
from fullstack_ml.artefact import session as artefact
from fullstack_ml.modeling.accept import __main__ as accept
from fullstack_ml.modeling.export import __main__ as export
from fullstack_ml.modeling.measuring import intervals, measure
from fullstack_ml.modeling.train import novelty
from fullstack_ml.workspace.sentences import in_english
from measured import ROWS, as_sums, label_metrics, label_table

TEST, CALIBRATION = Path("data/splits/test.parquet"), Path("data/splits/calibration.parquet")
Refused = Callable[..., Any]


class Stub:
    """An artefact that gives what it is told, and may abstain."""

    def __init__(self, labels: int, change: Callable[[np.ndarray], None]) -> None:
        """Give every record the same honest doubt, then let ``change`` spoil it."""
        kind = type(artefact.Artefact(Path("models/model.onnx")).rule)
        self.labels, self.change = labels, change
        self.answer = label
        self.rule = kind(floor=0.1, confidence=0.5, novelty=2.0, coverage=0.9)

    def decide(self, scored: Scored) -> np.ndarray:
        """Judge by the rule of the file."""
        return label.decide(scored.outputs, scored.novelty, self.rule)

    def score(self, inputs: np.ndarray, batch: int = 8192) -> Scored:
        """Return the spoiled scores."""
        scores = np.full((len(inputs), self.labels), 1 / self.labels, np.float32)
        self.change(scores)
        return Scored(scores, np.full(len(inputs), np.nan, np.float32))


def measured(product: Any, config: Any, change: Callable[[np.ndarray], None]) -> Any:
    """Measure a stub on the test split."""
    stub: Any = Stub(len(product.formulation.answer.labels), change)
    return measure.test(stub, product, config)


def verdicts(product: Any, evaluation: dict[str, Any]) -> dict[str, str]:
    """Return the verdict by metric, of a contract that asks for nothing but what the evaluation should hold."""
    empty: dict[str, Any] = {"metrics": {}}
    reports = {"performance": {}, "validation": empty, "agreement": empty, "evaluation": evaluation}
    return {f"{row['metric']} {row['slice']}": row["verdict"] for row in accept.verdicts(product, reports)}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_probability_that_is_no_number_is_refused(
    value: float, finished: Path, product: Any, config: Any, refused: Refused
) -> None:
    def spoil(scores: np.ndarray) -> None:
        scores[3, 0] = value

    with refused("not finite", "models/", "train"):
        measured(product, config, spoil)


def test_a_novelty_that_is_no_number_is_unfamiliar(finished: Path, product: Any, config: Any) -> None:
    found = measured(product, config, lambda scores: None)
    assert set(found.decisions) == {"unfamiliar"}
    # A model that never answers has no error among its answers: that is no perfect score.
    assert found.report["metrics"]["answered_error"] is None
    assert verdicts(product, found.report)["answered_error all"] == "not measurable"


def test_a_label_missing_from_the_test_split_is_not_measurable(finished: Path, product: Any, config: Any) -> None:
    missing = product.formulation.label_names[-1]
    pl.read_parquet(TEST).filter(pl.col("label") != missing).write_parquet(TEST)
    found = measure.test(artefact.Artefact(Path("models/model.onnx")), product, config).report
    assert (found["labels"][missing]["recall"], found["labels"][missing]["records"]) == (None, 0)
    assert (found["metrics"]["worst_label_recall"], found["intervals"]["worst_label_recall"]) == (None, None)
    assert verdicts(product, found)["worst_label_recall all"] == "not measurable"


def test_a_slice_that_is_too_small_is_not_measurable(finished: Path, product: Any, config: Any) -> None:
    kind = type(product.data).model_fields["slices"].annotation.__args__[0]
    empty = kind(id="empty", column="source", equals="nowhere", reason="r")
    data = product.data.model_copy(update={"slices": [empty, *product.data.slices]})
    asked = product.requirements[0].model_copy(update={"metric": "accuracy", "slice": empty.id, "threshold": 0.0})
    contract = product.model_copy(update={"data": data, "requirements": [asked, *product.requirements]})
    found = measured(contract, config, lambda scores: None).report
    assert found["slices"][empty.id]["records"] == 0
    assert in_english(found["slices"][empty.id]["not_measurable"]) == f"fewer than {config.evaluate.min_slice} records"
    verdict = verdicts(contract, found)
    assert verdict[f"accuracy {empty.id}"] == "not measurable"
    assert verdict["worst_slice_accuracy all"] == "not measurable"


def test_a_label_that_is_never_predicted_is_named(finished: Path, product: Any, config: Any) -> None:
    def always_first(scores: np.ndarray) -> None:
        scores[:, 0] = 0.9

    found = measured(product, config, always_first).report
    names = product.formulation.label_names
    assert found["metrics"]["collapse"] == 1.0
    note = in_english(report.collapsed(found["labels"], 0.5))
    assert note == f"collapsed: the model never predicts {', '.join(names[1:])}"


def test_a_label_that_is_predicted_too_rarely_is_named() -> None:
    labels = {"often": {"records": 50, "predicted": 71}, "seldom": {"records": 50, "predicted": 19}}
    assert in_english(report.collapsed(labels, 0.6)) == "collapsed: the model too rarely predicts seldom"
    assert "seldom" not in in_english(report.collapsed(labels, 0.7))
    labels["never"] = {"records": 10, "predicted": 0}
    both = "collapsed: the model never predicts never and too rarely predicts seldom"
    assert in_english(report.collapsed(labels, 0.6)) == both


@pytest.mark.parametrize("records", [10, 40])
def test_too_small_a_calibration_split_stops_export_and_keeps_the_old_artefact(
    records: int, finished: Path, product: Any, config: Any, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = type(product.formulation).model_fields["abstain"].annotation.__args__[0]
    changed = product.formulation.model_copy(update={"abstain": kind(coverage=0.95, false_alarms=0.02)})
    monkeypatch.setattr(export, "load", lambda: product.model_copy(update={"formulation": changed}))
    before = Path("models/model.onnx").read_bytes()
    pl.read_parquet(CALIBRATION)[:records].write_parquet(CALIBRATION)
    with refused("calibration records", "conf/split.yaml", "raise the share"):
        export.run(config)
    assert Path("models/model.onnx").read_bytes() == before


@pytest.mark.parametrize("split", [TEST, CALIBRATION])
def test_an_empty_split_is_refused(split: Path, finished: Path, product: Any, config: Any, refused: Refused) -> None:
    pl.read_parquet(split)[:0].write_parquet(split)
    with refused(f"the split {split.stem} holds no record", str(split), "conf/split.yaml"):
        if split == CALIBRATION:
            export.run(config)
        measured(product, config, lambda scores: None)


def test_a_label_missing_from_calibration_is_refused_by_isotonic_regression_and_harmless_to_temperature(
    finished: Path, product: Any, config: Any, refused: Refused
) -> None:
    missing = product.formulation.label_names[-1]
    named = pl.when(pl.col("label") == missing).then(pl.lit(product.formulation.label_names[0]))
    pl.read_parquet(CALIBRATION).with_columns(label=named.otherwise("label")).write_parquet(CALIBRATION)
    config.export.calibration = "temperature"
    export.run(config)
    scored = artefact.Artefact(Path("models/model.onnx")).score(measure.read("test", product).inputs)  # type: ignore[attr-defined]
    assert (scored.outputs.argmax(axis=1) == len(product.formulation.answer.labels) - 1).any()
    config.export.calibration = "isotonic"
    with refused("has no record in the calibration split", str(CALIBRATION), "temperature"):
        export.run(config)


def test_a_constant_feature_leaves_the_novelty_a_number() -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(200, 4))
    features[:, 2] = 7.0
    constants = novelty.mahalanobis(features, np.arange(200) % 2)
    assert np.isfinite(novelty.distance(constants, features)).all()


def test_a_probability_of_exactly_one_calibrates_to_a_number() -> None:
    certain = np.eye(2, dtype=np.float32)[np.arange(40) % 2]
    truth = np.arange(40) % 2
    truth[0] = 1
    assert np.isfinite(calibration.fit_beta(certain, truth))


def test_no_error_among_few_answers_is_no_certainty() -> None:
    scores = np.tile(np.array([[0.9, 0.1], [0.1, 0.9]]), (25, 1))
    truth = np.arange(50) % 2
    accepted = np.ones(50, bool)
    sums = intervals.totals(label_table(scores, truth, accepted, 0.0), 200, seed=0)
    found = intervals.bounds(label_metrics(sums, 0), as_sums(sums, 0), ROWS)
    # The rule of three: no error in n trials leaves about 3 / n; Wilson's bound is 3.84 / (n + 3.84).
    assert found["answered_error"] == pytest.approx([0.0, 3.84 / 53.84], abs=1e-3)
    assert found["accuracy"] == pytest.approx([50 / 53.84, 1.0], abs=1e-3)
    assert found["worst_label_recall"] == pytest.approx([25 / 28.84, 1.0], abs=1e-3)


def test_a_threshold_that_cannot_be_met_fails(finished: Path, config: Any, product: Any) -> None:
    report = json.loads(Path("reports/evaluation.json").read_text(encoding="utf-8"))
    impossible = product.requirements[0].model_copy(update={"metric": "accuracy", "slice": "all", "threshold": 1.01})
    verdict = verdicts(product.model_copy(update={"requirements": [impossible]}), report)
    assert verdict == {"accuracy all": "fail"}
