"""What moved an answer, for ``POST /v1/predict?explain=true``: the model is asked again without each part of a record.

Reads and writes nothing; what is asked here is not on record. The page of a text does the same
(``edge/page/words.js``).
"""

from typing import Any

import numpy as np
import orjson

from fullstack_ml.inputs import Input
from fullstack_ml.serving.model import Served
from fullstack_ml.serving.problem import Problem

ASKED = b"explain=true"
RECORDS = 16  # of one request: each is asked some dozens of times
Told = dict[str, Any]


def asked(query: bytes) -> bool:
    """Say whether the query string of a request asks for it."""
    return ASKED in query.split(b"&")


def effects(served: Served, input_: Input, values: np.ndarray) -> Told | None:
    """Return what the record ``values`` says most, and by how much each part moves it; None where it has no parts.

    An effect is the output less what it is without the part, the largest first (leave one out: Li, Monroe and Jurafsky
    2016, Understanding Neural Networks through Representation Erasure).
    """
    parts = list(input_.omissions(served.product, values))
    if not parts:
        return None
    whole = values[np.newaxis]
    outputs = served.artefact.score(np.concatenate([whole, *(leave(whole) for _, leave in parts)])).outputs
    place, name = served.artefact.foremost(outputs[0])
    said, without = float(outputs[0, place]), outputs[1:, place].astype(float)
    if not np.isfinite([said, *without]).all():
        return None
    rows = [{"part": part, "effect": said - left} for (part, _), left in zip(parts, without.tolist(), strict=True)]
    return {"of": name, "value": said, "parts": sorted(rows, key=lambda row: -abs(row["effect"]))}


def refuse_many(count: int) -> None:
    """Stop a request of more records than can be explained at once.

    Raises:
        Problem: 413.
    """
    if count > RECORDS:
        raise Problem(413, f"{count} records; {ASKED.decode()} takes up to {RECORDS} in a request")


def with_effects(answer: bytes, arms: dict[str, Served], input_: Input, inputs: np.ndarray) -> bytes:
    """Put ``moved_by`` behind each prediction of an answer; ``inputs`` are its records in the same order."""
    entries = orjson.loads(answer)["predictions"]
    for entry, values in zip(entries, inputs, strict=True):
        served = arms.get(entry["arm"])
        same = served is not None and served.version.version == entry["model_version"]  # it may have changed meanwhile
        entry["moved_by"] = effects(served, input_, values) if served is not None and same else None
    return orjson.dumps({"predictions": entries})
