"""Judge one trial of a sweep as the pipeline would judge its model: calibrated, with its rule to answer or abstain.

Reads the train, validation and calibration splits, or the folds; writes nothing. Records of the validation split take
the place of the test split, which stays unread.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper

from fullstack_ml.answers import Answer
from fullstack_ml.answers.words import Scored
from fullstack_ml.artefact.graph import EMBEDDING, OPSET, features_of
from fullstack_ml.inputs import FEATURES
from fullstack_ml.modeling.measuring.measure import Measured, measured_of
from fullstack_ml.modeling.measuring.seats import records_table
from fullstack_ml.modeling.train.__main__ import Look, looks_at, novelty_constants
from fullstack_ml.modeling.train.backends import Backend, Lesson, backend_of, lesson_of
from fullstack_ml.modeling.train.novelty import distance
from fullstack_ml.pipeline.config import Config, Model
from fullstack_ml.pipeline.examples import Examples, joined, read, read_folds
from fullstack_ml.product.metrics import metrics_of
from fullstack_ml.product.types import Product

GIVEN = "given"  # what a model says, in the graph that calibrates it
TIE = 1e-6  # weight of the loss where two trials reach the same
MANY, PART = 5000, 8  # records from which a trial is first made of one in eight, and ended if that is poor


@dataclass(frozen=True)
class Seat:
    """One model of a trial: what it learns, and rows with their novelty that it is asked, by name.

    ``plain`` are the ``features`` of these, which a calibration may look at, whatever the model takes.
    """

    lesson: Lesson
    asked: dict[str, tuple[Examples, np.ndarray, np.ndarray | None]]
    plain: dict[str, np.ndarray]


def seats_of(model: Model, config: Config, product: Product) -> list[Seat]:
    """Return the seat of the train split, or one per fold, which learns the others: of models that take as ``model``
    does."""

    def seat(known: Examples, asked: dict[str, Examples], proof: Examples | None) -> Seat:
        lesson = lesson_of(model, known, product, proof)
        strata = lesson.answer.strata(known.truth)
        # Of a network's embedding the score is fitted trial by trial; other models keep this one.
        name = config.train.novelty.replace(EMBEDDING, "mahalanobis")
        seen = lesson.rows if model.takes == FEATURES else features_of(known.inputs, product)
        constants = novelty_constants(name, seen, strata, lesson.alike)
        rows = {name: features_of(part.inputs, product, model.takes) for name, part in asked.items()}
        plain = rows if model.takes == FEATURES else {n: features_of(p.inputs, product) for n, p in asked.items()}
        strange = {name: None if constants is None else distance(constants, held) for name, held in plain.items()}
        return Seat(lesson, {name: (part, rows[name], strange[name]) for name, part in asked.items()}, plain)

    if folds := read_folds(product):
        others = [joined([*folds[:i], *folds[i + 1 :]]) for i in range(len(folds))]
        return [seat(known, {"judged": part}, None) for known, part in zip(others, folds, strict=True)]
    held_out = read("validation", product)
    return [seat(read("train", product), {"judged": held_out, "ruled": read("calibration", product)}, held_out)]


def calibrated(
    answer: Answer, method: str, outputs: np.ndarray, truth: np.ndarray, product: Product, rows: np.ndarray
) -> ort.InferenceSession:
    """Return the calibration that ``outputs`` of records with their ``truth`` ask for, as a graph of its own."""
    nodes = [helper.make_node("Sum", [GIVEN], [answer.OUTPUT])]  # of one thing: itself
    widths = {GIVEN: outputs.shape[1], FEATURES: rows.shape[1]}
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", of]) for name, of in widths.items()]
    made = helper.make_tensor_value_info(answer.OUTPUT, TensorProto.FLOAT, ["batch", None])
    graph = helper.make_graph(nodes, "calibration", given, [made])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET[""])], ir_version=10)
    whole = answer.calibrate(method, model, outputs, truth, product, lambda: rows).SerializeToString()
    return ort.InferenceSession(whole, providers=["CPUExecutionProvider"])


@dataclass(frozen=True)
class Judged:
    """What a trial reached: its metrics, and the mean of the losses that its answer defines."""

    measured: Measured
    loss: float


class Judge:
    """Fits and measures the models of a sweep; the splits are read once."""

    def __init__(self, config: Config, product: Product) -> None:
        """Read the records."""
        self.config, self.product, self.seats = config, product, seats_of(config.model, config, product)
        self.others: dict[str, list[Seat]] = {config.model.takes: self.seats}
        self.answer = self.seats[0].lesson.answer
        self.examples = joined([seat.asked["judged"][0] for seat in self.seats])
        self.summary = self.answer.summary(self.seats[0].lesson.truth, product)

    def sign(self, metric: str) -> int:
        """Return 1 for a metric that is better when lower, else -1."""
        return -1 if metrics_of(self.product)[metric].better == "higher" else 1

    def value(self, judged: Judged, metric: str) -> float:
        """Return what the search makes small: the metric, turned where more is better; the loss breaks ties.

        The loss alone decides where the records are too few to measure the metric.
        """
        reached = judged.measured.metrics.get(metric)
        return judged.loss if reached is None else self.sign(metric) * reached + TIE * judged.loss

    def on_part(self, model: Model) -> Judged | None:
        """Judge what a model of a part of the records says; None where they are few, or lack a label."""
        seat, random = self.seats_for(model)[0], np.random.default_rng(self.config.seed)
        truth = seat.lesson.truth
        part = random.permutation(len(truth))[: len(truth) // PART]
        strata = self.answer.strata(truth)
        if len(truth) < MANY or len(self.seats) > 1 or {*strata[part].tolist()} != {*strata.tolist()}:
            return None
        some = replace(seat.lesson, rows=seat.lesson.rows[part], truth=truth[part])
        return self.measure(model, [replace(seat, lesson=some)])

    def on_all(self, model: Model) -> Judged:
        """Judge what a model of all records says."""
        return self.measure(model, self.seats_for(model))

    def seats_for(self, model: Model) -> list[Seat]:
        """Return the seats with what ``model`` takes of a record; made once."""
        if model.takes not in self.others:
            self.others[model.takes] = seats_of(model, self.config, self.product)
        return self.others[model.takes]

    def measure(self, model: Model, seats: list[Seat]) -> Judged:
        """Fit ``model`` in every seat, and measure what it says of the records that it has not seen."""
        backend = backend_of(model)
        said: list[dict[str, Scored]] = []
        for seat in seats:
            fitted = backend.fit(model, self.config.seed, seat.lesson)
            said.append({})
            look, constants = self.embedded(backend, fitted, seat.lesson)
            for name, (_, rows, strange) in seat.asked.items():
                outputs = backend.outputs(fitted, rows)
                strange = strange if constants is None else distance(constants, look(rows))
                said[-1][name] = Scored(outputs, 1 - outputs.max(axis=1) if strange is None else strange)
        decided = [self.decided(i, seats, said) for i in range(len(seats))]
        scored = Scored.joined([one for one, _ in decided])
        table = {name: np.concatenate([table[name] for _, table in decided]) for name in decided[0][1]}
        found = measured_of(self.answer, self.product, self.config, self.examples, scored.outputs, table, self.summary)
        return Judged(found, float(self.answer.losses(scored.outputs, self.examples.truth).mean()))

    def embedded(self, backend: Backend, fitted: Any, lesson: Lesson) -> tuple[Look, dict[str, np.ndarray] | None]:
        """Return the novelty score of the model's embedding, where ``conf/train.yaml`` asks for it and there is one."""
        if self.config.train.novelty != EMBEDDING or backend.embeddings is None:
            return lambda rows: rows, None
        look = looks_at(EMBEDDING, backend, fitted)
        strata = self.answer.strata(lesson.truth)
        return look, novelty_constants(EMBEDDING, lesson.rows, strata, lesson.alike, look)

    def decided(self, i: int, seats: list[Seat], said: list[dict[str, Scored]]) -> tuple[Scored, dict[str, np.ndarray]]:
        """Return the calibrated scores of a seat's records, and what they add to the metrics.

        Calibration and rule come from the calibration split, or from what the models of the other folds say.
        """
        answer, product, config = self.answer, self.product, self.config
        proof = [(seats[i], said[i], "ruled")]
        if "ruled" not in seats[i].asked:
            proof = [(seats[j], said[j], "judged") for j in range(len(seats)) if j != i]
        scores = Scored.joined([of[name] for _, of, name in proof])
        truth = np.concatenate([seat.asked[name][0].truth for seat, _, name in proof])
        rows = np.concatenate([seat.plain[name] for seat, _, name in proof])
        session = calibrated(answer, config.export.calibration, scores.outputs, truth, product, rows)

        def final(given: Scored, rows: np.ndarray) -> Scored:
            return replace(given, outputs=session.run(None, {GIVEN: given.outputs, FEATURES: rows})[0])

        rule = answer.fit_rule(final(scores, rows), truth, product)
        mine = final(said[i]["judged"], seats[i].plain["judged"])
        words = answer.decide(mine.outputs, mine.novelty, rule)
        right = seats[i].asked["judged"][0].truth
        return mine, records_table(answer, mine.outputs, right, words, rule, product, config.evaluate.bins)
