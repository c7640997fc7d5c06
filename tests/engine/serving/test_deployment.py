"""Versions are swapped while the server runs; one that is not what the registry says never is."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper
from starlette.testclient import TestClient

from fullstack_ml.answers import answer_of
from fullstack_ml.registry.versions import Version
from fullstack_ml.serving import answers, deployment, model, scorer, store, telemetry

Asked = Callable[[int], list[dict[str, Any]]]
FOLDER = Path("served")


def made(change: Callable[[onnx.ModelProto], None] = lambda graph: None) -> bytes:
    """Return the artefact with a change."""
    graph = onnx.load("models/model.onnx")
    change(graph)
    return bytes(graph.SerializeToString())


def described(key: str, value: str) -> Callable[[onnx.ModelProto], None]:
    """Return a change of the metadata."""

    def change(graph: onnx.ModelProto) -> None:
        kept = {prop.key: prop.value for prop in graph.metadata_props if prop.key != key}
        del graph.metadata_props[:]
        helper.set_model_props(graph, {**kept, key: value})

    return change


class Shelf:
    """A registry in memory."""

    name = "product"

    def __init__(self) -> None:
        self.aliases: dict[str, str] = {}
        self.files: dict[str, bytes] = {}
        self.tags: dict[str, dict[str, str]] = {}

    def add(self, version: str, data: bytes, alias: str | None = None) -> None:
        self.files[version] = data
        self.tags[version] = {"artefact.sha256": hashlib.sha256(data).hexdigest()}
        if alias:
            self.aliases[alias] = version

    def holder(self, alias: str) -> Version | None:
        number = self.aliases.get(alias)
        return Version(number, self.tags[number]) if number else None

    def artefact(self, version: str) -> bytes:
        return self.files[version]


@pytest.fixture
def shelf(finished: Path) -> Any:
    """A registry with one version, the champion, which is fetched."""
    shelf: Any = Shelf()
    shelf.add("1", made(), "champion")
    deployment.bring(shelf, FOLDER)
    return shelf


def follow(client: TestClient, shelf: Any) -> dict[str, Any]:
    """Let the server look at the registry now, and return what it then says of itself."""
    deployment.bring(shelf, FOLDER)
    client.app.service.refresh()  # type: ignore[attr-defined]
    said: dict[str, Any] = client.get("/v1/model").json()
    return said


def versions(client: TestClient, records: list[dict[str, Any]]) -> set[str]:
    """Return the versions and arms that answer."""
    answers = client.post("/v1/predict", json={"records": records}).json()["predictions"]
    return {f"{answer['arm']} {answer['model_version']}" for answer in answers}


def test_a_new_champion_answers_without_a_restart(shelf: Any, serve: Any, asked: Asked) -> None:
    with serve(model="registry") as client:
        assert versions(client, asked(2)) == {"champion 1"}
        shelf.add("2", made(described("seed", "other")), "champion")
        assert follow(client, shelf)["refused"] is None
        assert versions(client, asked(2)) == {"champion 2"}
        shelf.aliases["champion"] = "1"
        follow(client, shelf)
        assert versions(client, asked(2)) == {"champion 1"}


def external(graph: onnx.ModelProto) -> None:
    """Let a weight lie in another file."""
    weight = next(tensor for tensor in graph.graph.initializer if tensor.raw_data)
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="/etc/hostname")


def other_golden(graph: onnx.ModelProto) -> None:
    """Claim that the version once gave other answers."""
    golden = json.loads(next(prop.value for prop in graph.metadata_props if prop.key == "golden"))
    golden["probabilities"][0] = golden["probabilities"][0][::-1]
    described("golden", json.dumps(golden))(graph)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (external, "other files"),
        (other_golden, "golden sample"),
        (described("golden", "null"), "no golden samples"),
        (described("labels", '["x", "y"]'), "labels"),
        (lambda graph: graph.graph.ClearField("node"), "no ONNX model"),
    ],
    ids=["external data", "golden samples", "no golden samples", "labels", "graph"],
)
def test_a_version_that_fails_its_checks_is_not_swapped_in(
    shelf: Any, serve: Any, asked: Asked, change: Any, why: str
) -> None:
    with serve(model="registry") as client:
        shelf.add("2", made(change), "champion")
        assert why in follow(client, shelf)["refused"]
        assert versions(client, asked(1)) == {"champion 1"}
        shelf.aliases["champion"] = "1"
        assert follow(client, shelf)["refused"] is None


@pytest.mark.parametrize("said", ["null", "[]", '{"champion": null}', "{"])
def test_a_damaged_list_of_versions_does_not_stop_the_start_and_is_written_anew(
    said: str, shelf: Any, serve: Any, asked: Asked
) -> None:
    Path(FOLDER, "arms.json").write_text(said)
    with serve(model="registry") as client:
        assert "the list of versions cannot be read" in client.get("/readyz").json()["detail"]
        assert follow(client, shelf)["refused"] is None
        assert versions(client, asked(1)) == {"champion 1"}


def test_a_file_that_is_not_the_registered_one_is_refused(shelf: Any, serve: Any, asked: Asked) -> None:
    with serve(model="registry") as client:
        shelf.add("2", made(described("seed", "other")), "champion")
        shelf.files["2"] += b"more"
        assert "artefact.sha256" in (deployment.bring(shelf, FOLDER) or "")
        # Somebody exchanges a file after it was fetched.
        shelf.add("2", made(described("seed", "other")), "champion")
        assert deployment.bring(shelf, FOLDER) is None
        (FOLDER / f"{shelf.tags['2']['artefact.sha256']}.onnx").write_bytes(made())
        client.app.service.refresh()
        assert "SHA-256" in client.get("/v1/model").json()["refused"]
        assert versions(client, asked(1)) == {"champion 1"}


def test_a_server_without_a_version_says_so(finished: Path, serve: Any, asked: Asked) -> None:
    with serve(model="registry") as client:
        found = [client.post("/v1/predict", json={"records": asked(1)}), client.get("/readyz"), client.get("/v1/model")]
        assert [answer.status_code for answer in found] == [503, 503, 503]
        assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("rollout", ["off", "shadow", "canary"])
def test_a_challenger_is_not_served_where_the_champion_is_refused(
    shelf: Any, serve: Any, asked: Asked, rollout: str
) -> None:
    shelf.add("1", made(described("labels", '["x", "y"]')), "champion")
    shelf.add("2", made(described("seed", "other")), "challenger")
    deployment.bring(shelf, FOLDER)
    with serve(model="registry", rollout=rollout, request_seconds=1) as client:
        asking = client.post("/v1/predict", json={"records": asked(1)}), client.get("/readyz"), client.get("/v1/model")
        assert [answer.status_code for answer in asking] == [503, 503, 503]
        assert asking[0].json()["detail"] == "no version of the model is served yet"
        assert "labels" in asking[1].json()["detail"]
        shelf.aliases = {"champion": "2"}  # as a promotion does: the challenger's alias goes
        assert follow(client, shelf)["refused"] is None
        assert versions(client, asked(1)) == {"champion 2"}


def test_a_challenger_goes_on_beside_the_champion_that_lost_its_alias(shelf: Any, serve: Any) -> None:
    shelf.add("2", made(described("seed", "other")), "challenger")
    with serve(model="registry", rollout="shadow") as client:
        follow(client, shelf)
        del shelf.aliases["champion"]
        said = follow(client, shelf)
        assert (said["champion"]["version"], said["challenger"]["version"]) == ("1", "2")


def test_a_batch_that_comes_back_short_is_an_error_at_once_and_leaves_no_row(
    client: TestClient, asked: Asked, logged: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scorer, "score", lambda jobs, arms, settings, now, batch: batch)
    answer = client.post("/v1/predict", json={"records": asked(1)})
    assert (answer.status_code, "the log has the traceback" in answer.json()["detail"]) == (500, True)
    assert logged() == []


def test_a_mistake_of_the_server_is_a_problem_on_every_route(
    client: TestClient, asked: Asked, monkeypatch: Any
) -> None:
    def fail(*arguments: Any) -> None:
        raise RuntimeError

    def counted(route: str) -> float:
        labels = {"route": route, "status": "500"}
        return telemetry.REGISTRY.get_sample_value("http_requests_total", labels) or 0

    monkeypatch.setattr(scorer.Scorer, "submit", fail)
    monkeypatch.setattr(store.Store, "find", fail)
    routes = ["/v1/predict", "/v1/predictions/{prediction_id}"]
    before = [counted(route) for route in routes]
    for answer in (client.post(routes[0], json={"records": asked(1)}), client.get(f"/v1/predictions/{'0' * 32}")):
        assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
        assert "the server made a mistake" in answer.json()["detail"]
    assert [counted(route) for route in routes] == [number + 1 for number in before]


def test_a_shadow_scores_everything_and_answers_nothing(shelf: Any, serve: Any, asked: Asked, logged: Any) -> None:
    shelf.add("2", made(described("seed", "other")), "challenger")
    deployment.bring(shelf, FOLDER)
    with serve(model="registry", rollout="shadow") as client:
        assert versions(client, asked(3)) == {"champion 1"}
    assert [(row["arm"], row["served"]) for row in logged()].count(("challenger", 0)) == 3
    assert len({row["prediction_id"] for row in logged()}) == 3


def test_what_people_say_in_shadow_is_said_of_the_answer_that_they_got(
    shelf: Any, serve: Any, asked: Asked, logged: Any, product: Any
) -> None:
    shelf.add("2", made(described("seed", "other")), "challenger")
    deployment.bring(shelf, FOLDER)
    with serve(model="registry", rollout="shadow") as client:
        sent = client.post("/v1/predict", json={"records": asked(1)}).json()["predictions"][0]
        said = {"prediction_id": sent["prediction_id"], "answer": answer_of(product).example(product), "who": "someone"}
        assert client.post("/v1/feedback", json=said).status_code == 200
    assert [row["arm"] for row in logged("SELECT arm FROM feedback")] == ["champion"]


def test_a_shadow_that_fails_takes_no_answer_away(
    shelf: Any, serve: Any, asked: Asked, logged: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.add("2", made(described("seed", "other")), "challenger")
    deployment.bring(shelf, FOLDER)
    whole = model.Served.score

    def score(self: model.Served, inputs: Any) -> model.Scores:
        if self.version.version == "2":
            raise RuntimeError
        return whole(self, inputs)

    with serve(model="registry", rollout="shadow") as client:
        monkeypatch.setattr(model.Served, "score", score)
        assert versions(client, asked(2)) == {"champion 1"}
    assert {row["arm"] for row in logged()} == {"champion"}


def test_a_canary_answers_its_share_of_the_callers_and_always_the_same(shelf: Any, serve: Any, asked: Asked) -> None:
    shelf.add("2", made(described("seed", "other")), "challenger")
    deployment.bring(shelf, FOLDER)
    with serve(model="registry", rollout="canary", canary_share=0.3) as client:

        def arm(caller: int) -> str:
            given = client.post("/v1/predict", json={"records": asked(1)}, headers={"X-Caller": f"caller {caller}"})
            return str(given.json()["predictions"][0]["arm"])

        first = [arm(caller) for caller in range(200)]
        # Of 200 callers 60 are expected; 34 to 86 is four standard deviations to either side.
        assert 34 <= first.count("challenger") <= 86
        assert [arm(caller) for caller in range(0, 200, 20)] == first[::20]


def test_the_next_challenger_answers_other_callers() -> None:
    callers = [f"caller {number}" for number in range(1000)]
    first, second = ({name for name in callers if answers.in_share(name, salt * 64, 0.3)} for salt in "ab")
    # Each answers 300, and 90 of them by chance are of both; 54 to 126 is four standard deviations to either side.
    assert 54 <= len(first & second) <= 126
