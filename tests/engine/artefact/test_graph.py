"""The ONNX graph: the same numbers as scikit-learn, the contract's input, the same bytes."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelPropagation

from fullstack_ml.artefact import graph
from fullstack_ml.inputs import input_of

Refused = Callable[..., AbstractContextManager[None]]


def examples(values: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Return random inputs of three labels."""
    random = np.random.default_rng(0)
    truth = np.arange(90) % 3
    return (truth[:, None] + random.normal(0, 1, (90, values))).astype(np.float32), truth


def run(model: onnx.ModelProto, inputs: np.ndarray) -> np.ndarray:
    """Run a graph with one input and one output."""
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (result,) = session.run(["probabilities"], {session.get_inputs()[0].name: inputs})
    return np.asarray(result)


@pytest.mark.parametrize(
    "estimator",
    [LogisticRegression(), MLPClassifier([8], max_iter=30, tol=1.0, random_state=0)],
    ids=["logistic", "mlp"],
)
def test_the_graph_gives_the_probabilities_of_scikit_learn(estimator: Any) -> None:
    inputs, truth = examples()
    pipeline = make_pipeline(StandardScaler(), estimator).fit(inputs, truth)
    assert run(graph.convert(pipeline, 6, 3), inputs) == pytest.approx(pipeline.predict_proba(inputs), abs=1e-5)


def test_the_graph_of_the_majority_gives_every_record_the_prior() -> None:
    inputs, _ = examples()
    truth = np.array([0] * 60 + [1] * 20 + [2] * 10)
    pipeline = make_pipeline(DummyClassifier(strategy="prior")).fit(inputs, truth)
    expected = np.tile([60 / 90, 20 / 90, 10 / 90], (5, 1))
    assert run(graph.convert(pipeline, 6, 3), inputs[:5]) == pytest.approx(expected, abs=1e-6)


def test_the_graph_computes_nothing_but_the_probabilities() -> None:
    inputs, truth = examples()
    pipeline = make_pipeline(MLPClassifier([8], max_iter=30, tol=1.0, random_state=0)).fit(inputs, truth)
    made = graph.convert(pipeline, 6, 3)
    assert [output.name for output in made.graph.output] == ["probabilities"]
    read = {name for node in made.graph.node for name in node.input} | {"probabilities"}
    assert all(set(node.output) & read for node in made.graph.node)
    assert {constant.name for constant in made.graph.initializer} <= read


def test_an_estimator_that_has_no_onnx_form_is_refused(refused: Refused) -> None:
    inputs, truth = examples()
    pipeline = make_pipeline(LabelPropagation()).fit(inputs, truth)
    with refused("cannot be converted to ONNX", "conf/model"):
        graph.convert(pipeline, 6, 3)


def test_the_input_is_what_the_contract_says(product: Any) -> None:
    wanted = product.formulation.input
    values = wanted.shape[0] * wanted.shape[1] if wanted.shape else len(wanted.features)
    inputs, truth = examples(values)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(inputs, truth)
    made = input_of(product).front(graph.convert(pipeline, values, 3), product)
    onnx.checker.check_model(made, full_check=True)
    (given,) = made.graph.input
    assert given.name == wanted.name
    if wanted.shape:
        given = (np.abs(inputs) * 50).astype(np.uint8)
        expected = pipeline.predict_proba(given.astype(np.float32) / 255)  # grey values come as 0 to 1
        assert run(made, given.reshape(-1, *wanted.shape)) == pytest.approx(expected, abs=1e-5)
    else:
        assert run(made, inputs) == pytest.approx(pipeline.predict_proba(inputs), abs=1e-5)


def test_the_metadata_is_stored_and_replaced() -> None:
    inputs, truth = examples()
    made = graph.convert(make_pipeline(LogisticRegression()).fit(inputs, truth), 6, 3)
    graph.with_metadata(made, {"old": "1"})
    graph.with_metadata(made, {"labels": '["ä"]', "a": "b"})
    assert {entry.key: entry.value for entry in made.metadata_props} == {"a": "b", "labels": '["ä"]'}


def test_the_same_fit_gives_the_same_file(tmp_path: Path) -> None:
    inputs, truth = examples()
    for name in ("a", "b"):
        pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(inputs, truth)
        graph.save(graph.convert(pipeline, 6, 3), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
