"""List likely label errors, for a review round.

Reads ``data/labelled.parquet``; writes ``reports/suspects.json``. Confident learning (C. G. Northcutt, L. Jiang and
I. L. Chuang 2021, Journal of Artificial Intelligence Research 70), on the probabilities that a logistic
regression gives to records it was not fitted on; a number is a suspect where it lies far off what boosted trees, fitted
on other records, say. The test split is left out: to clean it by what a model doubts would
make the test easier for models. What a review or an adjudicator has looked at is not listed again; how many of those
that reviews were given turned out wrong says how far to trust the list.
Run: ``make suspects``, then ``make round NAME=check KIND=review``.
"""

from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from fullstack_ml.answers import answer_of
from fullstack_ml.answers.label.confident import likely_label_errors
from fullstack_ml.data.label.aggregate import majority, votes
from fullstack_ml.data.label.rounds import read_all
from fullstack_ml.data.label.standing import annotations, of_source
from fullstack_ml.data.split.when import placed, plan_of
from fullstack_ml.inputs import input_of
from fullstack_ml.pages.formats import between, share
from fullstack_ml.pages.words import words
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.pipeline.tables import raw, read_batches
from fullstack_ml.product.contract import load
from fullstack_ml.product.metrics import wilson
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import write_json
from fullstack_ml.workspace.paths import LABELLED, SUSPECTS

FOLDS, FEW, ROWS = 5, 40, 50_000
NEVER: dict[str, Any] = {"reviewed": 0, "wrong": 0, "share": None, "interval": None}
SUSPECT = "likely error"  # the reason that a round of kind review gives for what was on the list
LOOKED_AT = ("review", "adjudication")


