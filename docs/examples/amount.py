"""Answer ``amount``: a number within bounds; none is given where the record is unlike what the model knows.

The example of docs/3-extend.md: put it into ``src/<package>/answers/amount.py``, and into ``product.yaml``
``answer: {type: amount, options: {unit: kg, low: 0, high: 1000}}``. What each function returns stands in the protocol
``Answer`` of the engine's ``answers/__init__.py``. Outputs are float32 (records, 1), truth is (records,).
"""

import json
import math
from types import SimpleNamespace
from typing import Annotated

import numpy as np
from pydantic import Field

from fullstack_ml.product.metrics import Metric

OUTPUT, ESTIMATOR, CALIBRATIONS = "amount", "regressor", ("none",)
MAIN, HEADLINE = "mae", ("mae",)
METRICS = {
    "mae": Metric("units", "lower", "mean absolute error", lambda sums: sums.mean("score")),
    "worst_slice_mae": Metric("units", "lower", "highest mean absolute error of a slice"),
}
SCALE, PAGE = "interval", ("value.js",)
# An error of more units than this is a wrong answer.
TOLERATED = 1.0


# The contract, and answers as text.


def bounds(product):
    options = product.formulation.answer.options
    return options["low"], options["high"]


def check(product):
    if product.formulation.answer.labels:
        yield ("formulation", "answer", "labels"), "an amount has no labels", "leave them out"
    if not {"low", "high"} <= product.formulation.answer.options.keys():
        yield ("formulation", "answer", "options"), "an amount has no bounds", "options: {unit: kg, low: 0, high: 1000}"


def number(text):
    try:
        return float(text)
    except ValueError:
        return math.nan


def illegal(answers, product):
    low, high = bounds(product)
    return sorted(text for text in set(answers) if not low <= number(text) <= high)


def to_text(answer, product):
    return f"{answer:.7g}"


def from_text(text, product):
    return float(text)


def text(outputs, product):
    return [to_text(value, product) for value in outputs[:, 0]]


def truth(answers, product):
    return np.array([float(text) for text in answers])


# Training and export.


def width(product):
    return 1


def strata(truth):
    return np.zeros(len(truth), np.int64)


def summary(truth, product):
    return {"records": len(truth), "mean": float(truth.mean())}


def missing(summary, product):
    return []


def losses(outputs, truth):
    return np.abs(outputs[:, 0] - truth)


def same(one, other):
    return np.isclose(one[:, 0], other[:, 0], rtol=1e-3, atol=1e-3)


def calibrate(method, model, outputs, truth):
    return model


class Rule(SimpleNamespace):
    def to_json(self):
        return json.dumps(vars(self))


def fit_rule(scored, truth, product):
    abstain = product.formulation.abstain
    return Rule(novelty=float(np.quantile(scored.novelty, 1 - abstain.false_alarms)) if abstain else None)


def read_rule(text):
    return Rule(**json.loads(text))


def decide(outputs, novelty, rule):
    familiar = True if rule.novelty is None else novelty <= rule.novelty
    return np.where(familiar & np.isfinite(outputs[:, 0]), "accept", "unfamiliar").astype(object)


def metadata(product):
    return {"output": "amount: float32 (records, 1); novelty: float32 (records,)"}


# Evaluation, and what the cards say.


def training_facts(summary, product):
    cost = product.service.error_cost
    return {"costs": (cost.wrong, cost.abstain)}


def record_columns(outputs, truth, answered, rule, bins):
    error = losses(outputs, truth)
    return {"score": error, "answered_wrong": answered * (error > TOLERATED)}


def headline(outputs, truth, bins=10):
    return {"mae": float(losses(outputs, truth).mean())}


def sections(outputs, truth, words, rule, product, bins):
    return {}


def baselines(summary, truth, product, bins):
    return {"mean": {"mae": float(np.abs(truth - summary["mean"]).mean())}}


def worst(outputs, truth, words):
    return np.argsort(-losses(outputs, truth))[:20]


def suspects(outputs, truth):
    return np.array([], np.int64)


def case_columns(outputs, truth, product):
    return {"label": [to_text(value, product) for value in truth], "predicted": text(outputs, product)}


def explain(before, final, rule, product):
    return [f"amount {final.outputs[0, 0]:.4g}"]


def note(verdict, evaluation):
    return None


def draw(report, pairs, plots, figures):
    figures.mkdir(parents=True, exist_ok=True)


# The server.


def json_type(product):
    low, high = bounds(product)
    return Annotated[float, Field(ge=low, le=high, strict=True, allow_inf_nan=False)]


def example(product):
    low, high = bounds(product)
    return (low + high) / 2


def scores_type(product):
    return dict[str, float]


def scores(outputs, product):
    return [{"amount": value} for value in outputs[:, 0].tolist()]


def judge(given, right):
    return np.array([abs(number(one or "none") - float(other)) for one, other in zip(given, right, strict=True)])


# Annotation.


def asked(product, cannot, words):
    unit = product.formulation.answer.options.get("unit", "")
    return [{"name": "amount", "says": unit, "key": ""}, {"name": cannot, "says": words("see the guide"), "key": "x"}]


def control(product, cannot, words):
    low, high = bounds(product)
    box = f'<Number name="answer" toName="record" min="{low}" max="{high}"/>'
    none = f'<Choices name="none" toName="record"><Choice value="{cannot}" hotkey="x"/></Choices>'
    return f"<View>{box}{none}</View>"


def said(result):
    numbers = [to_text(part["value"]["number"], None) for part in result if part["type"] == "number"]
    return numbers + [name for part in result if part["type"] == "choices" for name in part["value"]["choices"]]


def suggestion(answer):
    return {"from_name": "answer", "to_name": "record", "type": "number", "value": {"number": float(answer)}}


def unsure(outputs):
    return np.zeros(len(outputs))  # novelty alone chooses whom to ask about
