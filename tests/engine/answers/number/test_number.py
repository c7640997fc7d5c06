"""A number with its interval: metrics against scikit-learn, the interval's promise, the rule, and what is refused."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from sklearn import metrics as peer

from fullstack_ml.answers import number
from fullstack_ml.answers.number import seasons
from fullstack_ml.answers.number.rule import Rule
from fullstack_ml.answers.words import Scored
from fullstack_ml.artefact.graph import save
from fullstack_ml.artefact.session import Artefact
from fullstack_ml.modeling.train import __main__ as train
from fullstack_ml.modeling.train.backends import Lesson
from fullstack_ml.modeling.train.backends import sklearn as backend
from fullstack_ml.modeling.train.novelty_nodes import with_novelty
from fullstack_ml.pipeline.config import Model
from fullstack_ml.product.metrics import Sums
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.seams import find_choice

pytestmark = pytest.mark.task("tabular-regression")
Refused = Callable[..., AbstractContextManager[None]]


def asking(product: Product, abstain: dict[str, float] | None = None, **options: Any) -> Product:
    """Return the contract with other options of its number, and another rule to abstain."""
    written = json.loads(product.model_dump_json(exclude_unset=True))
    written["formulation"]["answer"]["options"] |= options
    written["formulation"]["abstain"] = abstain
    return Product(**written)


def test_the_metrics_are_those_of_scikit_learn(product: Product) -> None:
    random = np.random.default_rng(0)
    truth = random.poisson(40, 500).astype(float) + 3
    outputs = (truth[:, None] * random.uniform(0.5, 1.5, (500, 1)) + [0, -10, 15]).astype(np.float32)
    rule, answered = Rule(coverage=0.8, novelty=None, widest=None), np.arange(500) % 2 == 0
    asked = asking(product, tolerance=8)
    sums = Sums.of(number.record_columns(outputs, truth, answered, rule, asked, 10))
    found = {name: float(row.value(sums)[0]) for name, row in number.METRICS.items() if row.value}
    value, low, high = outputs.astype(float).T
    off = np.abs(value - truth)
    tails = zip((low, high), (0.1, 0.9), strict=True)
    assert found == pytest.approx(
        {
            "mae": peer.mean_absolute_error(truth, value),
            "rmse": peer.root_mean_squared_error(truth, value),
            "r2": peer.r2_score(truth, value),
            "poisson_deviance": peer.mean_poisson_deviance(truth, value),
            "pinball": np.mean([peer.mean_pinball_loss(truth, end, alpha=level) for end, level in tails]),
            "within_tolerance": np.mean(off <= 8),
            "interval_coverage": np.mean((low <= truth) & (truth <= high)),
            "abstained_coverage": np.mean((low <= truth)[~answered] & (truth <= high)[~answered]),
            "interval_width": 25,
        },
        rel=1e-5,
    )
    assert number.headline(outputs, truth) == pytest.approx({name: found[name] for name in ("mae", "rmse", "r2")})
    assert sums["answered_wrong"][0, 0] == (off[answered] > 8).sum()
    assert sums["answered_cost"][0, 0] == (off[answered] > 8).sum() * asked.service.error_cost.wrong


@pytest.fixture
def calibrated(product: Product, tmp_path: Any) -> Callable[..., Artefact]:
    """Return how an artefact is made whose model knows the mean of y = 10 x + noise, and whose interval is fitted."""

    def make(asked: Product, records: int, method: str = "split") -> Artefact:
        uneven = method == "scaled"
        rows, truth = drawn(4000, 1)
        estimator = {"_target_": "sklearn.linear_model.LinearRegression"}
        model = Model(name="m", scale=False, estimator=estimator)
        fitted = backend.fit(model, 0, Lesson(rows, truth, number, False))
        held_out, right = drawn(records, 2, uneven)
        given = backend.outputs(fitted, held_out)
        graph = with_novelty(backend.to_onnx(fitted, 1, given.shape[1], number.OUTPUT), None)
        save(number.calibrate(method, graph, given, right, asked, lambda: held_out), tmp_path / "model.onnx")
        return Artefact(tmp_path / "model.onnx")

    return make


def drawn(records: int, seed: int, uneven: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Draw records whose number is 10 x + 200 and a noise of 20, or ``uneven``, of 5 to 35 as x grows."""
    random = np.random.default_rng(seed)
    rows = random.uniform(-10, 10, (records, 1)).astype(np.float32)
    return rows, 10.0 * rows[:, 0] + 200 + random.normal(0, 20 + uneven * 1.5 * rows[:, 0], records)


