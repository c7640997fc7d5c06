"""Champion and challenger are compared on the log as the server wrote it."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from fullstack_ml.serving import model, online

Asked = Callable[[int], list[dict[str, Any]]]


@pytest.fixture
def both(finished: Path) -> None:
    """Champion and challenger are the same graph under two numbers."""
    data = Path("models/model.onnx").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    Path("served").mkdir()
    Path(f"served/{digest}.onnx").write_bytes(data)
    arms = {arm: model.Version("product", str(i), digest, f"{digest}.onnx") for i, arm in enumerate(ARMS, start=1)}
    Path("served/arms.json").write_bytes(orjson.dumps(arms))


ARMS = ("champion", "challenger")


@pytest.mark.parametrize("rollout", ["shadow", "canary"])
def test_two_equal_versions_are_not_told_apart(
    both: None, serve: Any, asked: Asked, records: Any, capsys: Any, monkeypatch: Any, rollout: str
) -> None:
    with serve(model="registry", rollout=rollout, canary_share=0.5) as client:
        for i, (record, truth) in enumerate(zip(asked(60), records["source_label"].head(60), strict=True)):
            sent = client.post("/v1/predict", json={"records": [record]}, headers={"X-Caller": str(i)}).json()
            said = {"prediction_id": sent["predictions"][0]["prediction_id"], "answer": truth, "who": "reviewer"}
            assert client.post("/v1/feedback", json=said).status_code == 200
    monkeypatch.setattr("sys.argv", ["online"])
    online.main()
    printed = capsys.readouterr().out
    assert rollout in printed
    report = orjson.loads(Path("reports/online.json").read_bytes())
    assert report["verdict"] == "open"
    # A shadow labels both arms; a canary is compared from the first caller on whom it falls.
    assert report["labelled"] == 120 if rollout == "shadow" else 40 <= report["labelled"] <= 60
    assert rollout == "canary" or report["measures"]["accuracy"]["difference"] == 0


def test_without_a_challenger_or_a_log_there_is_nothing_to_compare(
    finished: Path, serve: Any, asked: Asked, refused: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("sys.argv", ["online"])
    with refused("cannot be read"):
        online.main()
    with serve() as client:
        client.post("/v1/predict", json={"records": asked(1)})
    with refused("no challenger"):
        online.main()
    monkeypatch.setattr("sys.argv", ["online", "yesterday"])
    with refused("yesterday"):
        online.main()
