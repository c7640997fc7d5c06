"""Metrics from sums: the same as from records, with intervals of the right width."""

from functools import partial

import numpy as np
import polars as pl
import pytest
from scipy import stats
from sklearn import metrics

from fullstack_ml.answers.label import report
from fullstack_ml.modeling.measuring import intervals, measure
from fullstack_ml.product.metrics import Metric, repeated, wilson
from measured import label_metrics, label_table

LABELS = 3


def table(count: int = 500, seed: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return the columns of random records, with probabilities and truth."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, LABELS, count)
    logits = random.normal(size=(count, LABELS)) + 2 * np.eye(LABELS)[truth]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return label_table(probabilities, truth, probabilities.max(axis=1) > 0.6, 0.2), probabilities, truth


def test_metrics_of_sums_are_those_of_records() -> None:
    columns, probabilities, truth = table()
    found = label_metrics(intervals.totals(columns, 0, seed=0), majority=1)
    predicted = probabilities.argmax(axis=1)
    expected = {
        "accuracy": metrics.accuracy_score(truth, predicted),
        "macro_f1": metrics.f1_score(truth, predicted, average="macro"),
        "log_loss": metrics.log_loss(truth, probabilities),
        "brier": metrics.brier_score_loss(truth, probabilities, labels=list(range(LABELS)), scale_by_half=False),
    }
    assert {name: found[name][0] for name in expected} == pytest.approx(expected, rel=1e-5, abs=1e-6)
    matrix = report.confusion(probabilities.argmax(axis=1), truth, LABELS)
    assert found["worst_label_recall"][0] == pytest.approx(report.recalls(matrix).min())
    assert found["margin_over_baseline"][0] == pytest.approx(expected["accuracy"] - (truth == 1).mean())


def test_answers_errors_and_costs_are_counted_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.6, 0.4]])
    truth = np.array([0, 0, 1, 0])
    answers = np.array([True, True, True, False])
    sums = intervals.totals(label_table(probabilities, truth, answers, 0.5, (30.0, 2.0)), 0, seed=0)
    found = {name: values[0] for name, values in label_metrics(sums, 0).items()}
    assert found["answered_share"] == pytest.approx(3 / 4)
    assert found["answered_error"] == pytest.approx(1 / 3)
    assert found["set_coverage"] == pytest.approx(3 / 4)
    # One record is given back, and its label is among the candidates.
    assert found["abstained_coverage"] == pytest.approx(1)
    # One wrong answer and one silence among four records.
    assert found["cost_per_record"] == pytest.approx((30 + 2) / 4)
    dearer = label_table(probabilities, truth, answers, 0.5, (30.0, 2.0), {"1": {"0": 90.0}, "0": {"1": 7.0}})
    # That one error, of the second label called the first, costs 90 now.
    assert dearer["cost"].tolist() == [0, 0, 90, 2]
    # All four are called the first label, and none the second, which is a quarter of the truth.
    assert found["collapse"] == pytest.approx(1)


def test_the_candidates_of_what_is_given_back_are_counted_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.55, 0.45], [0.7, 0.3]])
    truth, answers = np.array([0, 0, 0, 1, 0, 0]), np.array([True, True, True, False, False, False])
    # With candidates from 0.58 on: of those given back the fourth is wrong, the fifth has none, the sixth is right.
    found = label_metrics(intervals.totals(label_table(probabilities, truth, answers, 0.58), 0, seed=0), 0)
    assert found["set_coverage"][0] == pytest.approx(4 / 6)
    assert found["abstained_coverage"][0] == pytest.approx(1 / 3)
    everything = intervals.totals(label_table(probabilities, truth, np.ones(6, bool), 0.58), 0, seed=0)
    assert np.isnan(label_metrics(everything, 0)["abstained_coverage"][0]), "nothing was given back"


def test_the_sums_do_not_depend_on_how_many_records_are_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    columns, _, _ = table()
    whole = intervals.totals(columns, 0, seed=0)
    monkeypatch.setattr(intervals, "CHUNK", 7)
    for name, parts in intervals.totals(columns, 0, seed=0).items():
        assert parts == pytest.approx(whole[name])


