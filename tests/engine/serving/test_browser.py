"""A server without a key answers its own machine, and no page of another site that a browser on it has open."""

from typing import Any

import pytest
from starlette.testclient import TestClient

FORM = {"Content-Type": "text/plain"}


@pytest.mark.parametrize("path", ["/healthz", "/v1/model", "/v1/predictions/" + "0" * 32])
def test_a_name_that_leads_here_is_not_this_server(path: str, client: TestClient) -> None:
    refused = client.get(path, headers={"Host": "rebound.example:8000"})
    assert (refused.status_code, refused.headers["content-type"]) == (421, "application/problem+json")
    assert "SERVE_OPEN" in refused.json()["detail"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST:1"])
def test_the_names_of_this_machine_are(host: str, client: TestClient) -> None:
    assert client.get("/healthz", headers={"Host": host, "Origin": f"http://{host}"}).status_code == 200


@pytest.mark.parametrize("origin", ["https://example.com", "null", "http://localhost:9"])
def test_a_page_of_another_site_writes_nothing(origin: str, client: TestClient, asked: Any, logged: Any) -> None:
    answer = client.post("/v1/predict", json={"records": asked(1)}, headers={"Origin": origin})
    assert answer.status_code == 403
    assert logged() == []


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/feedback"])
def test_a_form_is_no_json(path: str, client: TestClient) -> None:
    assert client.post(path, content=b"{}", headers=FORM).status_code == 415


def test_a_server_with_a_key_or_that_is_open_has_other_names(serve: Any) -> None:
    named = {"Host": "digits.example", "Origin": "https://portal.example"}
    for given in ({"api_key": "c0ffee-and-a-tin"}, {"host": "0.0.0.0", "open": True}):
        with serve(**given) as client:
            status = client.get("/healthz", headers={**named} if "api_key" in given else {"Host": named["Host"]})
            assert status.status_code == 200


def test_the_name_of_the_product_is_text_in_the_page_of_the_api(finished: Any, serve: Any) -> None:
    text = finished.joinpath("product.yaml").read_text(encoding="utf-8")
    name = next(line for line in text.splitlines() if line.startswith("  name:"))
    changed = text.replace(name, '  name: "<script>alert(1)</script> & co"', 1)
    finished.joinpath("product.yaml").write_text(changed, encoding="utf-8")
    with serve() as client:
        assert "<script>alert" not in client.get("/docs").text
        assert client.get("/openapi.json").json()["info"]["title"] == "<script>alert(1)</script> & co"


def test_the_api_describes_itself_in_the_language_of_the_product(finished: Any, serve: Any) -> None:
    text = finished.joinpath("product.yaml").read_text(encoding="utf-8")
    finished.joinpath("product.yaml").write_text(text.replace("  language: en", "  language: ko", 1), encoding="utf-8")
    with serve() as client:
        made = client.get("/openapi.json").json()
    assert "\n\n사용자: " in made["info"]["description"]
    told = [one["description"] for path in made["paths"].values() for one in path.values()]
    names = [one["summary"] for path in made["paths"].values() for one in path.values()]
    assert all(text.startswith(name) and " " in name for text, name in zip(told, names, strict=True))
    told += [made["components"]["schemas"]["PredictionAnswer"]["properties"]["novelty"]["description"]]
    assert [text for text in told if not any("가" <= letter <= "힣" for letter in text)] == []


def test_the_log_is_read_by_its_owner_alone(client: TestClient, finished: Any, asked: Any) -> None:
    client.post("/v1/predict", json={"records": asked(1)})
    files = sorted(finished.glob("predictions.db*"))
    assert [path.name.removeprefix("predictions.db") for path in files] == ["", "-shm", "-wal"]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