def test_an_interval_holds_as_many_numbers_as_promised_and_none_that_is_impossible(
    product: Product, calibrated: Callable[..., Artefact]
) -> None:
    asked = asking(product, {"coverage": 0.8, "false_alarms": 0.05}, low=120, high=260)
    rows, truth = drawn(20_000, 3)
    value, low, high = calibrated(asked, 1000).score(rows).outputs.T
    inside = (value > 150) & (value < 230)
    assert np.median((high - low)[inside]) == pytest.approx(2 * 1.2816 * 20, rel=0.06), "80 % of a normal noise"
    possible = (truth >= 120) & (truth <= 260)
    assert ((low <= truth) & (truth <= high))[possible].mean() == pytest.approx(0.8, abs=0.03)
    assert (value.min(), low.min(), high.max()) == (120, 120, 260)


def test_a_scaled_interval_is_as_wide_as_errors_are_where_the_number_lies(
    product: Product, calibrated: Callable[..., Artefact]
) -> None:
    asked = asking(product, {"coverage": 0.8, "false_alarms": 0.05})
    rows, truth = drawn(20_000, 3, uneven=True)
    value, low, high = calibrated(asked, 2000, "scaled").score(rows).outputs.T
    for ends in ((110, 170), (170, 230), (230, 290)):
        mine = (value > ends[0]) & (value < ends[1])
        assert ((low <= truth) & (truth <= high))[mine].mean() == pytest.approx(0.8, abs=0.06), ends
    inner = [(value > place - 5) & (value < place + 5) for place in (140, 260)]
    narrow, wide = (float(np.median((high - low)[mine])) for mine in inner)
    assert (narrow, wide) == pytest.approx((2 * 1.2816 * 11, 2 * 1.2816 * 29), rel=0.2)
    bare = calibrated(asked, 78, "scaled").score(rows).outputs
    assert np.ptp((bare[:, 2] - bare[:, 1])[(bare[:, 1] > 0) & (bare[:, 2] < 400)]) < 1e-3, "few records: one width"


def test_a_scaled_interval_is_wide_for_records_of_features_whose_errors_are_large(
    product: Product, tmp_path: Any
) -> None:
    random = np.random.default_rng(0)

    def drawn(records: int) -> tuple[np.ndarray, np.ndarray]:
        rows = random.uniform(-10, 10, (records, 3)).astype(np.float32)
        spread = np.where(rows[:, 1] > 0, 30, 10)  # the number does not tell it, nor does the third feature
        truth = 10.0 * rows[:, 0] + 200 + random.normal(0, 1, records) * spread
        rows[:, 1] = np.sign(rows[:, 1])
        rows[random.random(records) < 0.05, 2] = np.nan
        return rows, truth

    asked = asking(product, {"coverage": 0.8, "false_alarms": 0.05}, low=-1000, high=1000)
    model = Model(name="m", scale=False, estimator={"_target_": "sklearn.linear_model.LinearRegression"})
    fitted = backend.fit(model, 0, Lesson(*drawn(4000), number, False))
    held_out, right = drawn(2000)
    given = backend.outputs(fitted, held_out)
    graph = with_novelty(backend.to_onnx(fitted, 3, given.shape[1], number.OUTPUT), None)
    save(number.calibrate("scaled", graph, given, right, asked, lambda: held_out), tmp_path / "model.onnx")
    rows, truth = drawn(20_000)
    _, low, high = Artefact(tmp_path / "model.onnx").score(rows).outputs.T
    for sign, spread in ((1, 30), (-1, 10)):
        mine = rows[:, 1] == sign
        assert ((low <= truth) & (truth <= high))[mine].mean() == pytest.approx(0.8, abs=0.04), sign
        assert np.median((high - low)[mine]) == pytest.approx(2 * 1.2816 * spread, rel=0.15), sign


