"""What is measured of one window: traffic, decisions, drift, quality before and after labels, time to answer.

Reads and writes nothing. A measure is ``value`` with ``low`` and ``high``, between which chance alone may have moved
it, and the ``records`` behind it; ``value`` is None where nothing could be measured.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from fullstack_ml.answers import answer_of
from fullstack_ml.answers.words import UNFAMILIAR
from fullstack_ml.inputs import input_of
from fullstack_ml.modeling.export.reference import answers_of, counts_in, slice_shares, watched
from fullstack_ml.monitoring.chance import Measure, average, drift, share
from fullstack_ml.product.types import Product
from fullstack_ml.serving.schema import ANSWER

NONE: Measure = {"value": None, "records": 0}


@dataclass(frozen=True)
class Seen:
    """What was read of a window: counts by version, a sample of ``rows``, their ``inputs``, and ``words`` of people.

    ``said_share``: the share of all words that ``words`` are.
    """

    totals: dict[str, dict[str, int]]
    rows: pl.DataFrame
    inputs: pl.DataFrame
    words: pl.DataFrame
    said_share: float

    @property
    def version(self) -> str | None:
        """Return the version that answered most."""
        return max(self.totals, key=lambda name: self.totals[name]["records"]) if self.totals else None

    def count(self, name: str) -> int:
        """Add up a count over versions."""
        return sum(row[name] for row in self.totals.values())


def decisions(seen: Seen, level: float) -> dict[str, Measure]:
    """Return traffic, and what became of it."""
    records = seen.count("records")
    shares = {"answered_share": "answered", "unfamiliar_share": "unfamiliar", "failed_share": "failed"}
    found = {name: share(seen.count(key), records, level) for name, key in shares.items()}
    return {"records": {"value": records, "records": records}, **found}


def latency(rows: pl.DataFrame) -> dict[str, Measure]:
    """Return the median and the 99th of 100 of the time to answer."""
    times = rows["latency_ms"].drop_nulls()
    return {
        f"latency_p{p}_ms": {"value": times.quantile(p / 100, "linear") if len(times) else None, "records": len(times)}
        for p in (50, 99)
    }


def read_inputs(inputs: pl.DataFrame, product: Product) -> pl.DataFrame:
    """Return the watched columns of logged inputs."""
    frame = input_of(product).logged(inputs["input"].to_list(), product)
    return watched(frame.with_columns(id=inputs["prediction_id"]), product)


def columns(inputs: pl.DataFrame, known: dict[str, Any] | None, level: float) -> dict[str, dict[str, Any]]:
    """Return for every column its drift from the reference, and the share of records that miss a value."""
    spreads = known["columns"] if known else {}
    found = {}
    for name in inputs.columns:
        moved = drift(spreads[name], counts_in(spreads[name], inputs[name]), level) if name in spreads else NONE
        missing = share(inputs[name].null_count(), len(inputs), level)
        found[name] = {"drift": moved, "missing_share": missing}
    return found


def outputs(rows: pl.DataFrame, known: dict[str, Any] | None, product: Product, level: float) -> dict[str, Measure]:
    """Return how far answers and novelty moved from the reference of the version that gave them."""
    if not known or rows.is_empty():
        return {"answer_drift": NONE, "novelty_drift": NONE}
    finite = rows.filter(pl.col("answer").is_not_null())
    given = {"answers": answers_of(finite["answer"].to_list(), product), "novelty": finite["novelty"]}
    names = {"answers": "answer_drift", "novelty": "novelty_drift"}
    return {names[key]: drift(known[key], counts_in(known[key], column), level) for key, column in given.items()}


def strangers(
    inputs: pl.DataFrame, reasons: pl.Series, known: dict[str, Any] | None, product: Product, level: float
) -> dict[str, dict[str, Any]]:
    """Return for every slice its share of the records, now and in the reference, and how many of it are unfamiliar."""
    strange = (reasons == UNFAMILIAR).fill_null(False)
    found = {}
    for name, mine in slice_shares(inputs, product).items():
        rate = share(int((mine & strange).sum()), int(mine.sum()), level)
        usual = known["slices"].get(name) if known else None
        found[name] = {"share": mine.mean() if len(mine) else None, "reference": usual, "unfamiliar_share": rate}
    return found


def expected(rows: pl.DataFrame, known: dict[str, Any] | None, product: Product) -> np.ndarray:
    """Estimate for every answered record what ``judge`` would find.

    Where that has no fixed scale, such as an error in kilograms, it is scaled by how the estimate did on the records of
    the reference.
    """
    answer = answer_of(product)
    values = answer.expected(rows["answer"].to_list(), [json.loads(one) for one in rows["scores"]], product)
    if known and known["expected"] and known["measured"] and answer.METRICS[answer.MAIN].unit != "share":
        values = values * known["measured"] / known["expected"]
    return values


def answered(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the records whose answer somebody got."""
    return rows.filter((pl.col("decision") == ANSWER) & pl.col("answer").is_not_null() & pl.col("scores").is_not_null())


