"""Several labels: metrics against scikit-learn, what candidates promise, the rule, calibration, what is refused."""

import json
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from sklearn import metrics as peer
from sklearn.calibration import _SigmoidCalibration
from sklearn.isotonic import IsotonicRegression

from fullstack_ml.answers import labels
from fullstack_ml.answers.labels import calibration
from fullstack_ml.answers.labels.rule import Rule, best_threshold, candidates, chosen, confidences, controlled_floor
from fullstack_ml.answers.words import Scored
from fullstack_ml.modeling.train.backends import Lesson
from fullstack_ml.modeling.train.backends import sklearn as backend
from fullstack_ml.pages.words import words
from fullstack_ml.pipeline.config import Model
from fullstack_ml.product.metrics import Sums
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError

pytestmark = pytest.mark.task("image-labels")
THREE = {"labels": [{"name": name, "definition": name} for name in "cab"], "options": {}}


def asking(product: Product, **answer: Any) -> Product:
    """Return the contract with the labels c, a and b, and what else ``answer`` says."""
    written = json.loads(product.model_dump_json(exclude_unset=True))
    written["formulation"]["answer"] |= {**THREE, **answer}
    return Product(**written)


def drawn(records: int, seed: int, count: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Draw probabilities that are honest, float32 (records, count), and what came of them."""
    random = np.random.default_rng(seed)
    shares = random.beta(0.5, 1.0, (records, count)).astype(np.float32)
    return shares, random.uniform(size=shares.shape) < shares


def rule_of(thresholds: list[float], **more: Any) -> Rule:
    return Rule(**{"floor": 0.5, "confidence": 0.0, "novelty": 1.0, "coverage": 0.9, **more}, thresholds=thresholds)


def test_the_metrics_are_those_of_scikit_learn(product: Product) -> None:
    shares, truth = drawn(600, 0)
    rule, answered, asked = rule_of([0.4, 0.5, 0.6], floor=0.3), np.arange(600) % 2 == 0, asking(product)
    sums = Sums.of(labels.record_columns(shares, truth, answered, rule, asked, 10), {"majority": 3})
    found = {name: float(row.value(sums)[0]) for name, row in labels.METRICS.items() if row.value}
    given = shares >= np.array([0.4, 0.5, 0.6], np.float32)
    f1, recall = (score(truth, given, average=None) for score in (peer.f1_score, peer.recall_score))
    held = (shares >= np.float32(0.3)) & truth
    having, none = truth.any(axis=1), ~truth.any(axis=1)
    asked_for = having & ~answered
    edges = np.minimum((shares.ravel() * 10).astype(int), 9)
    gaps = [abs((truth.ravel() - shares.ravel())[edges == i].sum()) for i in range(10)]
    wrong = (given != truth).any(axis=1)
    assert found == pytest.approx(
        {
            "subset_accuracy": peer.accuracy_score(truth, given),
            "micro_f1": peer.f1_score(truth, given, average="micro"),
            "macro_f1": peer.f1_score(truth, given, average="macro"),
            "worst_label_f1": f1.min(),
            "worst_label_recall": recall.min(),
            "none_recall": (~given[none].any(axis=1)).mean(),
            "hamming_loss": peer.hamming_loss(truth, given),
            "log_loss": np.mean([peer.log_loss(t, s) for t, s in zip(truth.T, shares.T, strict=True)]),
            "brier": np.mean([peer.brier_score_loss(t, s) for t, s in zip(truth.T, shares.T, strict=True)]),
            "ece": sum(gaps) / truth.size,
            "margin_over_baseline": (~wrong).mean() - none.mean(),
            "collapse": 1 - min(1, (given.sum(axis=0) / truth.sum(axis=0)).min()),
            "set_coverage": (held.sum(axis=1)[having] / truth.sum(axis=1)[having]).mean(),
            "abstained_coverage": (held.sum(axis=1)[asked_for] / truth.sum(axis=1)[asked_for]).mean(),
        },
        rel=1e-5,
    )
    weights = np.random.default_rng(1).integers(0, 3, 600)
    average = labels.METRICS["average_precision"].weighted
    assert average is not None
    wanted = peer.average_precision_score(truth, shares, average="macro", sample_weight=weights)
    assert average(shares, truth)(weights) == pytest.approx(wanted)
    assert sums["answered_cost"][0, 0] == wrong[answered].sum() * asked.service.error_cost.wrong
    plain = labels.headline(shares, truth)
    assert plain["micro_f1"] == pytest.approx(peer.f1_score(truth, shares >= 0.5, average="micro"))


@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_candidates_miss_no_more_labels_than_promised_on_the_average_of_many_products(coverage: float) -> None:
    missed = []
    for seed in range(200):
        shares, truth = drawn(60, seed)
        floor = controlled_floor(shares, truth, coverage)
        new, right = drawn(400, 10_000 + seed)
        having = right.any(axis=1)
        lost = right & (new < np.float32(floor))
        missed.append((lost.sum(axis=1)[having] / right.sum(axis=1)[having]).mean())
    assert 1 - coverage - 0.03 < np.mean(missed) <= 1 - coverage + 0.004


def test_a_coverage_that_too_few_records_can_promise_says_how_many_it_needs() -> None:
    shares, truth = np.full((30, 2), 0.5, np.float32), np.zeros((30, 2), bool)
    truth[:18, 0] = True
    with pytest.raises(UserError, match="at least 19 calibration records with a label, and there are 18"):
        controlled_floor(shares, truth, 0.95)
    truth[18, 1] = True
    assert controlled_floor(shares, truth, 0.95) == 0.5


def test_a_threshold_is_where_f1_is_highest_and_one_half_where_nothing_tells() -> None:
    share, truth = np.linspace(0, 1, 101).astype(np.float32), np.arange(101) >= 30
    threshold = best_threshold(share, truth)
    assert 0.29 < threshold < 0.3, "between the last that has the label and the first that has it not"
    tried = [peer.f1_score(truth, share >= level) for level in share]
    assert peer.f1_score(truth, share >= threshold) == max(tried)
    assert best_threshold(share, np.arange(101) >= 92) == 0.5, "nine records are too few"


def test_labels_that_exclude_each_other_are_never_answered_together() -> None:
    shares = np.array([[0.9, 0.8, 0.7], [0.8, 0.8, 0.2], [0.6, 0.9, 0.9], [0.1, 0.2, 0.9]], np.float32)
    rule = rule_of([0.5] * 3, excludes=[[0, 1], [1, 2]])
    assert chosen(shares, rule).tolist() == [[1, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    said = labels.decide(shares, np.zeros(4), rule)
    assert said.tolist() == ["uncertain"] * 3 + ["accept"], "what was left out is a candidate still"


def test_a_record_is_answered_whole_when_every_candidate_is_and_all_are_likely_right() -> None:
    strange = [[np.nan, 0.1], [np.inf, 0.1]]
    shares = np.array([[0.9, 0.1], [0.9, 0.4], [0.7, 0.1], [0.05, 0.1], *strange, [0.9, 0.1]], np.float32)
    novelty = np.array([0, 0, 0, 0, 0, 0, 2.0])
    rule = rule_of([0.5, 0.6], floor=0.3, confidence=0.8)
    sure = confidences(shares[:4], chosen(shares[:4], rule))
    assert sure == pytest.approx([0.81, 0.54, 0.63, 0.855], rel=1e-6)
    assert labels.decide(shares, novelty, rule).tolist() == [
        "accept", "uncertain", "uncertain", "accept", "uncertain", "uncertain", "unfamiliar"
    ]  # fmt: skip
    assert candidates(shares[:2], rule).tolist() == [[True, False], [True, True]]
    always = labels.decide(shares, novelty, rule_of([0.5, 0.6], novelty=None))
    assert always.tolist() == ["accept"] * 4 + ["uncertain", "uncertain", "accept"]
    assert Rule.from_json(rule.to_json()) == rule


def test_the_rule_follows_from_the_contract_and_the_calibration_split(product: Product) -> None:
    shares, truth = drawn(400, 5)
    asked = asking(product, options={"excludes": [["b", "c"]]})
    rule = labels.fit_rule(Scored(shares, np.arange(400.0)), truth, asked)
    cost, abstain = asked.service.error_cost, asked.formulation.abstain
    assert abstain is not None
    assert rule.confidence == pytest.approx(1 - cost.abstain / cost.wrong)
    assert rule.excludes == [[2, 0]], "places in the order of the contract: c, a, b"
    assert rule.coverage == abstain.coverage
    assert rule.novelty == pytest.approx(400 * (1 - abstain.false_alarms), abs=2)
    assert rule.floor == controlled_floor(shares, truth, abstain.coverage)


def graph_of(count: int) -> onnx.ModelProto:
    """Return a graph that gives what it takes."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", count]) for name in ("x", "probabilities")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["probabilities"])], "g", ends[:1], ends[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def run(model: onnx.ModelProto, shares: np.ndarray) -> np.ndarray:
    """Run a graph on CPU."""
    import onnxruntime

    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["probabilities"], {"x": shares})[0])


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_every_label_is_calibrated_for_itself_as_scikit_learn_does(product: Product, method: str) -> None:
    honest, truth = drawn(3000, 2)
    shares = np.stack([honest[:, 0] ** 2, honest[:, 1] ** 0.5, honest[:, 2]], axis=1)
    found = run(labels.calibrate(method, graph_of(3), shares, truth, product, lambda: shares), shares)
    for i in range(3):
        if method == "platt":
            score = calibration.logits(shares[:, i])
            wanted = _SigmoidCalibration().fit(score, truth[:, i]).predict(score)
        else:
            wanted = IsotonicRegression(y_min=0, y_max=1).fit(shares[:, i], truth[:, i]).predict(shares[:, i])
        assert np.abs(found[:, i] - wanted).max() < 2e-3
    before, after = (labels.headline(one, truth)["ece"] for one in (shares, found))
    assert after < 0.3 * before
    assert found.sum(axis=1).std() > 0.1, "the labels of a record do not share one probability"


