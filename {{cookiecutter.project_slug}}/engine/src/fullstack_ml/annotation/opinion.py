"""What the current model says of records: its label, how unsure it is, and how strange they are to it.

Reads ``data/raw`` and ``models/model.onnx``; writes nothing. Where there is no model there is no opinion, and rounds
are drawn at random.
"""

import json
from collections.abc import Collection

import numpy as np
import onnxruntime as ort
import polars as pl

from fullstack_ml.inputs import input_of
from fullstack_ml.pipeline.tables import raw
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
    session = ort.InferenceSession(str(MODEL), providers=["CPUExecutionProvider"])
    names, name = json.loads(session.get_modelmeta().custom_metadata_map["labels"]), session.get_inputs()[0].name
    parts = []
    records = raw().filter(pl.col("id").is_in(list(ids))).collect()
    for batch in records.iter_slices(BATCH):
        scored, novelty = session.run(["probabilities", "novelty"], {name: input_of(product).matrix(batch, product)})
        says = [names[i] for i in scored.argmax(axis=1)]
        columns = {"says": pl.Series(says, dtype=pl.String), "unsure": unsure(scored), "novel": novelty}
        parts.append(batch.select("id").with_columns(**columns))
    return pl.concat(parts)
