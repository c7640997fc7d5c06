"""The novelty score: the Mahalanobis distance, the same in the graph as in numpy."""

from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.covariance import LedoitWolf

from fullstack_ml.artefact import session as artefact
from fullstack_ml.artefact.graph import features_of
from fullstack_ml.inputs import image
from fullstack_ml.modeling.train import novelty
from fullstack_ml.modeling.train.backends.sklearn import constant
from fullstack_ml.modeling.train.novelty_nodes import with_novelty


@pytest.fixture
def known() -> tuple[np.ndarray, np.ndarray]:
    """Records of three labels with features of very different sizes, one of them constant."""
    random = np.random.default_rng(0)
    truth = np.arange(600) % 3
    mixed = random.normal(size=(600, 5)) @ random.normal(size=(5, 5)) + 20 * truth[:, None]
    return np.column_stack([mixed * [1, 10, 0.1, 1000, 1], np.full(600, 7.0)]), truth


def in_graph(constants: dict[str, np.ndarray] | None, features: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Compute the novelty in a graph whose probabilities are ``prior``."""
    model = with_novelty(constant(prior, features.shape[1], "probabilities"), constants)
    onnx.checker.check_model(model, full_check=True)
    return artefact.Artefact(model.SerializeToString()).score(features.astype(np.float32)).novelty


def test_the_distance_is_that_of_the_formula(known: tuple[np.ndarray, np.ndarray]) -> None:
    features, truth = known
    scaled = (features[:, :5] - features[:, :5].mean(axis=0)) / features[:, :5].std(axis=0)
    scaled = np.column_stack([scaled, np.zeros(len(scaled))])
    means = np.array([scaled[truth == label].mean(axis=0) for label in range(3)])
    precision = np.linalg.inv(LedoitWolf(assume_centered=True).fit(scaled - means[truth]).covariance_)
    gaps = scaled[:, None, :] - means
    expected = np.einsum("nli,ij,nlj->nl", gaps, precision, gaps).min(axis=1) / 6
    assert novelty.distance(novelty.mahalanobis(features, truth), features) == pytest.approx(expected, rel=1e-6)


def test_the_graph_computes_the_same_as_numpy(known: tuple[np.ndarray, np.ndarray]) -> None:
    features, truth = known
    constants = novelty.mahalanobis(features, truth)
    expected = novelty.distance(constants, features)
    assert in_graph(constants, features, np.array([0.5, 0.5])) == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_familiar_records_are_about_one_away_and_strange_ones_farther(known: tuple[np.ndarray, np.ndarray]) -> None:
    features, truth = known
    constants = novelty.mahalanobis(features[::2], truth[::2])
    familiar = novelty.distance(constants, features[1::2])
    strange = novelty.distance(constants, features[1::2] + 10 * features.std(axis=0))
    assert familiar.mean() == pytest.approx(1, abs=0.3)
    assert strange.min() > familiar.max()


def test_a_pixel_that_hardly_varies_weighs_no_more_than_others() -> None:
    random = np.random.default_rng(0)
    pixels = np.column_stack([random.normal(size=(600, 5)), random.normal(scale=1e-3, size=600)])
    truth = np.arange(600) % 2
    brighter = pixels + 0.1
    ratios = []
    for alike in (False, True):
        constants = novelty.mahalanobis(pixels, truth, alike)
        ratios.append(novelty.distance(constants, brighter).mean() / novelty.distance(constants, pixels).mean())
    assert ratios[0] > 100  # 0.1 is a hundred spreads of the last pixel
    assert ratios[1] < 1.5


def test_the_unit_of_a_feature_does_not_matter(known: tuple[np.ndarray, np.ndarray]) -> None:
    features, truth = known
    other = features * [1000, 1, 1, 0.01, 5, 1] + 3
    before = novelty.distance(novelty.mahalanobis(features, truth), features)
    assert novelty.distance(novelty.mahalanobis(other, truth), other) == pytest.approx(before, rel=1e-6)


def test_without_training_data_it_is_one_minus_the_highest_probability() -> None:
    assert in_graph(None, np.zeros((3, 2)), np.array([0.7, 0.2, 0.1])) == pytest.approx([0.3] * 3, abs=1e-6)


@pytest.fixture(scope="module")
def pictures() -> tuple[np.ndarray, np.ndarray]:
    """Pictures of 96 x 96 of three labels: a bright bar at a place of the label's own, moved and dimmed a little."""
    random, side = np.random.default_rng(0), 96
    truth = np.arange(300) % 3
    rows = np.arange(side)[None, :]
    middles = 20 + 28 * truth[:, None] + random.normal(0, 3, (300, 1))
    bars = np.exp(-(((rows - middles) / 8) ** 2)) * random.uniform(0.7, 1, (300, 1))
    made = 1 - bars[:, :, None] * np.ones(side) + random.normal(0, 0.03, (300, side, side))
    return np.clip(made, 0, 1).reshape(300, -1).astype(np.float32), truth


def test_the_graph_of_a_large_picture_stays_small_and_computes_the_same(
    pictures: tuple[np.ndarray, np.ndarray],
) -> None:
    features, truth = pictures
    constants = novelty.mahalanobis(features.astype(np.float64), truth, alike=True)
    model = with_novelty(constant(np.array([0.5, 0.5]), features.shape[1], "probabilities"), constants)
    assert model.ByteSize() < 4 * 1024**2
    expected = novelty.distance(constants, features)
    assert in_graph(constants, features, np.array([0.5, 0.5])) == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_a_row_of_many_values_that_follow_from_each_other_has_the_same_novelty_in_the_graph() -> None:
    random, places, turns = np.random.default_rng(0), np.arange(1200) % 66, np.arange(1200) // 66
    of_place = random.normal(size=(66, 3)) * [1, 50, 500]  # as a code and coordinates of a country
    people = np.exp(random.normal(10, 3, 66))[places] * (1 + 0.1 * turns)
    features = np.column_stack([11_952.0 + 5 * turns, people, of_place[places], np.eye(66)[places]])
    constants = novelty.mahalanobis(features, np.arange(1200) % 5)
    rows = features.astype(np.float32)
    expected = novelty.distance(constants, rows)
    assert in_graph(constants, rows, np.array([0.5, 0.5])) == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_strangers_among_large_pictures_are_found(pictures: tuple[np.ndarray, np.ndarray]) -> None:
    features, truth = pictures
    constants = novelty.mahalanobis(features[::2].astype(np.float64), truth[::2], alike=True)
    familiar = novelty.distance(constants, features[1::2])
    assert familiar.mean() == pytest.approx(1, abs=0.3)
    random = np.random.default_rng(1)
    strange = {
        "noise": random.uniform(0, 1, features[1::2].shape),
        "inverted": 1 - features[1::2],
        "turned": features[1::2].reshape(-1, 96, 96).transpose(0, 2, 1).reshape(-1, 96 * 96),
        "between": features[1::2] * 0 + 0.5,
        "two bars": np.clip(features[1::2] + np.roll(features[1::2], 1, axis=0) - 1, 0, 1),
    }
    lowest = {name: novelty.distance(constants, made).min() / familiar.max() for name, made in strange.items()}
    assert all(ratio > 1 for ratio in lowest.values()), lowest


def test_gaps_and_rare_values_are_familiar_where_training_saw_them() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(2000, 4))
    rows[:, 1] = random.random(2000) < 0.002  # a category of a few records
    rows[:, 2] = 7.0  # the same in every record
    rows[random.random(2000) < 0.1, 3] = np.nan
    constants = novelty.mahalanobis(rows, np.arange(2000) % 2)
    rare, never, outlier, new_gap = np.array([[0, 1, 7, 0], [0, 0, 7, np.nan], [9, 0, 7, 0], [np.nan, 0, 7, 0.0]])
    scores = novelty.distance(constants, np.stack([rare, never, outlier, new_gap]))
    limit = np.quantile(novelty.distance(constants, rows), 0.98)
    assert scores[1] < limit
    assert scores[0] < scores[2], "a rare value counts for less than nine deviations"
    assert scores[2] > limit
    assert np.isnan(scores[3]), "where nothing was missing, nothing may be"


