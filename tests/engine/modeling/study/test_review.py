"""What make mlflow does before it hands over to the server."""

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from fullstack_ml.modeling.study import review
from fullstack_ml.registry import tracking

Refused = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def started(project: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would have taken the place of this process."""
    commands: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, command: commands.append(command))
    return commands


def test_the_server_listens_on_this_machine_only_over_the_store_of_the_project(
    started: list[list[str]], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["review", "5012"])
    review.main()
    (command,) = started
    for option, value in (
        ("--host", "127.0.0.1"),
        ("--port", "5012"),
        ("--backend-store-uri", f"sqlite:///{project}/mlflow.db"),
    ):
        assert command[command.index(option) + 1] == value


@pytest.mark.parametrize("port", ["", "http", "0", "65536", "-1", "50 00"])
def test_what_is_no_port_is_refused(
    port: str, started: list[list[str]], monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    monkeypatch.setattr(sys, "argv", ["review", port])
    with refused(f"PORT is {port!r}", "make mlflow PORT=5000", "1 to 65535"):
        review.main()
    assert started == []


def test_a_server_of_the_team_is_named_without_its_password(
    started: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ana:secret@runs.example.com")
    review.main()
    assert capsys.readouterr().out == "the runs are on http://ana:***@runs.example.com\n"
    assert started == []


def test_the_address_of_the_runs_is_printed_and_the_pages_open_on_them(
    started: list[list[str]], empty_store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(empty_store, "mlflow.db")
    experiment = tracking.connect().get_experiment_by_name("my_product")
    monkeypatch.setattr(sys, "argv", ["review", "5012"])
    review.main()
    lines = capsys.readouterr().out.splitlines()
    assert f"  http://127.0.0.1:5012/#/experiments/{experiment.experiment_id}/runs   the runs" in lines
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
