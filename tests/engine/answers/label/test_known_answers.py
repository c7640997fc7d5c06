"""Methods against answers that theory or another library gives."""

from typing import Any

import numpy as np
import onnx
import pytest
from scipy import stats
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from fullstack_ml.answers.calibrating import conformal_quantile
from fullstack_ml.answers.label import calibration, report
from fullstack_ml.artefact import graph
from fullstack_ml.artefact import session as artefact
from fullstack_ml.modeling.measuring import intervals
from fullstack_ml.modeling.train.novelty_nodes import with_novelty
from fullstack_ml.product.metrics import wilson
from measured import label_metrics, label_table

REPETITIONS, KNOWN, NEW = 200, 100, 100


def test_conformal_sets_hold_the_right_label_as_often_as_promised() -> None:
    """Over 200 repetitions the coverage is beta-binomial with mean k / (n + 1) (Vovk 2012)."""
    random, level = np.random.default_rng(1), 0.9
    held = []
    for _ in range(REPETITIONS):
        # The model is biased on purpose: the promise needs no good probabilities, only exchangeable records.
        probabilities = random.dirichlet([0.5, 0.5, 0.5, 0.5], KNOWN + NEW)
        truth = (np.cumsum(probabilities**0.5, axis=1) > random.random((KNOWN + NEW, 1)) * 1.3).argmax(axis=1)
        right = probabilities[np.arange(KNOWN + NEW), truth]
        floor = 1.0 - conformal_quantile(1.0 - right[:KNOWN], level)
        held.append(int((right[KNOWN:] >= floor).sum()))
    rank = int(np.ceil((KNOWN + 1) * level))
    one = stats.betabinom(NEW, rank, KNOWN + 1 - rank)
    low, high = stats.norm.interval(0.999, one.mean() * REPETITIONS, one.std() * np.sqrt(REPETITIONS))
    assert low < sum(held) < high
    assert one.mean() / NEW >= level


class Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier that returns its input as probabilities."""

    def fit(self, inputs: np.ndarray, truth: np.ndarray) -> "Given":
        """Learn nothing but the labels."""
        self.classes_ = np.unique(truth)
        return self

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Return the most probable label."""
        found: np.ndarray = inputs.argmax(axis=1)
        return found

    def predict_proba(self, inputs: np.ndarray) -> np.ndarray:
        """Return the input."""
        return inputs


def passing(labels: int) -> onnx.ModelProto:
    """Return a graph whose probabilities are its input."""
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", labels])
        for name in (graph.INNER, graph.OUTPUT)
    ]
    nodes = [onnx.helper.make_node("Identity", [graph.INNER], [graph.OUTPUT])]
    made = onnx.helper.make_graph(nodes, "passing", ends[:1], ends[1:])
    model = onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)
    return with_novelty(model, None)


def test_the_isotonic_graph_gives_what_scikit_learn_gives() -> None:
    random = np.random.default_rng(0)
    given = random.dirichlet([1.0, 1.0, 1.0], 600).astype(np.float32)
    sharper = given**2 / (given**2).sum(axis=1, keepdims=True)
    truth = (sharper.cumsum(axis=1) > random.random((600, 1))).argmax(axis=1)
    model = Given().fit(given[:300], truth[:300])
    expected = CalibratedClassifierCV(FrozenEstimator(model), method="isotonic").fit(given[:300], truth[:300])
    made = calibration.isotonic(passing(3), given[:300], truth[:300])
    found = artefact.Artefact(made.SerializeToString()).score(given[300:]).outputs
    assert found == pytest.approx(expected.predict_proba(given[300:]), abs=2e-5)


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_the_bootstrap_of_the_accuracy_agrees_with_wilson(share: float) -> None:
    records = 2000
    hits = int(share * records)
    truth = np.zeros(records, np.int64)
    scores = np.where((np.arange(records) < hits)[:, None], [0.9, 0.1], [0.1, 0.9])
    answered = np.ones(records, bool)
    sums = intervals.totals(label_table(scores, truth, answered, 0.0), 1000, seed=0)
    found = intervals.interval(label_metrics(sums, 0)["accuracy"][1:])
    # The ends of 1,000 resamples have a standard error of about a twelfth of the interval's width.
    assert found == pytest.approx(wilson(hits, records), abs=0.004)


def test_the_risk_curve_answers_the_surest_first() -> None:
    # 100 records of falling confidence, of which the last ten are wrong.
    top = np.linspace(0.99, 0.6, 100)
    scores = np.column_stack([top, 1 - top]).astype(np.float32)
    truth = np.where(np.arange(100) < 90, 0, 1)
    curve = report.risk_curve(scores.max(axis=1), scores.argmax(axis=1) == truth)
    errors = {round(100 * point["answered_share"]): point["answered_error"] for point in curve}
    assert max(error for answered, error in errors.items() if answered <= 90) == 0
    assert errors[100] == pytest.approx(0.1)
    assert errors[max(n for n in errors if 90 < n < 100)] < 0.1


def test_a_resample_weighs_a_record_as_poisson_does() -> None:
    ones: dict[str, Any] = {"one": np.ones(10_000, np.float32)}
    sums = intervals.totals(ones, 400, seed=0)["one"][1:, 0]
    assert sums.mean() == pytest.approx(10_000, abs=4 * 100 / np.sqrt(400))
    assert sums.std() == pytest.approx(100, rel=0.15)