def test_an_interval_is_not_scaled_by_features_that_the_graph_has_not(product: Product, refused: Refused) -> None:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 1]) for name in ("letters", "value")]
    graph = helper.make_graph([helper.make_node("Identity", ["letters"], ["value"])], "g", ends[:1], ends[1:])
    rows, truth = drawn(500, 1)
    with refused("the graph has no features", "calibration in conf/export.yaml", "set calibration: split"):
        number.calibrate("scaled", helper.make_model(graph), rows, truth, product, lambda: rows)


def test_an_interval_that_cannot_reach_its_coverage_says_how_many_records_it_needs(
    product: Product, calibrated: Callable[..., Artefact], refused: Refused
) -> None:
    with refused("at least 19 calibration records, and there are 18", "formulation.abstain", "lower the level"):
        calibrated(asking(product, {"coverage": 0.95, "false_alarms": 0.1}), 18)
    always = asking(product, widest=None)
    outputs = calibrated(always, 4).score(drawn(50, 4)[0]).outputs
    assert (outputs[:, 1] < outputs[:, 2]).all(), "without a promise four records give the interval that they can"
    rule = number.fit_rule(Scored(outputs, np.zeros(50)), drawn(50, 4)[1][:4], always)
    assert rule == Rule(coverage=2 / 3, novelty=None, widest=None)


def test_a_wide_interval_a_strange_record_and_what_is_no_number_are_not_answered() -> None:
    outputs = np.array([[5, 4, 6], [5, 4, 6.5], [5, 4, 6], [5, 4, 6], [np.nan] * 3], np.float32)
    novelty = np.array([1, 1, 1.5, np.nan, 1], np.float32)
    said = number.decide(outputs, novelty, Rule(coverage=0.9, novelty=1.0, widest=2.0))
    assert said.tolist() == ["accept", "uncertain", "unfamiliar", "unfamiliar", "uncertain"]
    always = number.decide(outputs, novelty, Rule(coverage=0.9, novelty=None, widest=None))
    assert always.tolist() == ["accept"] * 4 + ["uncertain"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"low": 400}, "low 400 is not below high 400"),
        ({"tolerance": 0}, "options of a number: tolerance: input should be greater than 0"),
        ({"tolerance": 500}, "tolerance 500 holds for every answer from 0 to 400"),
        ({"height": 3}, "options of a number: height: extra inputs are not permitted"),
        (
            {"high": "many"},
            "options of a number: high: input should be a valid number, unable to parse string as a number",
        ),
        ({}, "widest says when to stay silent, and the product always answers"),
    ],
)
def test_options_that_cannot_be_are_named_with_their_place(product: Product, options: Any, said: str) -> None:
    found = list(number.check(asking(product, **options)))
    assert next((place[:3], what) for place, what, _ in found) == (("formulation", "answer", "options"), said)


def test_a_kind_out_of_scope_reads_like_no_number(product: Product) -> None:
    kind = product.data.kinds[0].model_copy(update={"name": "7", "scope": "out"})
    changed = product.model_copy(update={"data": product.data.model_copy(update={"kinds": [kind]})})
    ((place, what, _),) = number.check(changed)
    assert (place, what) == (("data", "kinds", 0, "name"), "kind '7', which is out of scope, reads like an answer")


