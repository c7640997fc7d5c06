"""The metrics that a requirement may name: a row holds unit, direction, meaning and the function that measures it.

The rows of an answer stand in its module of seam ``answers``; those that any answer has stand here. A function of
``src/<package>/metrics.py`` with the decorator ``metric`` is a metric of the product's own.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.seams import find_choice, find_own

Values = np.ndarray  # one per resample; the first is that of all records
# From outputs and truth to a function of the records' weights: how often each of them counts, 0, 1, 2 ...
Weighted = Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], float]]
BETTER = ("higher", "lower")
Z95 = 1.959964  # standard errors to each side of which 95 of 100 lie
# What traffic shows: nobody learns the right answer of a record that was not answered.
ONLINE = ("answered_share", "answered_error", "cost_per_record", "input_cost", "latency_p50_ms", "latency_p99_ms")


@dataclass(frozen=True)
class Sums:
    """Per-record columns, summed over all records (row 0) and over every resample (the other rows).

    ``facts``: what the training split says, such as its most frequent label.
    """

    columns: Mapping[str, np.ndarray]
    facts: Mapping[str, Any]

    @classmethod
    def of(cls, columns: Mapping[str, np.ndarray], facts: Mapping[str, Any] | None = None) -> "Sums":
        """Sum per-record columns, each (records,) or (records, parts), over all records."""
        one = {"one": np.ones(len(next(iter(columns.values()))))}
        wide = {name: column.reshape(len(column), -1) for name, column in {**one, **columns}.items()}
        return cls({n: column.sum(axis=0, dtype=np.float64)[np.newaxis] for n, column in wide.items()}, facts or {})

    def __getitem__(self, name: str) -> np.ndarray:
        """Return the sums of a column, (resamples + 1, parts)."""
        return self.columns[name]

    def mean(self, name: str) -> Values:
        """Return the mean of a column of one part over the records."""
        mean: Values = self.columns[name][:, 0] / self.columns["one"][:, 0]
        return mean

    def ratio(self, name: str, other: str) -> Values:
        """Return one column's sum by another's."""
        ratio: Values = self.columns[name][:, 0] / self.columns[other][:, 0]
        return ratio


COST = "cost"  # the unit of a metric that counts what errors or inputs cost
OF_ANSWER = "units"  # the unit of a metric that is in the unit of the answer


@dataclass(frozen=True)
class Metric:
    """``unit`` as in product.yaml; ``better`` is ``higher`` or ``lower``; ``report`` is the stage that measures it.

    ``value`` measures it from sums; where it does not follow from sums over records, ``weighted`` does. ``counts``
    names the columns of which a share is the ratio: where all resamples agree on it, Wilson's interval takes their
    place. ``compared`` is false for what does not follow from the model alone, so that no release may be decided by it.
    ``fewest`` names the column of which the part with the fewest records bounds a metric that no resample brings below
    1. ``needs`` names a key of ``formulation.answer`` without which it means nothing.
    """

    unit: str
    better: str
    meaning: str
    value: Callable[[Sums], Values] | None = None
    counts: tuple[str, str] | None = None
    report: str = "evaluate"
    compared: bool = True
    fewest: str = ""
    weighted: Weighted | None = None
    needs: str = ""

    @property
    def operator(self) -> str:
        """The only operator that makes sense for a threshold on this metric."""
        return ">=" if self.better == "higher" else "<="


def share_of(better: str, meaning: str, part: str, whole: str = "one") -> Metric:
    """Return the metric that is the ratio of the sums of two columns."""
    return Metric("share", better, meaning, lambda sums: sums.ratio(part, whole), (part, whole))


def _measured(unit: str, better: str, meaning: str, report: str = "evaluate") -> Metric:
    return Metric(unit, better, meaning, report=report, compared=False)


COMMON: dict[str, Metric] = {
    "answered_share": share_of("higher", "share of records that the model answers", "answered"),
    "answered_error": share_of("lower", "share of the answers that are wrong", "answered_wrong", "answered"),
    "cost_per_record": Metric(
        COST, "lower", "mean cost of a record: of a wrong answer, or of no answer", lambda sums: sums.mean("cost")
    ),
    "group_gap": Metric("share", "lower", "largest difference of the main metric between two groups"),
    "novelty_auroc": share_of(
        "higher",
        "probability that a made-up unfamiliar input gets a higher novelty score than a normal one (50 % = guessing)",
        "novelty_auroc",
    ),
    "novelty_false_alarms": share_of(
        "lower",
        "normal inputs wrongly flagged, at the threshold that catches 95 % of made-up unfamiliar ones",
        "novelty_false_alarms",
    ),
    "unknown_detected": Metric(
        "share", "higher", "share of the collected records out of scope that the model does not answer"
    ),
    "unknown_answered": Metric(
        "share",
        "lower",
        "of the inputs out of scope, collected or generated, the share that the model answers, for the worst kind",
    ),
    "unknown_false_alarms": share_of(
        "lower", "share of the records in scope that the model does not answer: 100 % less answered_share", "silent"
    ),
    "artefact_kib": _measured("KiB", "lower", "size of the ONNX file"),
    "latency_p50_ms": _measured(
        "ms", "lower", "median time of one record, decoding included, on the machine that evaluated"
    ),
    "latency_p99_ms": _measured(
        "ms", "lower", "time within which 99 of 100 records are answered, on the machine that evaluated"
    ),
    "input_cost": _measured(COST, "lower", "cost of obtaining one input, as data.costs states it", "validate"),
    "records": _measured("records", "higher", "valid records with a label", "label"),
    "agreement_alpha": _measured("alpha", "higher", "Krippendorff's alpha of the annotators", "label"),
    "worst_label_alpha": _measured("alpha", "higher", "lowest alpha of a label against the rest", "label"),
    "worst_gold_accuracy": _measured("share", "higher", "lowest accuracy of an annotator on gold items", "label"),
}


def metric(unit: str, better: str) -> Callable[[Callable[..., float]], Callable[..., float]]:
    """Make a function of ``src/<package>/metrics.py`` a metric; its docstring's first line is the meaning.

    The function takes ``outputs`` (records, values) and ``truth`` (records,), as the product's answer defines them, and
    returns a number. ``unit`` is as in product.yaml, ``better`` is ``higher`` or ``lower``.
    """

    def mark(function: Callable[..., float]) -> Callable[..., float]:
        function.metric = (unit, better)  # type: ignore[attr-defined]
        return function

    return mark


def repeated(function: Callable[..., float], outputs: np.ndarray, truth: np.ndarray) -> Callable[[np.ndarray], float]:
    """Let a function of records take weights: each record stands there as often as it counts."""

    def measure(weights: np.ndarray) -> float:
        rows = np.repeat(np.arange(len(truth)), weights.astype(np.int64))
        return function(outputs[rows], truth[rows])

    return measure


def own_metrics() -> dict[str, Metric]:
    """Return the metrics of ``src/<package>/metrics.py`` by name.

    Raises:
        UserError: if the module cannot be imported, or a metric of it says no direction or nothing of what it means.
    """
    module, rows = find_own("metrics"), {}
    for name, function in vars(module).items() if module else ():
        if not hasattr(function, "metric"):
            continue
        unit, better = function.metric
        meaning = (function.__doc__ or "").strip().splitlines()
        if better not in BETTER or not meaning:
            fix = "give better='higher' or better='lower', and a docstring that says what it means"
            raise UserError(f"metric {name!r} is not described", str(module.__file__), fix)
        rows[name] = Metric(unit, better, meaning[0], weighted=partial(repeated, function))
    return rows


def metrics_of(product: Product) -> dict[str, Metric]:
    """Return every metric that a requirement of this product may name.

    Raises:
        UserError: if a metric of the product's own has the name of another.
    """
    answer = product.formulation.answer.type
    rows = {**COMMON, **find_choice("answers", answer, "product.yaml, formulation.answer.type").METRICS}
    own = own_metrics()
    for name in sorted(own.keys() & rows.keys()):
        raise UserError(f"there is a metric {name!r} already", "src/*/metrics.py", "give it another name")
    return {**rows, **own}


def wilson(hits: int, records: int) -> list[float]:
    """Return the 95 % interval of a share (Wilson 1927), which also holds for few records."""
    share, spread = hits / records, Z95**2 / records
    middle = (share + spread / 2) / (1 + spread)
    half = Z95 * math.sqrt(share * (1 - share) / records + spread / (4 * records)) / (1 + spread)
    return [max(0.0, middle - half), min(1.0, middle + half)]


def unit_of(metric: Any, product: Product) -> str:
    """Return a metric's unit for people: a cost in that of ``service.error_cost``, a number in its own."""
    if metric.unit == COST:
        return product.service.error_cost.unit
    own = metric.unit == OF_ANSWER
    return str(product.formulation.answer.options.get("unit", OF_ANSWER) if own else metric.unit)


def applicable(product: Product) -> dict[str, Metric]:
    """Return every metric that is measured for this product."""
    answer = product.formulation.answer
    return {name: row for name, row in metrics_of(product).items() if not row.needs or getattr(answer, row.needs)}
