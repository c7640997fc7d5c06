"""What the current model says of records: its answer, how unsure it is, and how strange they are to it.

Reads ``data/raw`` and ``models/model.onnx``; writes nothing. Where there is no model there is no opinion, and rounds
are drawn at random.
"""

from collections.abc import Collection

import polars as pl

from fullstack_ml.artefact.session import Artefact
from fullstack_ml.inputs import input_of
from fullstack_ml.pipeline.tables import raw_records
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.paths import MODEL

BATCH = 4096


def ask(ids: Collection[str], product: Product) -> pl.DataFrame | None:
    """Ask the model about records: id, ``says`` (its answer), ``certainty`` (its
    probability, where the answer has one), ``unsure``, ``novel``; None where there is no model."""
    if not MODEL.exists() or not len(ids):
        return None
    model, record, parts = Artefact(MODEL), input_of(product), []
    records = raw_records(ids)
    for batch in records.iter_slices(BATCH):
        scored = model.score(record.matrix(batch, product))
        says = pl.Series("says", model.answer.text(scored.outputs, model.rule, product), dtype=pl.String)
        beside = zip(says, model.answer.scores(scored.outputs, product), strict=True)
        sure = [scores.get(said) if isinstance(scores, dict) else None for said, scores in beside]
        certainty = pl.Series(sure, dtype=pl.Float64)
        unsure = pl.Series(model.answer.unsure(scored.outputs), dtype=pl.Float64)
        parts.append(batch.select("id").with_columns(says, certainty=certainty, unsure=unsure, novel=scored.novelty))
    return pl.concat(parts)
