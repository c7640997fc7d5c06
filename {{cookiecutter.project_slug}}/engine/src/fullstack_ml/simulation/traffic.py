"""Users of the simulated month: they send records to the server, some correct an answer, some of them wrongly.

Asks the server of the copy over HTTP; reads and writes nothing else. What a record really is, is the truth of the
records that were held back; labels of a random sample come as ``drawn``, corrections as ``noticed``.
"""

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
import numpy as np
import polars as pl

from fullstack_ml.answers import answer_of
from fullstack_ml.inputs import input_of
from fullstack_ml.product.types import Product

CALLERS = 60
NOTICED = 0.6  # of the wrong answers that people got
MISTAKEN = 0.02  # of the right ones: users who correct what was right
TYPED = 0.3  # of the records that the model gave back: users say themselves what they are
WORST = 0.25  # of all answers, at most so many are noticeably wrong
SURVEYOR = "survey"  # who judges the random sample


@dataclass
class Sent:
    """What was sent and answered: ids, answers as texts (None: the model abstained), truths; one entry per record."""

    ids: list[str] = field(default_factory=list)
    answers: list[str | None] = field(default_factory=list)
    arms: list[str] = field(default_factory=list)
    truths: list[str] = field(default_factory=list)
    corrected: int = 0
    mistaken: int = 0
    typed: int = 0
    labelled: int = 0

    @property
    def answered(self) -> int:
        """Count the records that the model did not give back."""
        return sum(answer is not None for answer in self.answers)


def body(record: dict[str, Any], product: Product) -> dict[str, Any]:
    """Return the arguments of a request with one record: a file of a form, or a row as JSON."""
    if name := input_of(product).FORM_FIELD:
        (payload,) = record.values()
        return {"files": [(name, ("record", payload))]}
    return {"content": json.dumps({"records": [record]}, default=str), "headers": {"content-type": "application/json"}}


def send(client: httpx.Client, records: pl.DataFrame, product: Product, random: Random) -> Sent:
    """Send records one by one, each for one of many callers; what is refused is left out."""
    sent = Sent()
    for record in records.iter_rows(named=True):
        truth = record.pop("label")
        request = body(record, product)
        caller = {"x-caller": f"user-{random.randrange(CALLERS)}"}
        answer = client.post("/v1/predict", **{**request, "headers": {**request.get("headers", {}), **caller}})
        entry = answer.raise_for_status().json()["predictions"][0]
        if "errors" in entry:
            continue
        said = None if entry["answer"] is None else answer_of(product).to_text(entry["answer"], product)
        sent.ids.append(entry["prediction_id"])
        sent.answers.append(said)
        sent.arms.append(entry["arm"])
        sent.truths.append(truth)
    return sent


def badness(sent: Sent, product: Product) -> np.ndarray:
    """Return how wrong every answer was, 0 where it was right or there was none."""
    answer = answer_of(product)
    given = np.array([one is not None for one in sent.answers])
    said = [truth if one is None else one for one, truth in zip(sent.answers, sent.truths, strict=True)]
    found = answer.judge(said, sent.truths)
    return np.where(given, 1 - found if answer.METRICS[answer.MAIN].better == "higher" else found, 0.0)


def tell(client: httpx.Client, name: str, text: str, who: str, how: str, product: Product) -> None:
    """Send a word on one prediction."""
    said = {"prediction_id": name, "answer": answer_of(product).from_text(text, product), "who": who, "how": how}
    client.post("/v1/feedback", json=said).raise_for_status()


def react(client: httpx.Client, sent: Sent, product: Product, random: Random, judged: float) -> None:
    """Let users correct what they notice, some of them wrongly, and have a random share of all records judged."""
    wrong = badness(sent, product)
    noticeable = set(np.argsort(-wrong, kind="stable")[: int(WORST * len(wrong))]) & set(np.flatnonzero(wrong > 0))
    for i, (name, answer, truth) in enumerate(zip(sent.ids, sent.answers, sent.truths, strict=True)):
        other, user = random.choice(sent.truths), f"user {i}"
        if answer is None and random.random() < TYPED:
            tell(client, name, truth, user, "noticed", product)
            sent.typed += 1
        elif i in noticeable and random.random() < NOTICED:
            tell(client, name, truth, user, "noticed", product)
            sent.corrected += 1
        elif answer not in (None, other) and i not in noticeable and random.random() < MISTAKEN:
            tell(client, name, other, user, "noticed", product)
            sent.mistaken += 1
        if random.random() < judged:
            tell(client, name, truth, SURVEYOR, "drawn", product)
            sent.labelled += 1
