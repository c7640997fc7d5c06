"""Answer ``order``: how much to order, where a unit that is missing costs more than one that is left over.

The engine's ``number`` takes the middle of what may come, and an error costs the same to both sides. This one is judged
by what its errors cost, and orders so much more that the cost is the least: ``calibrate`` adds it in the graph. Nothing
is answered where the record is unlike what the model knows.

The example of docs/3-extend.md: put it into ``src/<package>/answers/order.py``, into ``product.yaml``
``answer: {type: order, options: {unit: kg, low: 0, high: 1000}}``, and ``calibration: quantile`` into
``conf/export.yaml``. What each function returns stands in the protocol ``Answer`` of the engine's
``answers/__init__.py``. Outputs are float32 (records, 1), truth is (records,).
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
from onnx import helper
from pydantic import Field

from fullstack_ml.answers.calibrating import RAW, append, conformal_quantile
from fullstack_ml.answers.words import Scored, Words
from fullstack_ml.product.metrics import Metric
from fullstack_ml.product.types import Finding, Product

OUTPUT, ESTIMATOR, CALIBRATIONS = "order", "regressor", ("quantile",)
MAIN, HEADLINE = "order_cost", ("order_cost",)
METRICS = {
    "order_cost": Metric(
        "euros", "lower", "mean cost of what was missing or left over", lambda sums: sums.mean("score")
    ),
    "worst_slice_order_cost": Metric("euros", "lower", "highest mean cost of a slice"),
}
SCALE, PAGE = "interval", ("value.js",)
SHORT, SURPLUS = 5.0, 1.0  # euros that a unit costs that is missing, and one that is left over
TOLERATED = 10.0  # euros; an order that costs more is a wrong answer


# The contract, and answers as text.


def bounds(product: Product) -> tuple[float, float]:
    """The smallest and the largest order that the contract allows."""
    options = product.formulation.answer.options
    return options["low"], options["high"]


def check(product: Product) -> Iterator[Finding]:
    """Find labels, and bounds that are not there."""
    if product.formulation.answer.labels:
        yield ("formulation", "answer", "labels"), "an order has no labels", "leave them out"
    if not {"low", "high"} <= product.formulation.answer.options.keys():
        yield ("formulation", "answer", "options"), "an order has no bounds", "options: {unit: kg, low: 0, high: 1000}"


def number(text: str) -> float:
    """A text as a number; NaN where it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def illegal(answers: Sequence[str], product: Product) -> dict[str, str]:
    """The texts that are no number within the bounds, each with what is wrong."""
    low, high = bounds(product)
    strange = sorted(text for text in set(answers) if not low <= number(text) <= high)
    return dict.fromkeys(strange, f"is no number from {low:g} to {high:g}")


def written(answers: Sequence[str], renames: Mapping[str, str]) -> list[str]:
    """A number is kept as it was written."""
    return [*answers]


def named(answer: str) -> list[str]:
    """A number names no label."""
    return []


def to_text(answer: float, product: Product) -> str:
    """Seven digits: what a float32 holds."""
    return f"{answer:.7g}"


def from_text(text: str, product: Product) -> float:
    """The number again."""
    return float(text)


def text(outputs: np.ndarray, rule: Any, product: Product) -> list[str]:
    """The order of every record."""
    return [to_text(value, product) for value in outputs[:, 0]]


def truth(answers: Sequence[str], product: Product) -> np.ndarray:
    """The numbers themselves."""
    return np.array([float(text) for text in answers])


# Training and export.


def width(product: Product) -> int:
    """One value."""
    return 1


def strata(truth: np.ndarray) -> np.ndarray:
    """All records belong together."""
    return np.zeros(len(truth), np.int64)


def summary(truth: np.ndarray, product: Product, moments: Any = None) -> dict[str, Any]:
    """What the baseline answers."""
    return {"records": len(truth), "mean": float(truth.mean())}


def missing(summary: dict[str, Any], product: Product) -> list[str]:
    """No order is missing: a model may give one between two that it saw."""
    return []


def cost_of(ordered: np.ndarray, needed: np.ndarray) -> np.ndarray:
    """The euros of every order."""
    return np.asarray(np.where(needed > ordered, SHORT * (needed - ordered), SURPLUS * (ordered - needed)))


