"""What one caller sends takes nobody else's time: pictures are counted before they are decoded, off the event loop."""

import io
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

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
    heavy = threading.Thread(target=post, args=(client, [blank("PNG")] * 12))
    heavy.start()
    waits = []
    while heavy.is_alive():
        started = time.perf_counter()
        assert client.post("/v1/predict", json={"records": asked(1)}).status_code == 200
        waits.append(time.perf_counter() - started)
    heavy.join()
    assert len(waits) > 1
    assert max(waits) < 0.5


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
