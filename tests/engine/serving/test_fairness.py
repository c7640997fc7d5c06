"""What one caller sends takes nobody else's time: it is counted before it is decoded, and read off the event loop."""

import asyncio
import io
import json
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from fullstack_ml.serving.problem import Problem
from fullstack_ml.serving.turns import WAITING, Turns

pytestmark = pytest.mark.task("image-classification")
PACKED = {"TIFF": {"compression": "tiff_deflate"}}
Asked = Callable[[int], list[dict[str, Any]]]


def blank(kind: str, side: int = 2000) -> bytes:
    """Return a blank picture: a few hundred bytes that unpack to millions of pixels."""
    file = io.BytesIO()
    Image.new("L", (side, side), 255).save(file, kind, **PACKED.get(kind, {}))
    return file.getvalue()


def post(client: TestClient, pictures: list[bytes]) -> Any:
    """Send pictures as files of one form."""
    return client.post("/v1/predict", files=[("image", ("x", data, "image/png")) for data in pictures])


def longest_wait(client: TestClient, asked: Asked, send: Callable[[], Any]) -> tuple[Any, float]:
    """Return the answer to ``send``, and how long another caller waited meanwhile, in seconds."""
    answers: list[Any] = []
    heavy = threading.Thread(target=lambda: answers.append(send()))
    heavy.start()
    waits = [0.0]
    while heavy.is_alive():
        started = time.perf_counter()
        assert client.post("/v1/predict", json={"records": asked(1)}).status_code == 200
        waits.append(time.perf_counter() - started)
    return answers[0], max(waits)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "TIFF", "JPEG"])
def test_pictures_over_the_budget_are_refused_before_one_is_decoded(
    kind: str, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = [blank(kind)] * 40
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("decoded"))
    answer = post(client, pictures)
    assert answer.status_code == 413
    assert "160000000 pixels, more than 50000000 (SERVE_MAX_PIXELS)" in answer.json()["detail"]


def test_nobody_waits_while_a_large_request_is_decoded(client: TestClient, asked: Asked) -> None:
    answer, wait = longest_wait(client, asked, lambda: post(client, [blank("PNG")] * 12))
    assert answer.status_code == 200
    assert 0 < wait < 0.5


def test_a_request_that_takes_too_long_ends_between_two_pictures(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []
    whole = Image.Image.convert

    def slow(self: Image.Image, *arguments: Any, **options: Any) -> Image.Image:
        decoded.append(1)
        threading.Event().wait(0.2)
        return whole(self, *arguments, **options)

    pictures = [blank("PNG", 1000)] * 20
    with serve(request_seconds=0.3) as client:
        monkeypatch.setattr(Image.Image, "convert", slow)
        assert post(client, pictures).status_code == 503
    assert len(decoded) < 5


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/feedback"])
@pytest.mark.parametrize("place", ["request", "record", "one name"])
def test_mistakes_without_number_are_not_counted_one_by_one(
    path: str, place: str, client: TestClient, asked: Asked
) -> None:
    keys = {f"k{i}": 0 for i in range(300_000)} if place != "one name" else {"k " * 1_900_000: 0}
    [record] = asked(1)
    body = {"records": [record], **keys} if place == "request" else {"records": [{**record, **keys}]}
    text = json.dumps(body).encode()
    started = time.process_time()
    answer = client.post(path, content=text, headers={"Content-Type": "application/json"})
    assert time.process_time() - started < 1  # a list of all mistakes takes four times as long
    assert len(answer.content) < 20_000
    if path == "/v1/feedback":
        assert answer.status_code == 413
    else:
        assert answer.status_code == 422
        assert ("more than 5000 mistakes" in answer.json()["detail"]) == (place != "one name")
        assert len(answer.json()["errors"]) == (1 if place == "one name" else 20)


def test_a_client_waits_for_its_own_requests_and_not_for_those_of_another() -> None:
    async def race() -> list[str]:
        turns, gate, order = Turns(), threading.Event(), list[str]()
        held = [asyncio.create_task(turns.take("one", gate.wait)) for _ in range(WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(Problem, match="of this client wait"):
            await turns.take("one", gate.wait)
        await turns.take("other", lambda: order.append("other"))
        held[0].cancel()  # given up, and its thread goes on: its turn ends with the thread
        await asyncio.sleep(0)
        with pytest.raises(Problem):
            await turns.take("one", gate.wait)
        gate.set()
        await asyncio.gather(*held[1:])
        await turns.take("one", lambda: order.append("one"))
        return order

    assert asyncio.run(race()) == ["other", "one"]


def test_a_client_has_a_limit_on_the_bodies_that_arrive_at_once_and_others_keep_theirs() -> None:
    turns, opened = Turns(), ExitStack()
    with opened:
        for _ in range(WAITING):
            opened.enter_context(turns.arriving("one"))
        with pytest.raises(Problem, match="of this client arrive"):
            opened.enter_context(turns.arriving("one"))
        opened.enter_context(turns.arriving("other"))
    with turns.arriving("one"):  # those that came have gone on
        pass
