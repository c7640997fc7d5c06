"""List likely label errors, for a review round.

Reads ``data/labelled.parquet``; writes ``reports/suspects.json``. Confident learning (C. G. Northcutt, L. Jiang and
I. L. Chuang 2021, Journal of Artificial Intelligence Research 70), on the probabilities that a logistic
regression gives to records it was not fitted on. The test split is left out: to clean it by what a model doubts would
make the test easier for models. Run: ``make suspects``, then ``make round NAME=check KIND=review``.
"""

import numpy as np
import polars as pl

from fullstack_ml.answers import answer_of
from fullstack_ml.answers.label.confident import likely_label_errors
from fullstack_ml.data.split.when import placed, plan_of
from fullstack_ml.inputs import input_of
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.pipeline.tables import read_batches
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import write_json
from fullstack_ml.workspace.paths import LABELLED, SUSPECTS

FOLDS, ROWS = 5, 50_000


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
        UserError: if the answer is no label, or a label has too few records to fit and to predict.
    """
    kind = product.formulation.answer.type
    if answer_of(product).ESTIMATOR != "classifier":
        fix = "look at the worst errors in reports/analysis.html instead"
        raise UserError(f"an answer of type {kind} is no label", "product.yaml, formulation.answer.type", fix)
    names = frame["label"].unique().sort().to_list()
    counts = frame["label"].value_counts().sort("count")
    if len(names) < 2 or counts["count"][0] < FOLDS:
        what = f"label {counts['label'][0]!r} has {counts['count'][0]} records outside the test split"
        raise UserError(what, str(LABELLED), f"collect or label at least {FOLDS} of each of two labels")
    truth = frame["label"].replace_strict({name: i for i, name in enumerate(names)}, return_dtype=pl.Int64).to_numpy()
    scored = out_of_sample(input_of(product).matrix(frame, product), truth)
    ranked = likely_label_errors(scored, truth, by="confidence")
    return [
        {"id": frame["id"][i], "label": names[truth[i]], "model_says": names[scored[i].argmax()]}
        | {"confidence": round(float(scored[i, truth[i]]), 4), "labelled_by": frame["labelled_by"][i]}
        for i in ranked.tolist()
    ]


def run(config: Config) -> None:
    """Write the list and say how to use it."""
    plan = plan_of(config.split)
    parts = [batch.filter(~placed(batch, plan)["test"]) for batch in read_batches(LABELLED, ROWS)]
    found = suspects(pl.concat(parts), load())
    write_json(SUSPECTS, {"suspects": found})
    print(f"suspects: {len(found)} labels are likely wrong, see {SUSPECTS} and make agreement")
    print("next: make round NAME=<name> KIND=review")


if __name__ == "__main__":
    stage(run, "annotation")