def out_of_sample(inputs: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return (records, labels): what a model says of each record after it was fitted on the other folds."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    flat = inputs.reshape(len(inputs), -1).astype(np.float64)
    result: np.ndarray = cross_val_predict(model, flat, truth, cv=FOLDS, method="predict_proba")
    return result


def suspects(frame: pl.DataFrame, product: Product) -> list[dict[str, object]]:
    """Return id, label, ``model_says`` and ``confidence`` in the label, the least likely first.

    Raises:
        UserError: if a label has too few records to fit and to predict.
    """
    names = frame["label"].unique().sort().to_list()
    counts = frame["label"].value_counts().sort("count")
    if len(names) < 2 or counts["count"][0] < FOLDS:
        what = f"label {counts['label'][0]!r} has {counts['count'][0]} records outside the test split"
        raise UserError(what, str(LABELLED), f"collect or label at least {FOLDS} of each of two labels")
    truth = frame["label"].replace_strict({name: i for i, name in enumerate(names)}, return_dtype=pl.Int64).to_numpy()
    scored = out_of_sample(input_of(product).matrix(frame, product), truth)
    ranked = likely_label_errors(scored, truth, by="confidence")
    rows = listed(frame, ranked, [names[i] for i in scored.argmax(axis=1)])
    return [{**row, "confidence": round(float(scored[i, truth[i]]), 4)} for row, i in zip(rows, ranked, strict=True)]


def listed(frame: pl.DataFrame, ranked: np.ndarray, says: list[str]) -> list[dict[str, object]]:
    """Return the rows of the list for the records at the places ``ranked``; ``says`` is the model's word of each."""
    shown = frame.select("id", "label", model_says=pl.Series(says, dtype=pl.String), labelled_by="labelled_by")
    return shown[ranked].to_dicts()


def check_enough(frame: pl.DataFrame, what: str) -> None:
    """Raise a ``UserError`` where too few records have ``what`` to fit on some and to judge the others."""
    if len(frame) < FEW:
        found = f"{len(frame)} records outside the test split have {what}"
        raise UserError(found, str(LABELLED), f"collect or label at least {FEW}")


def doubted(frame: pl.DataFrame, product: Product) -> list[dict[str, object]]:
    """Return id, label and what the ``model_says`` of sets in which a label is likely wrong or lacking, the least
    likely first.

    Raises:
        UserError: if there are too few records to fit and to predict.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    check_enough(frame, "labels")
    answer, names = answer_of(product), product.formulation.label_names
    truth, inputs = answer.truth(frame["label"].to_list(), product), input_of(product).matrix(frame, product)
    model = make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression(max_iter=300)))
    flat, folds = inputs.reshape(len(inputs), -1).astype(np.float64), KFold(FOLDS, shuffle=True, random_state=0)
    outputs = cross_val_predict(model, flat, truth.astype(int), cv=folds, method="predict_proba").astype(np.float32)
    says = [answer.to_text([names[i] for i in np.flatnonzero(row >= 0.5)], product) for row in outputs]
    return listed(frame, answer.suspects(outputs, truth), says)


def far_off(frame: pl.DataFrame, product: Product) -> list[dict[str, object]]:
    """Return id, label and what the ``model_says`` of numbers that are likely wrong, the most suspicious first.

    Raises:
        UserError: if there are too few records to fit and to predict.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.model_selection import KFold, cross_val_predict

    check_enough(frame, "a number")
    answer = answer_of(product)
    truth, inputs = answer.truth(frame["label"].to_list(), product), input_of(product).matrix(frame, product)
    folds = KFold(FOLDS, shuffle=True, random_state=0)
    model = HistGradientBoostingRegressor(max_iter=60, early_stopping=False, random_state=0)
    said = cross_val_predict(model, inputs.reshape(len(inputs), -1), truth, cv=folds).astype(np.float32)
    outputs = np.repeat(said[:, np.newaxis], answer.width(product), axis=1)  # without an interval: in one unit
    return listed(frame, answer.suspects(outputs, truth), [answer.to_text(float(one), product) for one in said])


def reviewed() -> set[str]:
    """Return the records at which somebody looked in a round for a second look."""
    rounds = [one.name for one in read_all().values() if one.kind in LOOKED_AT]
    return set(annotations().filter(pl.col("round").is_in(rounds))["id"])


def track_record(product: Product) -> dict[str, Any]:
    """Return how many suspects reviews have judged, how many labels were wrong, the share, and its 95 % interval.

    A label was wrong where the review says something else than annotators had said before, or else the source.
    """
    everything, judged, wrong = annotations(), 0, 0
    everything = everything.with_columns(pl.col("label").replace(product.formulation.renames))
    for one in (one for one in read_all().values() if one.kind == "review"):
        asked = [record for record, why in one.items.items() if why == SUSPECT]
        about = everything.filter(pl.col("id").is_in(asked))
        now = majority(votes(about.filter(pl.col("round") == one.name))).select("id", now="label")
        earlier = about.filter(
            (pl.col("round") != one.name) & (pl.col("annotated_at") < datetime.fromisoformat(one.made_at))
        )
        before = majority(votes(earlier)).select("id", before="label", people=pl.lit(True))
        asked_now = raw().filter(pl.col("id").is_in(now["id"].to_list()))
        source = asked_now.select("id", source_label=of_source(product)).collect()
        both = now.join(before, on="id", how="left").join(source, on="id", how="left")
        was = pl.when("people").then("before").otherwise("source_label")
        kind = pl.Float64() if answer_of(product).SCALE == "interval" else pl.String()  # 7 and 7.0 are one number
        other = pl.col("now").cast(kind, strict=False).ne_missing(was.cast(kind, strict=False))
        judged, wrong = judged + len(both), wrong + both.filter(other).height
    if not judged:
        return NEVER
    return {"reviewed": judged, "wrong": wrong, "share": wrong / judged, "interval": wilson(wrong, judged)}


def told(record: dict[str, Any]) -> str:
    """Say how far the list can be trusted."""
    if not record["reviewed"]:
        return words("how many of them are wrong is not known before a review round has labelled some")
    text = "of %(reviewed)s suspects that reviews have judged so far %(wrong)s were wrong: %(share)s (%(between)s)"
    return words(text, **record | {"share": share(record["share"]), "between": between(record["interval"])})


def run(config: Config) -> None:
    """Write the list and say how to use it, and how sure it is."""
    plan = plan_of(config.split)
    parts = [batch.filter(~placed(batch, plan)["test"]) for batch in read_batches(LABELLED, ROWS)]
    product = load()
    seen, record = reviewed(), track_record(product)
    doubts = {"classifier": suspects, "multilabel": doubted}.get(answer_of(product).ESTIMATOR, far_off)
    found = [row for row in doubts(pl.concat(parts), product) if row["id"] not in seen]
    write_json(SUSPECTS, {"suspects": found, "track_record": record})
    print(f"suspects: {len(found)} labels are likely wrong, see {SUSPECTS} and make agreement")
    print(f"  {told(record)}")
    print("next: make round NAME=<name> KIND=review")


if __name__ == "__main__":
    stage(run, "annotation")
