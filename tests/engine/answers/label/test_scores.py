"""Metrics against scikit-learn's own and against cases whose answer is known."""

import numpy as np
import pytest
from sklearn import metrics

from fullstack_ml.answers.label import report
from fullstack_ml.answers.label.metrics import METRICS
from fullstack_ml.modeling.measuring import novelty
from fullstack_ml.product.metrics import Sums, applicable
from fullstack_ml.product.types import Product
from measured import label_table

LABELS = 4


@pytest.fixture(params=[0, 1, 2])
def scored(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    """Random probabilities with random truth, a little better than chance."""
    random = np.random.default_rng(request.param)
    truth = random.integers(0, LABELS, 300)
    logits = random.normal(size=(300, LABELS)) + np.eye(LABELS)[truth]
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), truth


def test_the_headline_is_that_of_scikit_learn(scored: tuple[np.ndarray, np.ndarray]) -> None:
    probabilities, truth = scored
    predicted = probabilities.argmax(axis=1)
    found = report.headline(probabilities, truth)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(truth, predicted))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(truth, predicted, average="macro"))
    assert found["log_loss"] == pytest.approx(metrics.log_loss(truth, probabilities))
    brier = metrics.brier_score_loss(truth, probabilities, labels=list(range(LABELS)), scale_by_half=False)
    assert found["brier"] == pytest.approx(brier)


def test_the_confusion_matrix_and_the_recalls_are_those_of_scikit_learn(
    scored: tuple[np.ndarray, np.ndarray],
) -> None:
    probabilities, truth = scored
    predicted = probabilities.argmax(axis=1)
    matrix = report.confusion(predicted, truth, LABELS)
    assert matrix.tolist() == metrics.confusion_matrix(truth, predicted).tolist()
    assert report.recalls(matrix) == pytest.approx(metrics.recall_score(truth, predicted, average=None))


def test_kappa_of_ordered_labels_is_that_of_scikit_learn_also_in_resamples(
    scored: tuple[np.ndarray, np.ndarray],
) -> None:
    probabilities, truth = scored
    table = label_table(probabilities, truth, np.ones(len(truth), bool), 0.0)
    counts = np.stack([np.ones(len(truth)), np.random.default_rng(1).poisson(1, len(truth))])
    sums = Sums({name: counts @ column.reshape(len(truth), -1) for name, column in table.items()}, {})
    kappa = METRICS["quadratic_kappa"].value
    assert kappa
    predicted = probabilities.argmax(axis=1)
    expected = [metrics.cohen_kappa_score(truth, predicted, weights="quadratic", sample_weight=row) for row in counts]
    assert kappa(sums) == pytest.approx(expected)


def test_kappa_is_measured_only_of_labels_with_an_order(product: Product) -> None:
    assert "quadratic_kappa" not in applicable(product)
    answer = product.formulation.answer.model_copy(update={"ordered": True})
    formulation = product.formulation.model_copy(update={"answer": answer})
    assert "quadratic_kappa" in applicable(product.model_copy(update={"formulation": formulation}))


def test_a_label_without_records_has_no_recall_and_no_f1() -> None:
    truth = np.array([0, 0, 1])
    assert np.isnan(report.recalls(report.confusion(truth, truth, 3))).tolist() == [False, False, True]
    assert report.headline(np.eye(3)[truth], truth)["macro_f1"] == pytest.approx(2 / 3)


def test_average_precision_is_that_of_scikit_learn_for_any_weights() -> None:
    random = np.random.default_rng(0)
    truth, weights = random.integers(0, LABELS, 300), random.poisson(1, 300)
    probabilities = random.dirichlet(np.ones(LABELS), 300).round(2)  # many are equal
    of_each = [
        metrics.average_precision_score(truth == i, probabilities[:, i], sample_weight=weights) for i in range(LABELS)
    ]
    found = METRICS["average_precision"].weighted
    assert found is not None
    assert found(probabilities, truth)(weights) == pytest.approx(np.mean(of_each))
    assert np.isnan(found(probabilities, np.zeros(300, np.int64))(weights)), "a label without a record"


def test_a_probability_of_zero_for_the_right_label_costs_much_and_not_infinity() -> None:
    loss = report.headline(np.array([[1.0, 0.0]]), np.array([1]))["log_loss"]
    assert 80 < loss < 100


def test_a_calibrated_model_has_no_calibration_error() -> None:
    # Of ten records at 0.7, seven are right; of ten at 0.9, nine.
    probabilities = np.array([[0.7, 0.3]] * 10 + [[0.9, 0.1]] * 10)
    truth = np.array([0] * 7 + [1] * 3 + [0] * 9 + [1])
    assert report.headline(probabilities, truth)["ece"] == pytest.approx(0, abs=1e-6)


def test_an_overconfident_model_is_off_by_its_overconfidence() -> None:
    # Certain of everything, right in six of ten: off by 0.4.
    probabilities = np.array([[1.0, 0.0]] * 10)
    assert report.headline(probabilities, np.array([0] * 6 + [1] * 4))["ece"] == pytest.approx(0.4)


def test_the_calibration_error_weighs_bins_by_their_records() -> None:
    # Thirty records at 0.95 are all right (off by 0.05), ten at 0.55 are all wrong (off by 0.55).
    probabilities = np.array([[0.95, 0.05]] * 30 + [[0.55, 0.45]] * 10)
    truth = np.array([0] * 30 + [1] * 10)
    assert report.headline(probabilities, truth)["ece"] == pytest.approx(0.75 * 0.05 + 0.25 * 0.55)


def test_the_reliability_diagram_holds_every_record_once() -> None:
    random = np.random.default_rng(0)
    probabilities = random.dirichlet([1, 1, 1], 500)
    rows = report.reliability(probabilities, random.integers(0, 3, 500), bins=10)
    assert sum(row["records"] for row in rows) == 500
    # The highest of three probabilities is at least a third, so the lowest bins are empty and left out.
    assert [round(row["confidence"] * 10 - 0.5) for row in rows] == [3, 4, 5, 6, 7, 8, 9]


def test_separation_is_the_area_under_the_curve_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    familiar, strange = random.normal(0, 1, 400).round(1), random.normal(1, 1, 300).round(1)
    expected = metrics.roc_auc_score([0] * 400 + [1] * 300, np.concatenate([familiar, strange]))
    assert novelty.separation(familiar, strange)["auroc"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("familiar", "strange", "auroc", "false_alarms"),
    [
        ([1.0, 2.0], [3.0, 4.0], 1.0, 0.0),
        ([3.0, 4.0], [1.0, 2.0], 0.0, 1.0),
        ([1.0, 1.0], [1.0, 1.0], 0.5, 1.0),
        ([1.0, 2.0], [np.inf, np.nan], 1.0, 0.0),
    ],
    ids=["apart", "the-wrong-way-round", "no-difference", "infinite"],
)
def test_separation_of_cases_that_are_known(
    familiar: list[float], strange: list[float], auroc: float, false_alarms: float
) -> None:
    found = novelty.separation(np.array(familiar), np.array(strange))
    assert found == {"auroc": auroc, "false_alarms": false_alarms}


def test_false_alarms_are_counted_at_the_limit_that_catches_95_of_100_strange_records() -> None:
    strange = np.arange(100.0) + 1000
    familiar = np.array([1004.0, 1005.0, 1006.0, 0.0])
    # The five lowest strange records are missed, so the limit is 1005, and two of four familiar ones reach it.
    assert novelty.separation(familiar, strange)["false_alarms"] == 0.5
