"""The first model of the month: less is held back until it is accepted; if it never is, that is said with numbers."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullstack_ml.product import contract
from fullstack_ml.simulation import copying, first
from fullstack_ml.simulation.commands import Copy, Ran

pytestmark = pytest.mark.task("image-classification")
Refused = Callable[..., AbstractContextManager[None]]
REJECTED = {"id": "R11", "metric": "answered_share", "operator": ">=", "threshold": 0.3, "value": 0.24}


@pytest.fixture
def past(project: Path, monkeypatch: pytest.MonkeyPatch) -> pl.DataFrame:
    """A thousand labelled records, of which a copy is only told how many there are."""
    found = pl.DataFrame(
        {
            "id": [f"{i:064x}" for i in range(1000)],
            "payload": [b"" for _ in range(1000)],
            "group": [None] * 1000,
            "label": ["7"] * 1000,
            "source_label": [None] * 1000,
            "kind": ["scan"] * 1000,
            "source": ["s"] * 1000,
            "licence": ["internal"] * 1000,
        }
    )
    found = found.with_columns(copying.draws(found)).sort("draw", "id")
    monkeypatch.setattr(first, "drawn_records", lambda product: found)
    monkeypatch.setattr(first, "make_copy", lambda product, found, share: copying.parted(found, product, share)[1])
    return found


def typed(
    monkeypatch: pytest.MonkeyPatch, wanted: int, verdicts: list[dict[str, Any]] | None = None
) -> list[tuple[str, ...]]:
    """Let the gate accept the model of the ``wanted``-th copy; return what is typed."""
    said: list[tuple[str, ...]] = []

    def answer(self: Copy, *command: str, may: tuple[int, ...] = (0,), **settings: str) -> Ran:
        said.append(command)
        accepted = said.count(("make",)) >= wanted
        if command == ("make",):
            reports = self.folder / "reports"
            reports.mkdir(parents=True, exist_ok=True)
            if verdicts is not None:
                (reports / "acceptance.json").write_text(json.dumps({"verdicts": verdicts}))
            (reports / "registration.json").write_text(json.dumps({"version": "1", "alias": "champion"}))
        self.ran += [Ran(" ".join(command), 0, [], 0.0)] * 2
        return Ran(" ".join(command), 0 if accepted else 2, ["error: the disk is full"], 1.0)

    monkeypatch.setattr(Copy, "type", answer)
    return said


def test_less_is_held_back_until_the_first_model_is_accepted(
    past: pl.DataFrame, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = typed(monkeypatch, 2, [REJECTED | {"verdict": "fail"}, REJECTED | {"id": "R1", "verdict": "pass"}])
    month = first.first_model(contract.load())
    assert said.count(("make",)) == 2
    held = sum(map(len, (month.future.normal, month.future.shifted, month.future.later)))
    assert held == int(1000 * copying.HELD[1])
    printed = capsys.readouterr().out
    assert "a model of the rest is rejected: R11 answered_share 0.24, wanted >= 0.3" in printed
    assert "R1 " not in printed, "what holds is not told"


def test_a_model_that_is_never_accepted_is_told_with_its_requirement_and_its_records(
    past: pl.DataFrame, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    said = typed(monkeypatch, 99, [REJECTED | {"verdict": "not measurable", "value": None}])
    with refused("a first model of 800 of the 1,000 records is rejected: R11 answered_share not measured"):
        first.first_model(contract.load())
    assert said.count(("make",)) == len(copying.HELD)


def test_a_busy_machine_is_no_reason_to_hold_less_back(
    past: pl.DataFrame, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    row = {"id": "R9", "metric": "latency_p99_ms", "operator": "<=", "threshold": 50, "value": 75.5, "verdict": "fail"}
    said = typed(monkeypatch, 99, [row])
    with refused("R9 latency_p99_ms 75.5, wanted <= 50"):
        first.first_model(contract.load())
    assert said.count(("make",)) == 1


def test_a_command_that_fails_for_another_reason_is_not_tried_again(
    past: pl.DataFrame, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    said = typed(monkeypatch, 99)
    with refused("make failed in the copy: the disk is full"):
        first.first_model(contract.load())
    assert said.count(("make",)) == 1
