"""What a client gets for a record, and what it gets for anything else."""

import asyncio
import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image
from starlette.testclient import TestClient

from fullstack_ml.answers.label import rule as decision
from fullstack_ml.artefact import session as artefact
from fullstack_ml.inputs import input_of
from fullstack_ml.product import types as product
from fullstack_ml.serving import telemetry
from fullstack_ml.workspace import paths

Asked = Callable[[int], list[dict[str, Any]]]
Logged = Callable[..., list[dict[str, Any]]]
Serve = Callable[..., Any]


def test_the_example_of_the_page_is_answered(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    example = described["components"]["schemas"]["PredictRequest"]["example"]
    answer = client.post("/v1/predict", json=example)
    assert answer.status_code == 200, answer.text
    assert client.get("/docs").status_code == 200


def test_what_has_no_part_to_leave_out_is_answered_and_says_nothing_of_parts(client: TestClient, asked: Asked) -> None:
    answers = client.post("/v1/predict?explain=true", json={"records": asked(3)}).json()["predictions"]
    plain = client.post("/v1/predict?explain=false", json={"records": asked(3)}).json()["predictions"]
    assert [one.pop("moved_by") for one in answers] == [None] * 3
    assert [one["scores"] for one in answers] == [one["scores"] for one in plain]
    assert all("moved_by" not in one for one in plain)
    described = client.get("/openapi.json").json()
    assert "moved_by" in described["components"]["schemas"]["PredictionAnswer"]["properties"]
    assert [one["name"] for one in described["paths"]["/v1/predict"]["post"]["parameters"]] == ["explain"]


def test_server_and_evaluation_give_the_same_answers(
    client: TestClient, records: pl.DataFrame, product: product.Product, asked: Asked
) -> None:
    expected = artefact.Artefact(paths.MODEL).score(input_of(product).matrix(records.head(40), product))
    rule = artefact.Artefact(paths.MODEL).rule
    words = decision.decide(expected.outputs, expected.novelty, rule).tolist()
    answers = client.post("/v1/predict", json={"records": asked(40)}).json()["predictions"]
    for answer, shares, novelty, word in zip(answers, expected.outputs, expected.novelty, words, strict=True):
        assert np.allclose(list(answer["scores"].values()), shares, atol=1e-6)
        assert answer["novelty"] == pytest.approx(float(novelty), abs=1e-5)
        assert answer["reason"] == (None if word == "accept" else word)
        best = product.formulation.label_names[int(shares.argmax())]
        assert answer["answer"] == (best if word == "accept" else None)
    assert {answer["decision"] for answer in answers} == {"accept", "abstain"} or len(set(words)) == 1


def test_every_answer_is_on_record_under_the_id_of_the_training_data(
    client: TestClient, logged: Logged, asked: Asked, records: pl.DataFrame
) -> None:
    answers = client.post("/v1/predict", json={"records": asked(3)}).json()["predictions"]
    rows = {row["prediction_id"]: row for row in logged()}
    # The first half of an id is the content's; of a table's row the second half names the row, which a request has not.
    hashed = [rows[answer["prediction_id"]]["input_sha256"] for answer in answers]
    assert [one[:32] for one in hashed] == records["id"].head(3).str.head(32).to_list()
    assert all(json.loads(rows[a["prediction_id"]]["scores"]) == a["scores"] for a in answers)
    found = client.get(f"/v1/predictions/{answers[1]['prediction_id']}").json()
    assert {name: found[name] for name in answers[1]} == answers[1]


def test_records_in_one_request_are_answered_like_single_ones(client: TestClient, asked: Asked) -> None:
    together = client.post("/v1/predict", json={"records": asked(5)}).json()["predictions"]
    alone = [client.post("/v1/predict", json={"records": [one]}).json()["predictions"][0] for one in asked(5)]
    assert [a["answer"] for a in together] == [a["answer"] for a in alone]


@pytest.mark.parametrize(("privacy", "kept"), [("internal", True), ("personal", False)])
def test_a_personal_payload_is_only_hashed(
    finished: Path, serve: Serve, logged: Logged, asked: Asked, privacy: str, kept: bool
) -> None:
    text = paths.PRODUCT.read_text(encoding="utf-8")
    paths.PRODUCT.write_text(text.replace("privacy: public", f"privacy: {privacy}"), encoding="utf-8")
    with serve() as client:
        client.post("/v1/predict", json={"records": asked(1)})
    (row,) = logged()
    assert (row["input"] is not None) is kept
    assert len(row["input_sha256"]) == 64


def test_the_log_knows_a_caller_by_a_pseudonym_alone(client: TestClient, asked: Asked, logged: Logged) -> None:
    for name in ("kim@example.com", "kim@example.com", "lee@example.com"):
        client.post("/v1/predict", json={"records": asked(1)}, headers={"X-Caller": name})
    rows = logged("SELECT * FROM predictions ORDER BY requested_at")
    first, again, other = (row["caller"] for row in rows)
    assert first == again != other
    assert all(len(name) == 16 and "@" not in name for name in (first, other))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"records": []}', 422),
        (b'{"records": [{}]}', 422),
        (b'{"records": [{"unknown": 1}]}', 422),
        (b'{"records": "many"}', 422),
        (b'{"records": [NaN]}', 422),
        (b'{"records": [{}], "more": 1}', 422),
    ],
)
def test_a_mistake_is_a_problem_and_leaves_no_row(client: TestClient, logged: Logged, body: bytes, status: int) -> None:
    answer = client.post("/v1/predict", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert status == 400 or problem["errors"][0]["pointer"][:1] in ("", "/")
    assert logged() == []


def test_a_bad_record_takes_no_answer_from_the_others(client: TestClient, logged: Logged, asked: Asked) -> None:
    good, before = asked(3), telemetry.REGISTRY.get_sample_value("refused_records_total") or 0
    unknown = {**good[1], "unknown": 1}
    answer = client.post("/v1/predict", json={"records": [{}, good[0], unknown, *good[1:], 7]})
    assert answer.status_code == 200, answer.text
    entries = answer.json()["predictions"]
    assert [sorted(entry) == ["errors"] for entry in entries] == [True, False, True, False, False, True]
    alone = client.post("/v1/predict", json={"records": good}).json()["predictions"]
    assert [entry["scores"] for entry in entries if "scores" in entry] == [entry["scores"] for entry in alone]
    field = next(iter(good[0]))
    assert f"/records/0/{field}" in [fault["pointer"] for fault in entries[0]["errors"]]
    (fault,) = entries[2]["errors"]
    assert fault["pointer"] == "/records/2/unknown"
    assert fault["detail"].startswith("record 2: unknown is no field here (known: ")
    assert entries[5]["errors"][0]["pointer"] == "/records/5"
    assert len(logged()) == 6
    assert telemetry.REGISTRY.get_sample_value("refused_records_total") == before + 3


def test_a_request_with_no_good_record_is_refused_whole(client: TestClient, logged: Logged) -> None:
    answer = client.post("/v1/predict", json={"records": [7, 8]})
    assert answer.status_code == 422
    assert {fault["pointer"][:10] for fault in answer.json()["errors"]} == {"/records/0", "/records/1"}
    assert logged() == []


def test_too_many_records_are_refused(serve: Serve, asked: Asked) -> None:
    with serve(max_rows=2) as client:
        assert client.post("/v1/predict", json={"records": asked(2)}).status_code == 200
        assert client.post("/v1/predict", json={"records": asked(3)}).status_code == 422


def test_a_body_is_refused_by_its_length_and_by_what_arrives(serve: Serve) -> None:
    with serve(max_body_bytes=100) as client:
        assert client.post("/v1/predict", content=b"x" * 101).status_code == 413

        def parts() -> Any:
            yield from [b"x" * 60] * 3  # sent in chunks, without a length

        assert client.post("/v1/predict", content=parts()).status_code == 413


def test_another_media_type_is_refused(client: TestClient) -> None:
    assert client.post("/v1/predict", content=b"a,b", headers={"content-type": "text/csv"}).status_code == 415


def test_a_request_that_does_not_arrive_is_given_up(finished: Path, serve: Serve) -> None:
    sent: list[dict[str, Any]] = []

    async def never() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    with serve(request_seconds=0.05) as client:
        scope: Any = {"type": "http", "method": "POST", "path": "/v1/predict", "headers": [], "client": None}
        asyncio.run(client.app(scope, never, send))
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


def test_a_key_is_asked_for_where_one_is_set(serve: Serve, asked: Asked) -> None:
    key = "c0ffee-and-a-tin"
    with serve(api_key=key) as client:
        refused = client.post("/v1/predict", json={"records": asked(1)}, headers={"X-API-Key": key[:-1]})
        assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")
        right = {"X-API-Key": key}
        assert client.post("/v1/predict", json={"records": asked(1)}, headers=right).status_code == 200
        assert client.get("/readyz").status_code == 200


def test_an_address_that_others_reach_needs_a_key_or_a_word(finished: Path, serve: Serve) -> None:
    with pytest.raises(ValueError, match="SERVE_API_KEY"), serve(host="0.0.0.0"):
        pass


@pytest.mark.parametrize(
    ("media", "body"),
    [
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=b", b""),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\n{}\r\n--b--\r\n',
        ),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\n\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", b"--b\r\nno header\r\n"),
    ],
)
def test_a_form_without_files_is_a_problem(client: TestClient, media: str, body: bytes) -> None:
    answer = client.post("/v1/predict", content=body, headers={"content-type": media})
    assert answer.status_code in (400, 415, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_file_of_a_form_is_answered_like_json(client: TestClient, asked: Asked) -> None:
    (record,) = asked(1)
    files = {name: ("record", base64.b64decode(value)) for name, value in record.items() if isinstance(value, str)}
    if not files:
        return  # a record that is a row has no file
    whole = client.post("/v1/predict", json={"records": [record]}).json()["predictions"][0]
    formed = client.post("/v1/predict", files=files).json()["predictions"][0]
    assert formed["scores"] == whole["scores"]


@pytest.mark.parametrize("payload", [b"", b"GIF89a", b"%PDF-1.7", b"<svg/>", b"\x89PNG\r\n\x1a\n" + b"\x00" * 40])
def test_what_is_no_picture_is_a_problem(client: TestClient, asked: Asked, payload: bytes) -> None:
    if "image" not in asked(1)[0]:
        return  # a record that is a row has no picture
    broken = {"image": base64.b64encode(payload).decode()}
    answer = client.post("/v1/predict", json={"records": [broken]})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/records/0/image")
    good = asked(2)
    entries = client.post("/v1/predict", json={"records": [{}, broken, *good, broken]}).json()["predictions"]
    assert [entry["errors"][0]["pointer"] for entry in entries if "errors" in entry] == [
        "/records/0/image",
        "/records/1/image",
        "/records/4/image",
    ]
    alone = client.post("/v1/predict", json={"records": good}).json()["predictions"]
    assert [entry["scores"] for entry in entries[2:4]] == [entry["scores"] for entry in alone]


def test_a_picture_that_unpacks_to_gigabytes_is_refused_unopened(client: TestClient, asked: Asked) -> None:
    if "image" not in asked(1)[0]:
        return
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    sent = {"records": [{"image": base64.b64encode(bomb.getvalue()).decode()}]}
    assert "pixels" in client.post("/v1/predict", json=sent).json()["detail"]
