"""Ask the version that answered once more: what was logged has to come out again, of the very input that was logged.

Reads the prediction log and the registry; writes nothing.
"""

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa

from fullstack_ml.artefact.session import Artefact
from fullstack_ml.audit.answers import opened
from fullstack_ml.audit.proof import Proof, today
from fullstack_ml.inputs import input_of
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.sentences import sentence

if TYPE_CHECKING:
    from fullstack_ml.audit.evidence import Evidence

ROWS = 200
TOLERANCE = 1e-4  # of novelty, relative: another machine adds in another order


def decoded(stored: bytes, product: Product) -> np.ndarray:
    """Return the model's input for what the log keeps of one record."""
    given = input_of(product)
    record: Any = stored
    if not given.FORM_FIELD:
        text, columns = stored.decode(), list(given.columns(product))
        fields = json.loads(text) if len(columns) > 1 or text.startswith("{") else {columns[0]: text}
        record = given.record_type(product).model_validate(fields)
    inputs, *_ = given.decoder(product)(given.opened([record])[1], math.inf)
    return inputs


def newest() -> list[dict[str, Any]]:
    """Return the newest answers whose input was kept."""
    with opened() as log:
        if log is None:
            return []
        connection, said, _ = log
        kept = sa.select(said).where(said.c.input.is_not(None), said.c.novelty.is_not(None))
        rows = connection.execute(kept.order_by(said.c.prediction_id.desc()).limit(ROWS))
        return [dict(row) for row in rows.mappings()]


def recomputed(evidence: "Evidence") -> list[Proof]:
    """Return as proof that logged answers come out again; nothing where one does not, or there is none to try."""
    artefacts: dict[str, Artefact] = {}
    count = 0
    for row in newest():
        number = row["model_version"]
        if number not in [version.number for version in evidence.versions] or evidence.registry is None:
            continue
        if number not in artefacts:
            artefacts[number] = Artefact(evidence.registry.artefact(number))
        scored = artefacts[number].score(decoded(row["input"], evidence.product))
        if not math.isclose(float(scored.novelty[0]), row["novelty"], rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            return []
        said = artefacts[number].answer.text(scored.outputs, artefacts[number].rule, evidence.product)[0]
        if said != row["answer"]:
            return []
        count += 1
    what = sentence("%(count)s logged answers computed again, all alike", count=count)
    return [Proof(what, "the prediction log", today())] if count else []