def losses(outputs: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """What every order costs."""
    return cost_of(outputs[:, 0], truth)


def same(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Alike to a thousandth."""
    return np.asarray(np.isclose(one[:, 0], other[:, 0], rtol=1e-3, atol=1e-3))


def calibrate(method: str, model: Any, outputs: np.ndarray, truth: np.ndarray, product: Product, rows: Any) -> Any:
    """Order more, so that what is needed exceeds it as rarely as the costs ask for (Arrow et al. 1951, newsvendor)."""
    more = conformal_quantile(truth - outputs[:, 0], SHORT / (SHORT + SURPLUS))
    return append(model, [helper.make_node("Add", [RAW, "more"], [OUTPUT])], OUTPUT, {"more": np.array(more)})


class Rule(SimpleNamespace):
    """``novelty``: a record above it is unfamiliar; None where every record is answered."""

    def to_json(self) -> str:
        """For the artefact's metadata."""
        return json.dumps(vars(self))


def fit_rule(scored: Scored, truth: np.ndarray, product: Product) -> Rule:
    """Hold back as many familiar records as the contract allows."""
    abstain = product.formulation.abstain
    return Rule(novelty=float(np.quantile(scored.novelty, 1 - abstain.false_alarms)) if abstain else None)


def read_rule(text: str) -> Rule:
    """From the artefact's metadata."""
    return Rule(**json.loads(text))


def decide(outputs: np.ndarray, novelty: np.ndarray, rule: Any) -> np.ndarray:
    """Answer where the record is familiar."""
    familiar = True if rule.novelty is None else novelty <= rule.novelty
    return np.where(familiar & np.isfinite(outputs[:, 0]), "accept", "unfamiliar").astype(object)


def metadata(product: Product) -> dict[str, str]:
    """What the artefact says of its answer."""
    return {"output": "order: float32 (records, 1); novelty: float32 (records,)"}


# Evaluation, and what the cards say.


def training_facts(summary: dict[str, Any], product: Product) -> dict[str, Any]:
    """Nothing: the functions of METRICS ask for none."""
    return {}


def record_columns(
    outputs: np.ndarray, truth: np.ndarray, answered: np.ndarray, rule: Any, product: Product, bins: int
) -> dict[str, np.ndarray]:
    """The cost, and whether an answer that was given is too dear, with the cost of an error."""
    euros = losses(outputs, truth)
    wrong = answered * (euros > TOLERATED)
    return {"score": euros, "answered_wrong": wrong, "answered_cost": wrong * product.service.error_cost.wrong}


def headline(outputs: np.ndarray, truth: np.ndarray, bins: int = 10) -> dict[str, float]:
    """The mean cost."""
    return {"order_cost": float(losses(outputs, truth).mean())}


def sections(
    outputs: np.ndarray, truth: np.ndarray, words: Any, rule: Any, product: Product, bins: int
) -> dict[str, Any]:
    """Nothing beside the metrics."""
    return {}


def baselines(
    summary: dict[str, Any], truth: np.ndarray, product: Product, bins: int, moments: Any = None
) -> dict[str, Any]:
    """The mean of the training split."""
    return {"mean": {"order_cost": float(cost_of(np.full(len(truth), summary["mean"]), truth).mean())}}


def worst(outputs: np.ndarray, truth: np.ndarray, words: Any, rule: Any) -> np.ndarray:
    """The 20 dearest orders."""
    return np.argsort(-losses(outputs, truth))[:20]


def suspects(outputs: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """None: a large error may be the model's."""
    return np.array([], np.int64)


def case_columns(outputs: np.ndarray, truth: np.ndarray, rule: Any, product: Product) -> dict[str, list[Any]]:
    """What was needed, and the order."""
    return {"label": [to_text(value, product) for value in truth], "predicted": text(outputs, rule, product)}


def explain(before: np.ndarray, final: Scored, rule: Any, product: Product) -> list[str]:
    """The order, and what the model said before more was added."""
    return [f"needed {before[0, 0]:.4g}, order {final.outputs[0, 0]:.4g}"]


def note(verdict: dict[str, Any], evaluation: dict[str, Any]) -> str | None:
    """Nothing beside the number."""
    return None


def draw(report: dict[str, Any], pairs: tuple[list[str], list[str]], plots: Path, figures: Path, words: Any) -> None:
    """No table and no picture."""


# The server.


def json_type(product: Product) -> Any:
    """A number within the bounds."""
    low, high = bounds(product)
    return Annotated[float, Field(ge=low, le=high, strict=True, allow_inf_nan=False)]


def example(product: Product) -> float:
    """The middle."""
    low, high = bounds(product)
    return (low + high) / 2


def scores_type(product: Product) -> Any:
    """The order before it is rounded to text."""
    return dict[str, float]


def scores(outputs: np.ndarray, product: Product) -> list[Any]:
    """The order as the graph gave it."""
    return [{"order": value} for value in outputs[:, 0].tolist()]


def judge(given: Sequence[str | None], right: Sequence[str]) -> np.ndarray:
    """The cost; NaN where nothing was given."""
    ordered, needed = (np.array([number(text or "none") for text in texts]) for texts in (given, right))
    return np.where(np.isnan(ordered), np.nan, cost_of(ordered, needed))


def expected(given: Sequence[str], scores: Sequence[Any], product: Product) -> np.ndarray:
    """NaN: an order alone does not say what will be needed."""
    return np.full(len(given), np.nan)


# Annotation.


def asked(product: Product, cannot: str, words: Words) -> list[dict[str, str]]:
    """The unit, and the way out."""
    unit = product.formulation.answer.options.get("unit", "")
    return [{"name": "order", "says": unit, "key": ""}, {"name": cannot, "says": words("see the guide"), "key": "x"}]


def control(product: Product, cannot: str, words: Words) -> str:
    """A box for a number, and a choice for none."""
    low, high = bounds(product)
    box = f'<Number name="answer" toName="record" min="{low}" max="{high}"/>'
    none = f'<Choices name="none" toName="record"><Choice value="{cannot}" hotkey="x"/></Choices>'
    return f"<View>{box}{none}</View>"


def said(result: list[dict[str, Any]]) -> list[str]:
    """Every number and every choice."""
    numbers = [f"{part['value']['number']:.7g}" for part in result if part["type"] == "number"]
    return numbers + [name for part in result if part["type"] == "choices" for name in part["value"]["choices"]]


def suggestion(answer: str) -> dict[str, Any]:
    """A number as Label Studio keeps it."""
    return {"from_name": "answer", "to_name": "record", "type": "number", "value": {"number": float(answer)}}


def unsure(outputs: np.ndarray) -> np.ndarray:
    """Novelty alone chooses whom to ask about."""
    return np.zeros(len(outputs))