def estimate(rows: pl.DataFrame, known: dict[str, Any] | None, product: Product, level: float) -> Measure:
    """Estimate the answer's main metric of what was answered, before anybody said what was right."""
    given, answer = answered(rows), answer_of(product)
    if given.is_empty():
        return NONE
    callers, unit = given["caller"].to_numpy(), answer.METRICS[answer.MAIN].unit
    return average(expected(given, known, product), callers, level, unit)


def latest(words: pl.DataFrame, how: str) -> pl.DataFrame:
    """Return the latest word on every answered record, of those that came in one way."""
    mine = answered(words).filter(pl.col("how") == how)
    return mine.unique("prediction_id", keep="last", maintain_order=True)


def judged(words: pl.DataFrame, product: Product) -> np.ndarray:
    """Judge answers by what people said."""
    return answer_of(product).judge(words["answer"].to_list(), words["right"].to_list())


def drawn(words: pl.DataFrame, known: dict[str, Any] | None, product: Product, level: float) -> dict[str, Any]:
    """Return the quality on labels of a random sample, and on the same records what had been estimated."""
    mine, answer = latest(words, "drawn"), answer_of(product)
    if mine.is_empty():
        return {**NONE, "estimated": None, "off": NONE}
    callers, unit = mine["caller"].to_numpy(), answer.METRICS[answer.MAIN].unit
    found, before = judged(mine, product), expected(mine, known, product)
    guessed = average(before, callers, level, unit)["value"]
    return {
        **average(found, callers, level, unit),
        "estimated": guessed,
        "off": average(before - found, callers, level, ""),
    }


def late(words: pl.DataFrame, product: Product, level: float) -> dict[str, Measure]:
    """Return what else labels of a random sample show, by metric: of all records, also of those given back."""
    mine = words.filter((pl.col("how") == "drawn") & pl.col("scores").is_not_null())
    mine = mine.unique("prediction_id", keep="last", maintain_order=True)
    scores, right = [json.loads(one) for one in mine["scores"]], mine["right"].to_list()
    shares = {f"drawn_{name}": judge(scores, right) for name, judge in answer_of(product).LATE.items()}
    return {name: average(values, mine["caller"].to_numpy(), level, "share") for name, values in shares.items()}


def corrected(seen: Seen, product: Product, level: float) -> Measure:
    """Return the share of what was answered that people called wrong unasked: at least so much was wrong."""
    mine, answer = latest(seen.words, "noticed"), answer_of(product)
    best = float(answer.METRICS[answer.MAIN].better == "higher")
    wrong = int((judged(mine, product) != best).sum()) if len(mine) else 0
    return share(wrong, max(wrong, round(seen.count("answered") * seen.said_share)), level)


def contradicted(words: pl.DataFrame) -> int:
    """Count the records of which people said different things."""
    return int((words.group_by("prediction_id").agg(pl.col("right").n_unique())["right"] > 1).sum())


def measure(seen: Seen, known: dict[str, Any] | None, product: Product, level: float) -> dict[str, Any]:
    """Measure one window; ``known`` is the reference of the version that answered most, None where it has none."""
    main, own = answer_of(product).MAIN, seen.rows.filter(pl.col("version") == (seen.version or ""))
    inputs = read_inputs(seen.inputs, product)
    reasons = seen.inputs.join(seen.rows, on="prediction_id", how="left", maintain_order="left")["reason"]
    by_column = columns(inputs, known, level)
    single = {**decisions(seen, level), **latency(seen.rows), **outputs(own, known, product, level)}
    single[f"estimated_{main}"] = estimate(own, known, product, level)
    said = seen.words.filter(pl.col("version") == (seen.version or ""))
    single |= {f"drawn_{main}": drawn(said, known, product, level), **late(said, product, level)}
    single["corrected_share"] = corrected(seen, product, level)
    return {
        "versions": {name: row["records"] for name, row in seen.totals.items()},
        "version": seen.version,
        "sampled": len(seen.rows),
        "inputs": len(inputs),
        "contradicted": contradicted(seen.words),
        "measures": single,
        "columns": by_column,
        "slices": strangers(inputs, reasons, known, product, level),
    }