def test_a_label_that_nobody_calibrated_is_named(product: Product) -> None:
    shares, truth = drawn(100, 3)
    truth[:, 1] = False
    with pytest.raises(UserError, match="label 2 of 3 has no record in the calibration split"):
        labels.calibrate("isotonic", graph_of(3), shares, truth, product, lambda: shares)
    found = run(labels.calibrate("platt", graph_of(3), shares, truth, product, lambda: shares), shares)
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    "target",
    [
        "linear_model.LogisticRegression",
        "neural_network.MLPClassifier",
        "ensemble.HistGradientBoostingClassifier",
        "dummy.DummyClassifier",
    ],
)
def test_estimators_of_one_label_learn_several_and_become_one_graph(target: str) -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(400, 4)).astype(np.float32)
    truth = np.column_stack([rows[:, 0] > 0, rows[:, 1] + rows[:, 2] > 0.5, rows[:, 3] > 1])
    strategy = {"strategy": "prior"} if "Dummy" in target else {}
    model = Model(name="m", scale=False, estimator={"_target_": f"sklearn.{target}", **strategy})
    fitted = backend.fit(model, 0, Lesson(rows, truth, labels, False))
    wanted = backend.outputs(fitted, rows)
    graph = backend.to_onnx(fitted, 4, 3, labels.OUTPUT)
    import onnxruntime

    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    given = session.run([labels.OUTPUT], {session.get_inputs()[0].name: rows})[0]
    assert np.abs(given - wanted).max() < 1e-4
    right = ((wanted >= 0.5) == truth).mean(axis=0)
    assert (right > 0.9).all() or "Dummy" in target


