"""A short text in a table is learned from, and the server, the page and the pipeline read it alike."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from omegaconf import DictConfig, OmegaConf
from pydantic import SecretStr
from starlette.testclient import TestClient

from fullstack_ml.inputs import table, texts
from fullstack_ml.product import contract
from fullstack_ml.serving import app, settings
from laid import requirement

pytestmark = pytest.mark.task("tabular-classification")
# The word that decides stands among others, with the endings that people give it.
WORDS = {
    "late": ["late", "Late!", "later", "배송이", "배송은", "🚚"],
    "broken": ["broken", "BROKEN", "broke", "파손된", "파손이", "💥"],
}
PARTS = ["ba", "to", "mi", "ren", "ku", "sol", "가", "나", "도", "리", "무", "산"]
OTHERS = [first + second for first in PARTS for second in PARTS]


def draw_complaints(count: int = 1200) -> pl.DataFrame:
    """Draw complaints of a few words, one of which says what is wrong; one in twenty says nothing."""
    random = np.random.default_rng(0)
    rows = []
    for label in random.choice(list(WORDS), count):
        words = [*random.choice(OTHERS, random.integers(3, 9)), random.choice(WORDS[label])]
        rows.append((" ".join(random.permutation(words)) if random.random() > 0.05 else "", label))
    return pl.DataFrame(rows, schema=["complaint text", "label"], orient="row")


def ask_for_complaints(written: dict[str, Any]) -> None:
    """Ask what is wrong from what somebody wrote."""
    note = {"name": "complaint", "column": "complaint text", "type": "text", "length": 120, "missing": "allowed"}
    written["formulation"]["input"]["features"] = [{**note, "meaning": "what somebody wrote"}]
    written["formulation"]["answer"]["labels"] = [{"name": name, "definition": name} for name in sorted(WORDS)]
    written["requirements"] = [requirement("R1", "accuracy", 0.9)]


@pytest.fixture(scope="module")
def complaints(lay_own: Callable[..., tuple[Path, DictConfig]]) -> tuple[Path, DictConfig]:
    """A project whose only feature is a text."""
    own, chosen = lay_own(ask_for_complaints, draw_complaints())
    chosen.model = OmegaConf.load(own / "conf/model/logistic.yaml")
    return own, chosen


def test_a_table_of_texts_is_learned_and_answered(
    stages: Callable[..., None], complaints: tuple[Path, DictConfig]
) -> None:
    own, chosen = complaints
    stages(chosen, own)
    verdicts = json.loads(Path("reports/acceptance.json").read_text(encoding="utf-8"))
    assert verdicts["accepted"], "every word that decides has a label of its own: only the empty ones are guessed"
    served = settings.Settings(model="models/model.onnx", database_url=SecretStr("sqlite:///predictions.db"))
    with TestClient(app.create_app(served), "http://localhost") as client:
        asked = ["batomi was broken", "도리 파손됐어요 가산", "it came late", "배송도 무나", None]
        answer = client.post("/v1/predict", json={"records": [{"complaint": text} for text in asked]})
        assert answer.status_code == 200, answer.text
        scores = [one["scores"] for one in answer.json()["predictions"]]
        assert [max(one, key=one.get) for one in scores[:4]] == ["broken", "broken", "late", "late"]
        for wrong in ("", "x" * 121, 7):
            refused = client.post("/v1/predict", json={"records": [{"complaint": wrong}]})
            assert refused.status_code == 422, wrong
            assert "complaint" in refused.text


def test_a_stored_text_and_one_of_a_request_are_the_same(complaints: tuple[Path, DictConfig]) -> None:
    product = contract.load(complaints[0] / "product.yaml")
    given = ["Where is it?", None, "배송이 늦어요 🚚", " \n"]
    stored = pl.DataFrame({"complaint": given}, schema=table.columns(product))
    record = table.record_type(product)
    inputs, names, _ = table.decoder(product)([record.model_validate({"complaint": text}) for text in given], 0.0)
    assert np.array_equal(inputs, table.matrix(stored, product), equal_nan=True)
    assert names == table.content_id(stored, product).to_list()
    assert len(set(names)) == len(given), "other words are another record, also where the buckets are the same"


def test_a_term_falls_into_the_bucket_of_its_checksum() -> None:
    # 0xCBF43926 is what every CRC-32 gives for these nine digits: its last byte is 0x26.
    made = texts.as_buckets(["123456789", None])
    assert made[0, 0x26] == 1
    assert made[0].sum() == 3, "the word, and its first two and four letters"
    assert not made[1].any()


def test_words_are_told_apart_by_what_people_read() -> None:
    assert texts.words_of("\uff21\uff11, don't-STOP\u2026") == ["a1", "don", "t", "stop"]
    assert texts.words_of("ÉTÉ 배송이\t①") == ["été", "배송이", "1"]


@pytest.mark.parametrize(
    ("feature", "what"),
    [
        ({"type": "text", "low": 0}, "is a text and has a low"),
        ({"type": "text", "values": ["a"]}, "is a text and has values"),
        ({"type": "number", "low": 0, "high": 1, "length": 5}, "is a number and has a length"),
    ],
)
def test_what_does_not_go_with_a_text_is_said(
    lay_own: Callable[..., tuple[Path, DictConfig]], refused: Any, feature: dict[str, Any], what: str
) -> None:
    def change(written: dict[str, Any]) -> None:
        ask_for_complaints(written)
        written["formulation"]["input"]["features"] = [{"name": "note", "meaning": "m", **feature}]

    own, _ = lay_own(change, pl.DataFrame({"note": ["a"]}))
    with refused(what, "product.yaml"):
        contract.load(own / "product.yaml")


def test_a_text_that_is_too_long_is_a_violation(complaints: tuple[Path, DictConfig]) -> None:
    from fullstack_ml.data.validate.features import violations

    product = contract.load(complaints[0] / "product.yaml")
    frame = pl.DataFrame({"id": ["a", "b", "c"], "complaint": ["fine", "🚚" * 120, "🚚" * 121]})
    ((rule, record, _),) = violations(frame, product)
    assert (rule, record) == ("complaint too long", "c")
