"""Annotation rounds as files: what is written is read back, and what is broken is named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fullstack_ml.data.label import rounds


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., rounds.Round]:
    """Write a round in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, made_at: str = "2026-01-01T00:00:00+00:00", **details: Any) -> rounds.Round:
        fields = {"kind": "pilot", "guide_version": "1.0", "annotators": ["a"], "items": {"r": "random"}, **details}
        made = rounds.Round(name=name, made_at=made_at, **fields)
        rounds.write(made)
        return made

    return write


def test_a_round_is_read_back_as_it_was_written(written: Callable[..., rounds.Round]) -> None:
    made = written("pilot", gold={"r": "cat"}, overlap=["r"])
    assert rounds.read_all() == {"pilot": made}
    assert rounds.named("pilot") == made


def test_the_newest_round_is_the_current_one(written: Callable[..., rounds.Round]) -> None:
    written("a-late", made_at="2026-03-01T00:00:00+00:00")
    written("b-early", made_at="2026-02-01T00:00:00+00:00")
    assert rounds.named(None).name == "a-late"


def test_a_round_is_never_overwritten(written: Callable[..., rounds.Round], refused: Callable[..., Any]) -> None:
    written("pilot")
    with refused("'pilot'", "pilot.json", "another NAME"):
        written("pilot")


def test_a_round_that_is_not_there_is_named(written: Callable[..., rounds.Round], refused: Callable[..., Any]) -> None:
    with refused("no annotation round", "data/rounds", "make round"):
        rounds.named(None)
    written("pilot")
    with refused("'pilto'", "data/rounds", "'pilot'"):
        rounds.named("pilto")


@pytest.mark.parametrize("text", ["{", "[]", '{"name": "pilot"}', ""], ids=["json", "list", "keys", "empty"])
def test_a_file_that_is_no_round_is_named(
    text: str, written: Callable[..., rounds.Round], refused: Callable[..., Any]
) -> None:
    written("other")
    Path("data/rounds/pilot.json").write_text(text, encoding="utf-8")
    with refused("pilot.json", "data/rounds/pilot.json", "git"):
        rounds.read_all()


def test_a_renamed_file_is_refused(written: Callable[..., rounds.Round], refused: Callable[..., Any]) -> None:
    written("pilot")
    Path("data/rounds/pilot.json").rename("data/rounds/second.json")
    with refused("'pilot'", "second.json"):
        rounds.read_all()
