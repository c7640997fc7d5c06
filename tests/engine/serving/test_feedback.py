"""What people say of a prediction: kept once, never overwritten."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from fullstack_ml.product import types as product

UNKNOWN = "0" * 32


@pytest.fixture
def said(client: TestClient, asked: Callable[[int], Any], product: product.Product) -> dict[str, Any]:
    """A prediction was made; this is feedback to it."""
    answer = client.post("/v1/predict", json={"records": asked(1)}).json()["predictions"][0]
    label = product.formulation.label_names[0]
    return {"prediction_id": answer["prediction_id"], "answer": label, "who": "reviewer"}


def test_feedback_stands_beside_its_prediction(client: TestClient, said: dict[str, Any]) -> None:
    assert client.post("/v1/feedback", json=said).status_code == 200
    (found,) = client.get(f"/v1/predictions/{said['prediction_id']}").json()["feedback"]
    assert {name: found[name] for name in said} == said


def test_the_same_word_twice_is_one_row(client: TestClient, said: dict[str, Any], logged: Any) -> None:
    first, second = (client.post("/v1/feedback", json=said) for _ in range(2))
    assert first.json() == second.json()
    assert len(logged("SELECT * FROM feedback")) == 1


def test_the_first_word_is_told_again_and_not_that_on_another_prediction_or_of_somebody_else(
    client: TestClient, said: dict[str, Any], asked: Callable[[int], Any], product: product.Product
) -> None:
    second = client.post("/v1/predict", json={"records": asked(1)}).json()["predictions"][0]["prediction_id"]
    other = product.formulation.label_names[1]
    first = client.post("/v1/feedback", json=said).json()
    for word in ({"prediction_id": second, "answer": other}, {"who": "another", "answer": other}):
        assert client.post("/v1/feedback", json=said | word).status_code == 200
    again = client.post("/v1/feedback", json=said)
    assert (again.status_code, again.json()) == (200, first)


def test_another_word_of_the_same_person_is_a_conflict(
    client: TestClient, said: dict[str, Any], product: product.Product, logged: Any
) -> None:
    other = {**said, "answer": product.formulation.label_names[1]}
    client.post("/v1/feedback", json=said)
    assert client.post("/v1/feedback", json=other).status_code == 409
    assert client.post("/v1/feedback", json={**other, "who": "somebody else"}).status_code == 200
    assert [row["answer"] for row in logged("SELECT * FROM feedback ORDER BY who")] == [said["answer"], other["answer"]]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"prediction_id": UNKNOWN}, 404),
        ({"prediction_id": "x"}, 422),
        ({"answer": "no such label"}, 422),
        ({"who": ""}, 422),
        ({"more": 1}, 422),
    ],
)
def test_feedback_that_fits_nothing_is_a_problem(
    client: TestClient, said: dict[str, Any], change: dict[str, Any], status: int
) -> None:
    answer = client.post("/v1/feedback", json=said | change)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_an_unknown_prediction_is_not_found(client: TestClient) -> None:
    assert client.get(f"/v1/predictions/{UNKNOWN}").status_code == 404
    assert client.get("/v1/predictions/nothing").status_code == 422
