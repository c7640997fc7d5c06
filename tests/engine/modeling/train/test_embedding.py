"""Novelty in what a network makes of a record: the formula, the same in the graph, and strangers that stand out."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA

from fullstack_ml.answers import label
from fullstack_ml.artefact.graph import EMBEDDING
from fullstack_ml.artefact.session import Artefact
from fullstack_ml.inputs import image
from fullstack_ml.modeling.study.trials import Judge
from fullstack_ml.modeling.train import __main__ as train
from fullstack_ml.modeling.train import novelty
from fullstack_ml.modeling.train.backends import Lesson
from fullstack_ml.modeling.train.backends import torch as backend
from fullstack_ml.modeling.train.novelty_nodes import with_novelty
from fullstack_ml.workspace.paths import CANDIDATE
from fullstack_ml.workspace.seams import find_choice
from networks import bars, contract, model

pytestmark = pytest.mark.filterwarnings("ignore:Field onnx:DeprecationWarning")
Refused = Callable[..., AbstractContextManager[None]]
Network = tuple[backend.Fitted, np.ndarray, np.ndarray, dict[str, np.ndarray]]


def fitted_on_bars(channels: int, widths: list[int]) -> Network:
    """Return a network that knows bars, pictures that it has not seen, the truth of all, and the constants."""
    rows, truth = bars(300, channels, side=12)
    lesson = Lesson(rows[:200], truth[:200], label, True, contract(12, 12, *([3] if channels == 3 else [])))
    fitted = backend.fit(model(epochs=6, widths=widths), 7, lesson)
    look = train.looks_at(EMBEDDING, backend, fitted)
    constants = train.novelty_constants(EMBEDDING, rows[:200], truth[:200], True, look)
    assert constants is not None
    return fitted, rows[200:], truth, constants


@pytest.fixture(scope="module", params=[(1, [8, 16]), (3, [8, 80])], ids=["narrow", "wide"])
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Network:
    """A network of 16 values, and one of more than a covariance is kept of."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("network"))
        return fitted_on_bars(*request.param)


def test_the_distance_is_that_of_the_formula_on_at_most_64_components(network: Network) -> None:
    fitted, unseen, truth, constants = network
    known = np.concatenate([bars(300, len(unseen[0]) // 144, side=12)[0][:200], unseen])
    values = backend.embeddings(fitted, known).astype(np.float64)
    spread = values[:200].std(axis=0)
    scaled = (values - values[:200].mean(axis=0)) / np.where(spread == 0, 1, spread)
    if scaled.shape[1] > 64:
        scaled = PCA(64, svd_solver="randomized", random_state=0).fit(scaled[:200]).transform(scaled)
    means = np.array([scaled[:200][truth[:200] == one].mean(axis=0) for one in range(2)])
    inner = LedoitWolf(assume_centered=True).fit(scaled[:200] - means[truth[:200]])
    precision = np.linalg.inv(inner.covariance_)
    gaps = scaled[:, None, :] - means
    expected = np.einsum("nli,ij,nlj->nl", gaps, precision, gaps).min(axis=1) / scaled.shape[1]
    assert novelty.distance(constants, values) == pytest.approx(expected, rel=1e-4)
    assert constants["novelty_whiten"].shape[1] <= 64


def test_the_graph_computes_the_same_and_shows_the_answer_and_the_novelty_alone(network: Network) -> None:
    fitted, unseen, _, constants = network
    graph = with_novelty(backend.to_onnx(fitted, unseen.shape[1], 2, "probabilities"), constants, EMBEDDING)
    assert [given.name for given in graph.graph.output] == ["probabilities", "novelty"]
    scored = Artefact(graph.SerializeToString()).score(unseen)
    expected = novelty.distance(constants, backend.embeddings(fitted, unseen))
    assert scored.novelty == pytest.approx(expected, rel=1e-3, abs=1e-3)
    assert scored.outputs == pytest.approx(backend.outputs(fitted, unseen), abs=1e-5)


def test_strangers_are_flagged_more_often_than_pictures_of_the_known_kind(network: Network) -> None:
    fitted, unseen, _, constants = network
    shape = (12, 12, 3) if unseen.shape[1] > 144 else (12, 12)
    planes = unseen.reshape(-1, unseen.shape[1] // 144, 12, 12).transpose(0, 2, 3, 1).reshape(-1, *shape)
    kinds = image.strangers((planes * 255).round().astype(np.uint8), contract(*shape), 0)

    def scores(pictures: np.ndarray) -> np.ndarray:
        rows = pictures.reshape(len(pictures), 12, 12, -1).transpose(0, 3, 1, 2).reshape(len(pictures), -1) / 255
        return novelty.distance(constants, backend.embeddings(fitted, rows.astype(np.float32)))

    familiar = novelty.distance(constants, backend.embeddings(fitted, unseen))
    limit = np.quantile(familiar, 0.95)
    for kind in ("blank", "noise", "photographs"):
        assert (scores(kinds[kind]) > limit).mean() > 0.5, kind


def test_a_model_without_an_embedding_is_refused_before_it_is_fitted(refused: Refused) -> None:
    with refused("has no embedding", "novelty in conf/train.yaml", "set novelty: mahalanobis"):
        train.check_score(EMBEDDING, label, find_choice("modeling.train.backends", "sklearn", "conf/model"))
    train.check_score(EMBEDDING, label, backend)


@pytest.mark.task("image-classification")
def test_the_stage_fits_it_and_holds_it_against_the_graph(
    finished: Path, config: Any, product: Any, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.train.novelty = EMBEDDING
    config.model = model(epochs=1, widths=[4, 4])
    train.run(config)
    names = {made.name for made in onnx.load(CANDIDATE).graph.initializer}
    assert "novelty_whiten" in names and "novelty_basis" not in names
    judge = Judge(config, product)  # a trial of a sweep has the same score, of models that have an embedding
    lesson, (held_out, rows, _) = judge.seats[0].lesson, judge.seats[0].asked["judged"]
    look, constants = judge.embedded(backend, backend.fit(config.model, config.seed, lesson), lesson)
    assert constants is not None
    expected = Artefact(CANDIDATE).score(held_out.inputs).novelty
    assert novelty.distance(constants, look(rows)) == pytest.approx(expected, rel=1e-3, abs=1e-3)
    other = find_choice("modeling.train.backends", "sklearn", "conf/model")
    assert judge.embedded(other, None, lesson)[1] is None
    monkeypatch.setattr(train, "distance", lambda constants, values: 1.1 * novelty.distance(constants, values))
    with refused("novelty in ONNX differs"):
        train.run(config)
