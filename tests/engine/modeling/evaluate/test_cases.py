"""The records to look at: the worst errors come first, and a label that was planted wrong is found."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from fullstack_ml.answers import label
from fullstack_ml.answers.label.rule import ALWAYS
from fullstack_ml.answers.words import Scored
from fullstack_ml.modeling.evaluate import __main__ as evaluate
from fullstack_ml.modeling.measuring import measure
from fullstack_ml.pipeline import examples


def seen(records: pl.DataFrame, probabilities: np.ndarray, truth: np.ndarray, decision: str = "accept") -> Any:
    """Return records as an artefact saw them that gave ``probabilities``."""
    known = examples.Examples(records[: len(truth)], np.zeros((len(truth), 1)), truth)
    scored = Scored(probabilities.astype(np.float32), np.ones(len(truth), np.float32))
    return measure.Tested(known, scored, np.full(len(truth), decision, dtype=object), {}, {})


def sure(predicted: np.ndarray, labels: int, top: float = 0.9) -> np.ndarray:
    """Return probabilities that give the predicted label ``top`` and share the rest."""
    rest = (1 - top) / (labels - 1)
    found: np.ndarray = np.full((len(predicted), labels), rest)
    found[np.arange(len(predicted)), predicted] = top
    return found


def test_a_planted_label_error_is_found(records: pl.DataFrame, product: Any) -> None:
    labels = len(product.formulation.answer.labels)
    right = np.arange(200) % labels
    planted = 37
    truth = right.copy()
    truth[planted] = (right[planted] + 1) % labels
    rows = evaluate.pick(label, seen(records, sure(right, labels), truth), ALWAYS, product)
    suspects = rows.filter(pl.col("suspect").is_not_null())
    assert suspects["id"].to_list() == [records["id"][planted]]
    assert suspects["predicted"][0] == product.formulation.label_names[right[planted]]


def test_an_honest_doubt_is_no_label_error(records: pl.DataFrame, product: Any) -> None:
    labels = len(product.formulation.answer.labels)
    truth = np.arange(200) % labels
    doubted = sure(truth, labels)
    doubted[5] = 1 / labels
    assert 5 not in label.suspects(doubted, truth)


def test_a_split_of_one_label_has_no_label_errors(product: Any) -> None:
    labels = len(product.formulation.answer.labels)
    truth = np.zeros(20, dtype=np.int64)
    assert len(label.suspects(sure(truth, labels), truth)) == 0


def test_answered_errors_come_before_silent_ones_and_sure_ones_before_unsure(
    records: pl.DataFrame, product: Any
) -> None:
    labels = len(product.formulation.answer.labels)
    truth = np.zeros(6, dtype=np.int64)
    found = seen(records, sure(np.array([0, 1, 1, 1, 1, 0]), labels), truth)
    found.scored.outputs[[1, 2, 3, 4], 1] = [0.6, 0.99, 0.8, 0.7]
    found.decisions[2] = "unfamiliar"
    assert label.worst(found.scored.outputs, found.examples.truth, found.decisions, ALWAYS).tolist() == [3, 4, 1, 2]
    rows = evaluate.pick(label, found, ALWAYS, product, shown=2)
    assert rows.filter(pl.col("error").is_not_null())["id"].to_list() == [records["id"][3], records["id"][4]]


def test_the_rows_hold_what_a_person_needs_to_see(records: pl.DataFrame, product: Any) -> None:
    labels = len(product.formulation.answer.labels)
    truth = np.arange(50) % labels
    predicted = truth.copy()
    predicted[7] = (truth[7] + 1) % labels
    row = evaluate.pick(label, seen(records, sure(predicted, labels), truth), ALWAYS, product).to_dicts()[0]
    names = product.formulation.label_names
    assert (row["id"], row["label"], row["predicted"]) == (records["id"][7], names[truth[7]], names[predicted[7]])
    assert (row["probability"], row["decision"]) == (pytest.approx(0.9), "accept")
    payload = next(name for name in row if name in records.columns and name != "id")
    assert row[payload] == records[payload][7]


def test_a_model_without_errors_leaves_an_empty_table(records: pl.DataFrame, product: Any) -> None:
    labels = len(product.formulation.answer.labels)
    truth = np.arange(50) % labels
    assert len(evaluate.pick(label, seen(records, sure(truth, labels), truth), ALWAYS, product)) == 0
