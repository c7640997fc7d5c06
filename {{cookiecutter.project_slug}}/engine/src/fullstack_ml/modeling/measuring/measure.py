"""Everything that is measured of an artefact on the test split; no other module opens that split.

Reads ``data/splits/test.parquet``, or ``folds.parquet``, and ``reports/training.json`` (for the baselines).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fullstack_ml.answers import Answer
from fullstack_ml.answers.words import ACCEPT, Scored
from fullstack_ml.artefact.session import Artefact
from fullstack_ml.modeling.measuring.gaps import gaps, score_interval
from fullstack_ml.modeling.measuring.intervals import bounds, groups_of, totals, weights
from fullstack_ml.modeling.measuring.novelty import apart
from fullstack_ml.modeling.measuring.seats import Judged, one_seat, outside
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.examples import Examples, joined, moments_of, read, read_folds, read_out_of_scope
from fullstack_ml.pipeline.tables import slice_mask
from fullstack_ml.product.metrics import Metric, Sums, applicable
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import read_json
from fullstack_ml.workspace.paths import TRAINING
from fullstack_ml.workspace.sentences import sentence

UNMEASURED = ("group_gap", "unknown_detected", "unknown_answered")  # without slices, and without what is out of scope
FEWER = 200  # resamples of a metric that is no sum over records: each takes as long as measuring it


@dataclass(frozen=True)
class Tested:
    """The test split as an artefact sees it.

    ``decisions`` is accept, uncertain or unfamiliar per record; ``resampled`` holds per metric its value on all records
    and then on every resample, the same resamples for every artefact.
    """

    examples: Examples
    scored: Scored
    decisions: np.ndarray
    resampled: dict[str, np.ndarray]
    report: dict[str, Any]


def test(
    artefact: Artefact, product: Product, config: Config, folds: Sequence[tuple[Artefact, Examples]] = ()
) -> Tested:
    """Score the test split and return the scores with everything that a requirement may ask of them.

    ``folds``: of small data, what was made without each fold, and its records; it stands for ``artefact`` there.
    Raises a ``UserError`` for an output that is not finite.
    """
    answer, rule, settings = artefact.answer, artefact.rule, config.evaluate
    seats = folds or [(artefact, unfolded(product))]
    beyond = read_out_of_scope(product)
    seen = [one_seat(by, part, beyond, product, config) for by, part in seats]
    examples = joined([part for _, part in seats])
    scored = Scored.joined([one.scored for one in seen])
    words, truth = np.concatenate([one.words for one in seen]), examples.truth
    table = {name: np.concatenate([one.table[name] for one in seen]) for name in seen[0].table}
    strange = {name: Judged.joined([one.strange[name] for one in seen]) for name in seen[0].strange}
    drawn = {name: Judged.joined([one.drawn[name] for one in seen]) for name in seen[0].drawn}
    table |= apart(scored.novelty, np.concatenate([one.novelty for one in strange.values()]))
    summary = read_json(TRAINING)["answers"]
    found = measured_of(answer, product, config, examples, scored.outputs, table, summary)
    unknown = np.concatenate([one.unknown for one in seen])
    shares, ends = outside(unknown, drawn, settings.resamples, config.seed)
    report = {
        "records": len(truth),
        "folds": len(folds),
        "answered_by_fold": [float((one.words == ACCEPT).mean()) for one in seen if folds],
        "metrics": found.metrics | {name: finite(values[0]) for name, values in shares.items()},
        "intervals": found.intervals | ends,
        "baseline": answer.baselines(summary, truth, product, settings.bins, moments_of(examples.frame)),
        "novelty": {name: made.against(scored.novelty) for name, made in strange.items()},
        "drawn": {name: made.against(scored.novelty) for name, made in drawn.items()},
        "unknown": dict(Counter(unknown.tolist())),
        "gaps": found.gaps,
        "slices": found.slices,
        **answer.sections(scored.outputs, truth, words, rule, product, settings.bins),
    }
    return Tested(examples, scored, words, found.resampled | shares, report)


@dataclass(frozen=True)
class Measured:
    """Every metric with its interval, both by name and None where undefined, and what they come from.

    ``resampled`` holds per metric its value on all records and then on every resample.
    """

    metrics: dict[str, float | None]
    intervals: dict[str, list[float] | None]
    resampled: dict[str, np.ndarray]
    gaps: dict[str, Any]
    slices: dict[str, Any]


def measured_of(
    answer: Answer,
    product: Product,
    config: Config,
    examples: Examples,
    outputs: np.ndarray,
    table: dict[str, np.ndarray],
    summary: dict[str, Any],
) -> Measured:
    """Measure what follows from ``outputs`` and from the ``table`` of what every record adds.

    ``summary`` describes the train split. A metric of a column that the table lacks is left out.
    """
    settings = config.evaluate
    every = applicable(product)
    metrics = {name: metric for name, metric in every.items() if not (metric.counts and {*metric.counts} - {*table})}
    units = groups_of(examples.frame["group"])
    sums = Sums(totals(table, settings.resamples, config.seed, units), answer.training_facts(summary, product))
    drawn = weights(len(examples.truth), min(settings.resamples, FEWER), config.seed, units)
    values = measured(metrics, sums) | measured_weighted(metrics, outputs, examples.truth, drawn)
    groups, gap = gaps(answer, product, examples.frame, table, settings, config.seed)
    values |= {} if gap is None else {"group_gap": gap}
    slices = per_slice(answer, product, examples, outputs, table, sums.facts, settings.min_slice)
    worst_name, worst = worst_slice(answer, metrics[answer.MAIN], slices)
    known = dict.fromkeys(UNMEASURED) | {n: finite(v[0]) for n, v in values.items()} | {worst_name: worst[0]}
    intervals = dict.fromkeys(UNMEASURED) | bounds(values, sums, metrics) | {worst_name: worst[1]}
    intervals |= cost_of_unseen(known, intervals, product)
    return Measured(known, intervals, values, groups, slices)


def cost_of_unseen(
    known: dict[str, float | None], intervals: dict[str, list[float] | None], product: Product
) -> dict[str, list[float]]:
    """Return the interval of the cost where no answer was wrong: its upper end has the errors that may be unseen.

    No resample of such records shows an error, so that all of them agree that errors cost nothing.
    """
    cost, wrong, answered = (
        intervals.get("cost_per_record"),
        intervals.get("answered_error"),
        known.get("answered_share"),
    )
    if known.get("answered_error") != 0 or not cost or not wrong or answered is None:
        return {}
    return {"cost_per_record": [cost[0], max(cost[1], product.service.error_cost.of(answered, wrong[1]))]}


def unfolded(product: Product) -> Examples:
    """Read the test split; raise a ``UserError`` where data are cut into folds: one artefact has seen every record."""
    if read_folds(product):
        fix = "compare what stage evaluate reports, in which every record is tested by a model that has not seen it"
        raise UserError("with folds a model has learned from every record", "folds in conf/split.yaml", fix)
    return read("test", product)


def measured(metrics: dict[str, Metric], sums: Sums) -> dict[str, np.ndarray]:
    """Return every metric that follows from ``sums``, on all records and on every resample; NaN where undefined."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return {name: row.value(sums) for name, row in metrics.items() if row.value}


