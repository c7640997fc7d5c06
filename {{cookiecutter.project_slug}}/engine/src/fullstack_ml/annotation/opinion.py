"""What the current model says of records: its label, how unsure it is, and how strange they are to it.

Reads ``data/raw`` and ``models/model.onnx``; writes nothing. Where there is no model there is no opinion, and rounds
are drawn at random.
"""

from collections.abc import Collection

import numpy as np
import polars as pl

from fullstack_ml.artefact.session import Artefact
from fullstack_ml.inputs import input_of
from fullstack_ml.pipeline.tables import raw_records
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.paths import MODEL

BATCH = 4096


def unsure(probabilities: np.ndarray) -> np.ndarray:
    """One minus the distance between the two most probable labels (Scheffer et al. 2001): 1 is a tie."""
    top = np.sort(probabilities, axis=1)[:, -2:]
    result: np.ndarray = 1 - (top[:, 1] - top[:, 0])
    return result


def ask(ids: Collection[str], product: Product) -> pl.DataFrame | None:
    """Ask the model about records: id, ``says`` (its label), ``unsure`` and ``novel``; None where there is no model."""
    if not MODEL.exists() or not len(ids):
        return None
    model, record, parts = Artefact(MODEL), input_of(product), []
    records = raw_records(ids)
    for batch in records.iter_slices(BATCH):
        scored = model.score(record.matrix(batch, product))
        says = [model.labels[i] for i in scored.outputs.argmax(axis=1)]
        answers = pl.Series("says", says, dtype=pl.String)
        parts.append(batch.select("id").with_columns(answers, unsure=unsure(scored.outputs), novel=scored.novelty))
    return pl.concat(parts)