def test_a_number_that_is_said_to_be_ordered_is_refused(product: Product) -> None:
    answer = product.formulation.answer.model_copy(update={"ordered": True})
    stepped = product.model_copy(update={"formulation": product.formulation.model_copy(update={"answer": answer})})
    assert list(number.check(product)) == []
    ((place, what, fix),) = number.check(stepped)
    assert place == ("formulation", "answer", "ordered")
    assert "numbers are in order as they are" in what
    assert "type: label" in fix


def test_only_numbers_of_the_range_are_answers(product: Product) -> None:
    given = ["12", "1e2", "-1", "401", "nan", "inf", "many", "12,5", ""]
    assert [*number.illegal(given, product)] == sorted(["-1", "401", "nan", "inf", "many", "12,5", ""])
    assert number.truth(["12", "1e2"], product).tolist() == [12, 100]


def test_a_number_has_no_confidence_that_could_tell_what_is_unfamiliar(refused: Refused) -> None:
    chosen = find_choice("modeling.train.backends", "sklearn", "conf/model")
    with refused("a model of numbers gives no probability", "conf/train.yaml", "set novelty: mahalanobis"):
        train.check_score("confidence", number, chosen)
    train.check_score("mahalanobis", number, chosen)


def test_one_number_alone_teaches_nothing(product: Product) -> None:
    assert number.missing(number.summary(np.full(9, 7.0), product), product) == ["other than 7"]
    assert number.missing(number.summary(np.arange(9.0), product), product) == []


def test_the_errors_to_look_at_lie_outside_of_their_interval_and_the_answered_ones_come_first() -> None:
    outputs = np.tile(np.array([[5, 4, 6]], np.float32), (5, 1))
    truth, words = np.array([5.5, 9, 3, 20, 6]), np.array(["accept", "accept", "accept", "uncertain", "accept"])
    assert number.worst(outputs, truth, words, Rule(0.9, None, None)).tolist() == [1, 2, 3]


def test_a_number_that_is_far_off_is_a_suspect() -> None:
    random = np.random.default_rng(0)
    truth = random.normal(100, 10, 400)
    outputs = np.stack([truth + random.normal(0, 1, 400)] * 3, axis=1).astype(np.float32)
    outputs[:, 1] -= 2
    outputs[:, 2] += 2
    truth[[7, 31]] *= [10, 1.5]  # a point that was left out, and another one
    assert number.suspects(outputs, truth).tolist() == [7, 31]


def test_a_forecast_is_compared_with_the_last_number_and_the_mean_of_its_season(product: Product) -> None:
    random = np.random.default_rng(0)
    moments = np.datetime64("2026-01-01T00:00:00", "us") + np.arange(24 * 7 * 8) * np.timedelta64(1, "h")
    hour = np.arange(len(moments)) % 24
    truth = 100.0 + 3 * hour + random.normal(0, 1, len(moments))
    known, later = np.split(np.arange(len(moments)), [24 * 7 * 7])
    summary = number.summary(truth[known], product, moments[known])
    found = number.baselines(json.loads(json.dumps(summary)), truth[later], product, 10, moments[later])
    assert list(found) == ["mean", "median", "last value", "mean of the hour"]
    assert found["last value"]["answer"] == truth[known][-1]
    assert found["mean of the hour"]["mae"] == pytest.approx(0.8, abs=0.1), "the mean of |N(0, 1)| is 0.798"
    assert found["mean"]["mae"] == pytest.approx(18, abs=0.5), "the mean distance of 0, 3 ... 69 from their mean"
    assert list(number.baselines(number.summary(truth, product), truth, product, 10, moments)) == ["mean", "median"]


@pytest.mark.parametrize(("day", "weekday"), [("2026-01-05", 0), ("2026-01-11", 6), ("1969-12-31", 2)])
def test_a_week_begins_on_monday(day: str, weekday: int) -> None:
    assert seasons.weekdays(np.array([day], "datetime64[us]")).tolist() == [weekday]