def measured_weighted(
    metrics: dict[str, Metric], outputs: np.ndarray, truth: np.ndarray, drawn: Iterable[np.ndarray]
) -> dict[str, np.ndarray]:
    """Return every metric that is no sum over records, for each of the ``drawn`` weights of the records."""
    ready = {name: row.weighted(outputs, truth) for name, row in metrics.items() if row.weighted}
    rows = [[measure(weight) for measure in ready.values()] for weight in drawn] if ready else []
    return dict(zip(ready, np.array(rows, dtype=np.float64).T, strict=True))


def finite(value: float) -> float | None:
    """Return a number, or None for one that is undefined: JSON has no NaN, and what is undefined cannot pass."""
    return float(value) if np.isfinite(value) else None


def per_slice(
    answer: Answer,
    product: Product,
    examples: Examples,
    outputs: np.ndarray,
    table: dict[str, np.ndarray],
    facts: Any,
    smallest: int,
) -> dict[str, Any]:
    """Measure every slice of product.yaml; one with fewer than ``smallest`` records is ``not measurable``."""
    slices: dict[str, Any] = {}
    metrics = applicable(product) if product.data.slices else {}
    own = {name: metric for name, metric in metrics.items() if name in answer.METRICS}
    for part in product.data.slices:
        mine = examples.frame.select(mask=slice_mask(part))["mask"].to_numpy()
        records = int(mine.sum())
        if records < smallest:
            slices[part.id] = {
                "records": records,
                "not_measurable": sentence("fewer than %(smallest)s records", smallest=smallest),
            }
            continue
        kept = {name: column[mine] for name, column in table.items()}
        values = measured(own, Sums.of(kept, facts))
        values |= measured_weighted(metrics, outputs[mine], examples.truth[mine], [np.ones(records)])
        slices[part.id] = {
            "records": records,
            **{name: finite(value[0]) for name, value in values.items()},
            f"{answer.MAIN}_interval": score_interval(kept["score"], answer.METRICS[answer.MAIN]),
            "answered_share": float(kept["answered"].mean()),
        }
    return slices


def worst_slice(
    answer: Answer, main: Metric, slices: dict[str, Any]
) -> tuple[str, tuple[float | None, list[float] | None]]:
    """Return the metric of the worst slice: its name, its value and its interval.

    The value is None when a slice is not measurable: what was not measured cannot pass.
    """
    choose = min if main.better == "higher" else max
    known = [part for part in slices.values() if part.get(answer.MAIN) is not None]
    worst = choose(known, key=lambda part: part[answer.MAIN]) if known else None
    value = worst[answer.MAIN] if worst and len(known) == len(slices) else None
    return f"worst_slice_{answer.MAIN}", (value, worst[f"{answer.MAIN}_interval"] if worst else None)