def test_answers_are_kept_in_one_way_and_what_cannot_be_is_named(product: Product) -> None:
    asked = asking(product, options={"excludes": [["a", "b"]]})
    assert labels.written(["c;a", " a | c|", "None", "b", "x;;b", " ; "], {"x": "c"}) == [
        "a;c", "a;c", "none", "b", "b;c", " ; "
    ]  # fmt: skip
    found = labels.illegal(["a;c", "none", "a;b", "a;d", "", " ; "], asked)
    assert found == {
        "": "says nothing; a record without a label is 'none'",
        " ; ": "says nothing; a record without a label is 'none'",
        "a;b": "names a and b, which exclude each other",
        "a;d": "names 'd', which is not in ['c', 'a', 'b']",
    }
    truth = labels.truth(["none", "c;a", "b"], asked)
    assert truth.tolist() == [[0, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert labels.text(truth.astype(np.float32), rule_of([0.5] * 3), asked) == ["none", "a;c", "b"]
    assert labels.strata(np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 0, 1]], bool)).tolist() == [1, 0, 3, 2]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"labels": []}, "an answer of type labels has no label"),
        ({"labels": [{"name": "a;b", "definition": "d"}]}, "label 'a;b' has a mark that stands between labels"),
        ({"labels": [{"name": "None", "definition": "d"}]}, "label 'None' says that a record has no label"),
        ({"options": {"excludes": [["a", "d"]]}}, "excludes names 'd', which is no label"),
        ({"options": {"excludes": [["a"]]}}, "does not name two or more labels"),
        ({"options": {"exclude": [["a", "b"]]}}, "options of labels: exclude: extra inputs are not permitted"),
    ],
)
def test_contracts_that_cannot_be_are_named(product: Product, answer: Any, said: str) -> None:
    assert said in next(what for _, what, _ in labels.check(asking(product, **answer)))


