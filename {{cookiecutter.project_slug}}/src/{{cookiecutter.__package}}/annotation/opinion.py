"""What the current model says of records: its label, how unsure it is, how far they are from what it was fitted on.

Reads ``data/raw``, ``models/model.onnx`` and ``data/splits/train.parquet``; writes nothing. Where the model or the
split is missing there is no opinion, and rounds are drawn at random.
"""

import json
from collections.abc import Collection

import numpy as np
import onnxruntime as ort
import polars as pl

from .. import task
from ..errors import UserError
from ..paths import MODEL, RAW, SPLITS
from ..product import Product
from ..records import shards

BATCH = 4096
# Records of the training split that stand for all of it when distances are measured.
REFERENCE = 5_000


def raw() -> pl.LazyFrame:
    """Open all raw records.

    Raises:
        UserError: if there are none.
    """
    if not shards(RAW):
        raise UserError("there are no raw records", str(RAW), "make collect")
    return pl.scan_parquet(shards(RAW))


def unsure(probabilities: np.ndarray) -> np.ndarray:
    """One minus the distance between the two most probable labels (Scheffer et al. 2001): 1 is a tie."""
    top = np.sort(probabilities, axis=1)[:, -2:]
    result: np.ndarray = 1 - (top[:, 1] - top[:, 0])
    return result


def novelty(inputs: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Distance to the nearest reference input, in standard deviations of the reference.

    A stand-in for a novelty score of the model itself: it sees raw inputs, not what the model makes of them.
    """
    from sklearn.neighbors import NearestNeighbors  # slow to import, and only rounds need it

    known, asked = (part.reshape(len(part), -1).astype(np.float32) for part in (reference, inputs))
    scale = known.std(axis=0) + 1e-6
    result: np.ndarray = NearestNeighbors(n_neighbors=1).fit(known / scale).kneighbors(asked / scale)[0][:, 0]
    return result


def ask(ids: Collection[str], product: Product, seed: int) -> pl.DataFrame | None:
    """Ask the model about records: id, ``says`` (its label), ``unsure`` and ``novel``; None where there is no model."""
    train = SPLITS / "train.parquet"
    if not MODEL.exists() or not train.exists() or not ids:
        return None
    records = raw().filter(pl.col("id").is_in(list(ids))).collect()
    session = ort.InferenceSession(str(MODEL), providers=["CPUExecutionProvider"])
    names = json.loads(session.get_modelmeta().custom_metadata_map["labels"])
    inputs, name = task.matrix(records, product), session.get_inputs()[0].name
    parts = [session.run(["probabilities"], {name: inputs[i : i + BATCH]})[0] for i in range(0, len(inputs), BATCH)]
    probabilities = np.concatenate(parts)
    known = pl.read_parquet(train)
    reference = task.matrix(known.sample(min(REFERENCE, len(known)), seed=seed), product)
    return records.select("id").with_columns(
        says=pl.Series([names[i] for i in probabilities.argmax(axis=1)], dtype=pl.String),
        unsure=unsure(probabilities),
        novel=novelty(inputs, reference),
    )
