"""Champion and challenger are compared on the log as the server wrote it."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from fullstack_ml.answers import answer_of
from fullstack_ml.product.types import Plan
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


def test_a_record_that_both_scored_in_shadow_is_none_of_the_canary() -> None:
    """One server may go to canary while another is in shadow still."""
    start = datetime(2026, 5, 1, tzinfo=UTC)

    def row(number: int, arm: str, served: bool, hour: int) -> dict[str, Any]:
        when = start.replace(hour=hour)
        version = "2" if arm == "challenger" else "1"
        return {"prediction_id": f"{number}", "arm": arm, "model_version": version} | {
            "served": served,
            "requested_at": when,
        }

    before, late, alone = row(1, "champion", True, 1), row(2, "champion", True, 6), row(3, "champion", True, 7)
    shadows = [row(1, "challenger", False, 1), row(2, "challenger", False, 6)]
    canary = row(4, "challenger", True, 5)
    found = online.by_mode([before, late, alone, *shadows, canary], "2", start)
    assert found == {"shadow": [*shadows, before, late], "canary": [canary, alone]}


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


@pytest.mark.task("tabular-regression")
def test_numbers_are_compared_by_how_far_they_are_off(product: Any) -> None:
    random, begun = np.random.default_rng(0), datetime(2026, 1, 1, tzinfo=UTC)

    def rows(arm: str, spread: float) -> list[dict[str, Any]]:
        right = random.uniform(100, 300, 400).round(1)
        given = right + random.normal(0, spread, 400)
        fixed = {"arm": arm, "model_version": arm, "served": True, "requested_at": begun, "latency_ms": 1.0}
        return [
            {**fixed, "prediction_id": f"{arm}{i}", "caller": f"{arm}{i}", "decision": "accept"}
            | {"answer": f"{given[i]:.7g}", "truth": f"{right[i]:.1f}" if i % 4 else None}
            for i in range(400)
        ]

    plan, answer = Plan(test="fixed-horizon", detect=8, alpha=0.05, power=0.8), answer_of(product)
    arms = [*rows("champion", 30), *rows("challenger", 10)]
    report = online.compare(arms, "canary", "challenger", begun, plan, answer)
    mae = report["measures"]["mae"]
    # The mean of |N(0, s)| is 0.798 s, and lower is better.
    assert mae["champion"] == pytest.approx(0.798 * 30, rel=0.15)
    assert mae["challenger"] == pytest.approx(0.798 * 10, rel=0.15)
    assert mae["verdict"] == report["verdict"] == "better"
    # Two means of a deviation of 0.603 * 30 = 18.1, 8 apart, at 5 % and 80 %: 2 * (1.96 + 0.84)^2 * 18.1^2 / 8^2 each.
    assert report["planned"] == pytest.approx(2 * 2 * 2.8**2 * 18.1**2 / 8**2, rel=0.4)
    assert report["labelled"] == 600