def test_few_large_pictures_leave_a_residual_to_measure() -> None:
    pictures = np.random.default_rng(0).random((60, 3072))
    constants = novelty.mahalanobis(pictures[:24], np.arange(24) % 2, alike=True)
    assert novelty.distance(constants, pictures[24:]).mean() == pytest.approx(1, abs=0.3)


def shapes(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw discs, squares and stripes of any colour on pale green, with the noise of a camera: 64 x 64 x 3."""
    truth = np.arange(count) % 3
    rows, columns = np.mgrid[:64, :64]
    made = np.empty((count, 64, 64, 3))
    for picture, label in zip(made, truth, strict=True):
        down, right = rows - random.uniform(22, 42), columns - random.uniform(22, 42)
        reach = [np.hypot(down, right), np.maximum(abs(down), abs(right)), abs(down)][label]
        inside = np.clip(random.uniform(8, 18) - reach, 0, 1)[..., None]
        ground, colour = np.array([215, 225, 210]) + random.normal(0, 8, 3), random.uniform(20, 160, 3)
        picture[:] = ground + inside * (colour - ground)
    return np.clip(made + random.normal(0, 6, made.shape), 0, 255).astype(np.uint8), truth


def textures(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw waves of brown in four directions, with the noise of a camera: 64 x 64 x 3."""
    truth = np.arange(count) % 4
    rows, columns = np.mgrid[:64, :64] / 64
    angle = (truth * np.pi / 4 + random.normal(0, 0.1, count))[:, None, None]
    turns = random.uniform(3, 8, (count, 1, 1)) * (np.cos(angle) * rows + np.sin(angle) * columns)
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * (turns + random.random((count, 1, 1))))
    dark = np.array([150, 110, 70]) + random.normal(0, 25, (count, 1, 1, 3))
    made = dark + wave[..., None] * np.array([60, 50, 30])
    return np.clip(made + random.normal(0, 8, made.shape), 0, 255).astype(np.uint8), truth