def test_the_interval_of_the_accuracy_has_the_width_that_theory_gives() -> None:
    columns, probabilities, truth = table(2000)
    sums = intervals.totals(columns, 2000, seed=0)
    found = intervals.interval(label_metrics(sums, 0)["accuracy"][1:])
    assert found is not None
    share = (probabilities.argmax(axis=1) == truth).mean()
    half = 1.96 * np.sqrt(share * (1 - share) / 2000)
    assert found == pytest.approx([share - half, share + half], abs=0.15 * half)


def test_records_of_one_group_count_as_one_where_they_are_all_alike() -> None:
    """100 groups of ten equal records say as much as 100 records: sqrt(p (1 - p) / 100), and not a third of it."""
    right = np.repeat(np.random.default_rng(0).permutation(np.arange(100) < 80), 10).astype(np.float32)
    groups = intervals.groups_of(pl.Series("group", np.repeat(np.arange(100), 10)))
    columns = {"score": right, "one": np.ones(1000, np.float32)}
    sums = intervals.totals(columns, 4000, 0, groups)
    shares = (sums["score"] / sums["one"])[:, 0]
    assert shares[0] == pytest.approx(0.8)
    assert shares[1:].std() == pytest.approx(np.sqrt(0.8 * 0.2 / 100), rel=0.05)
    alone = intervals.totals(columns, 4000, 0)
    assert (alone["score"] / alone["one"])[1:].std() == pytest.approx(np.sqrt(0.8 * 0.2 / 1000), rel=0.05)


def test_a_metric_that_is_no_sum_is_resampled_by_group_too() -> None:
    """The same 100 groups of ten equal records, measured by a function of records: the spread is that of 100."""
    right = np.repeat(np.random.default_rng(0).permutation(np.arange(100) < 80), 10).astype(np.float32)
    groups = intervals.groups_of(pl.Series("group", np.repeat(np.arange(100), 10)))
    own = Metric("share", "higher", "accuracy", weighted=partial(repeated, lambda outputs, _: float(outputs.mean())))
    for units, independent in ((groups, 100), (None, 1000)):
        drawn = intervals.weights(1000, 2000, 0, units)
        shares = measure.measured_weighted({"own": own}, right, right, drawn)["own"]
        assert shares[0] == pytest.approx(0.8)
        assert shares[1:].std() == pytest.approx(np.sqrt(0.8 * 0.2 / independent), rel=0.06)


@pytest.mark.parametrize("kind", [pl.String, pl.Int64, pl.Categorical])
def test_a_record_without_a_group_stands_alone(kind: type[pl.DataType]) -> None:
    named = pl.Series("group", ["7", None, "7", "8", None], pl.String).cast(kind)
    groups = intervals.groups_of(named)
    assert groups is not None
    assert len(set(groups.tolist())) == 4
    assert groups[0] == groups[2]
    assert intervals.groups_of(named[1:2]) is None, "nothing belongs together"


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    columns, _, _ = table()
    runs = [intervals.totals(columns, 50, seed=seed)["score"].tolist() for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_the_weights_are_those_of_the_poisson_distribution() -> None:
    counts = np.bincount(intervals.POISSON.astype(int)) / len(intervals.POISSON)
    assert counts == pytest.approx(stats.poisson(1).pmf(np.arange(len(counts))), abs=1e-4)


def test_an_interval_of_what_is_mostly_undefined_is_none() -> None:
    assert intervals.interval(np.array([0.5] * 90 + [np.nan] * 10)) is None
    assert intervals.interval(np.array([0.5] * 96 + [np.nan] * 4)) == [0.5, 0.5]


@pytest.mark.parametrize(("hits", "records"), [(8, 10), (0, 20), (20, 20), (137, 400)])
def test_the_interval_of_a_share_is_that_of_scipy(hits: int, records: int) -> None:
    expected = stats.binomtest(hits, records).proportion_ci(method="wilson")
    assert wilson(hits, records) == pytest.approx([expected.low, expected.high], abs=1e-6)