@pytest.mark.parametrize("name", ["a", "none", "a;b"])
def test_a_kind_out_of_scope_reads_like_no_set_of_labels(product: Product, name: str) -> None:
    kind = product.data.kinds[0].model_copy(update={"name": name, "scope": "out"})
    asked = asking(product).model_copy(update={"data": product.data.model_copy(update={"kinds": [kind]})})
    ((place, what, _),) = labels.check(asked)
    assert (place, what) == (
        ("data", "kinds", 0, "name"),
        f"kind {name!r}, which is out of scope, reads like an answer",
    )


def test_a_request_and_a_late_answer_hold_a_list_of_labels(product: Product) -> None:
    from pydantic import TypeAdapter, ValidationError

    asked = asking(product, options={"excludes": [["a", "b"]]})
    kind = TypeAdapter(labels.json_type(asked))
    assert kind.validate_python(["c", "a"]) == ["c", "a"]
    assert kind.validate_python([]) == []
    for wrong in (["d"], ["a", "a"], ["a", "b"], "a", None):
        with pytest.raises(ValidationError):
            kind.validate_python(wrong)
    assert labels.to_text(["c", "a"], asked) == "a;c"
    assert [labels.from_text(text, asked) for text in ("a;c", "none")] == [["a", "c"], []]
    assert labels.judge(["a;c", "a", None], ["a;c", "none", "none"]).tolist() == [1, 0, 0]


def test_the_screen_offers_many_choices_and_takes_them_as_one_answer(product: Product) -> None:
    asked = asking(product, options={"excludes": [["a", "b"]]})
    screen = labels.control(asked, "cannot be annotated", words)
    assert 'choice="multiple"' in screen
    assert screen.count("<Choice ") == 6, "three labels, none, the kind out of scope, and that it cannot be annotated"
    assert "never with b" in screen

    def result(*names: str) -> list[dict[str, Any]]:
        return [{"type": "choices", "value": {"choices": [*names]}}]

    assert labels.said(result("c", "a")) == ["c;a"]
    assert labels.said([]) == []
    for both in (("a", "none"), ("a", "crossed"), ("a", "cannot be annotated")):
        assert labels.illegal(labels.said(result(*both)), asked)
    assert labels.suggestion("a;c")["value"] == {"choices": ["a", "c"]}
    assert labels.suggestion("none")["value"] == {"choices": ["none"]}
    assert labels.unsure(np.array([[0.5, 1], [0.9, 0.2]], np.float32)) == pytest.approx([1, 0.4])


def test_a_wrong_and_a_lacking_label_are_suspected() -> None:
    shares, truth = drawn(400, 7)
    shares = np.where(truth, 0.95, 0.05).astype(np.float32)
    truth[3, 0], truth[9, 2] = ~truth[3, 0], ~truth[9, 2]
    assert set(labels.suspects(shares, truth).tolist()) == {3, 9}