@pytest.mark.task("image-classification")
@pytest.mark.parametrize("draw", [shapes, textures])
def test_a_blank_or_blurred_colour_picture_is_unfamiliar(draw: Any, product: Any) -> None:
    wanted = product.formulation.input.model_copy(update={"shape": (64, 64, 3)})
    product = product.model_copy(update={"formulation": product.formulation.model_copy(update={"input": wanted})})
    pictures, truth = draw(np.random.default_rng(0), 900)
    rows = features_of(pictures, product)
    constants = novelty.mahalanobis(rows[:500].astype(np.float64), truth[:500], alike=True)
    limit = np.quantile(novelty.distance(constants, rows[500:800]), 0.95)
    assert (novelty.distance(constants, rows[800:]) > limit).mean() < 0.15
    blanks = [np.full((1, 64, 64, 3), level, np.uint8) for level in (255, 0, 128)]
    blanks.append(pictures.mean(axis=(0, 1, 2)).astype(np.uint8) + np.zeros((1, 64, 64, 3), np.uint8))
    kinds = image.strangers(pictures[800:], product, 0) | {"of one colour": np.concatenate(blanks)}
    found = {kind: features_of(made, product) for kind, made in kinds.items()}
    shares = {kind: (novelty.distance(constants, made) > limit).mean() for kind, made in found.items()}
    seen = ("of one colour", "blank", "blank with dust", "blurred", "noise", "photographs", "shuffled pixels")
    assert {kind: shares[kind] for kind in seen if shares[kind] < 0.95} == {}
    for made in found.values():
        expected = novelty.distance(constants, made)
        assert in_graph(constants, made, np.array([0.5, 0.5])) == pytest.approx(expected, rel=1e-3, abs=1e-3)
