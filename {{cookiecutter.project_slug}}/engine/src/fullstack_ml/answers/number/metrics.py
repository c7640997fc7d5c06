"""The metrics of a number: what each record adds, and the row of every metric with its function.

Reads and writes nothing.
"""

import numpy as np

from fullstack_ml.answers.number.contract import options_of
from fullstack_ml.answers.number.rule import Rule, covered, ends, widths
from fullstack_ml.product.metrics import Metric, Sums, Values, share_of
from fullstack_ml.product.types import Product


def errors(outputs: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the absolute error of every record, float64 (records,)."""
    return np.asarray(np.abs(outputs[:, 0].astype(np.float64) - truth))


def deviances(value: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return twice the loss of log likelihood of every record, if the truth is Poisson and ``value`` its mean.

    It is 2 (y log(y / m) - y + m) (McCullagh and Nelder 1989): infinite where something came and none was expected,
    NaN for numbers below 0, which no count is.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(truth > 0, truth * np.log(truth / value), 0.0)
        found = 2 * (ratio - truth + value)
    return np.where((truth < 0) | (value < 0), np.nan, found)


def pinball(outputs: np.ndarray, truth: np.ndarray, coverage: float) -> np.ndarray:
    """Return the mean pinball loss of both ends of every interval, as quantiles (Koenker and Bassett 1978)."""
    tail, losses = (1 - coverage) / 2, []
    for end, level in zip(ends(outputs), (tail, 1 - tail), strict=True):
        short = truth - end.astype(np.float64)
        losses.append(np.maximum(level * short, (level - 1) * short))
    return np.asarray(sum(losses) / 2)


def columns(
    outputs: np.ndarray, truth: np.ndarray, answered: np.ndarray, rule: Rule, product: Product
) -> dict[str, np.ndarray]:
    """Return the per-record columns, (records,) each, that all metrics are sums of.

    ``answered`` says per record whether it is answered, ``abstained`` that it is given back. ``place`` is the truth
    from the middle of the possible range: sums of squares far from 0 would lose digits.
    """
    given, error, value = options_of(product), errors(outputs, truth), outputs[:, 0].astype(np.float64)
    place = truth - (given.low + given.high) / 2
    wrong = answered * (error > given.tolerance)
    inside, abstained = covered(outputs, truth).astype(np.float64), 1 - answered.astype(np.float64)
    return {
        "score": error,
        "squared": error**2,
        "place": place,
        "place_squared": place**2,
        "deviance": deviances(value, truth),
        "pinball": pinball(outputs, truth, rule.coverage),
        "covered": inside,
        "abstained": abstained,
        "abstained_covered": abstained * inside,
        "width": widths(outputs).astype(np.float64),
        "tolerated": (error <= given.tolerance).astype(np.float64),
        "answered_wrong": wrong.astype(np.float64),
        "answered_cost": wrong * product.service.error_cost.wrong,
    }


def _rmse(sums: Sums) -> Values:
    return np.asarray(np.sqrt(sums.mean("squared")))


def _r2(sums: Sums) -> Values:
    spread = sums.mean("place_squared") - sums.mean("place") ** 2
    return np.asarray(1 - sums.mean("squared") / np.where(spread > 0, spread, np.nan))


def _units(name: str, meaning: str) -> Metric:
    return Metric("units", "lower", meaning, lambda sums: sums.mean(name))


METRICS: dict[str, Metric] = {
    "mae": _units("score", "mean absolute error, in the unit of the answer"),
    "rmse": Metric("units", "lower", "root of the mean squared error, in which large errors weigh more", _rmse),
    "r2": Metric("share", "higher", "share of the variance that the model explains; 0 says the mean alone", _r2),
    "poisson_deviance": Metric(
        "nats", "lower", "mean Poisson deviance, for counts", lambda sums: sums.mean("deviance")
    ),
    "pinball": _units("pinball", "mean pinball loss of both ends of the interval, as quantiles"),
    "within_tolerance": share_of("higher", "share of records with an error of at most the tolerance", "tolerated"),
    "interval_coverage": share_of(
        "higher", "share of all records, answered or not, whose interval includes the right number", "covered"
    ),
    "abstained_coverage": share_of(
        "higher",
        "of the records that are given back, the share whose interval includes the right number",
        "abstained_covered",
        "abstained",
    ),
    "interval_width": _units("width", "mean width of the intervals"),
    "worst_slice_mae": Metric("units", "lower", "highest mean absolute error of a measurable slice"),
    "group_gap": Metric("units", "lower", "largest difference of the mean absolute error between groups"),
}
