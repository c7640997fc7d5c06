"""Adopting a run: its parameters in conf/, with the comments that stand there."""

import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import yaml

from fullstack_ml.modeling.study import adopt

Refused = Callable[..., AbstractContextManager[None]]

BEFORE = """\
# Why this model is here.
name: net
scale: true    # the inputs differ in size
estimator:
  _target_: sklearn.neural_network.MLPClassifier
  hidden_layer_sizes: [96]
  alpha: 0.001   # more is smoother
  max_iter: 120
"""


def settings(**arguments: Any) -> dict[str, Any]:
    """Return the settings of a run."""
    return {
        "name": "net",
        "scale": True,
        "estimator": {"_target_": "sklearn.neural_network.MLPClassifier", **arguments},
    }


def test_new_values_keep_comments_order_and_what_did_not_change() -> None:
    after = adopt.update(BEFORE, settings(hidden_layer_sizes=[96], alpha=0.02, max_iter=120))
    assert yaml.safe_load(after)["estimator"]["alpha"] == 0.02
    for comment in ("# Why this model is here.", "# the inputs differ in size", "# more is smoother"):
        assert comment in after
    assert [line.split(":")[0] for line in after.splitlines()] == [line.split(":")[0] for line in BEFORE.splitlines()]


def test_arguments_that_the_run_did_not_have_go_and_new_ones_come() -> None:
    after = yaml.safe_load(adopt.update(BEFORE, settings(hidden_layer_sizes=[64, 32], tol=0.1)))
    assert after["estimator"] == settings(hidden_layer_sizes=[64, 32], tol=0.1)["estimator"]


def test_adopting_what_stands_there_changes_no_byte() -> None:
    assert adopt.update(BEFORE, settings(hidden_layer_sizes=[96], alpha=0.001, max_iter=120)) == BEFORE


@pytest.fixture
def run_id(mlflow: Any, finished: Path) -> str:
    """A sweep trial of the model ``net``, which has a file in conf/."""
    Path("conf/model/net.yaml").write_text(BEFORE, encoding="utf-8")
    with mlflow.start_run(tags={"kind": "trial"}) as run:
        mlflow.log_text(yaml.safe_dump({"model": settings(alpha=0.5)}), "model.yaml")
    return str(run.info.run_id)


def test_the_model_of_the_run_becomes_the_model_of_the_project(run_id: str) -> None:
    before = Path("conf/config.yaml").read_text(encoding="utf-8")
    Path("reports/registration.json").write_text("{}", encoding="utf-8")
    assert adopt.adopt(run_id) == "net"
    after = Path("conf/config.yaml").read_text(encoding="utf-8")
    changed = [line for line in after.splitlines() if line not in before.splitlines()]
    assert changed == ["  - model: net"]
    assert yaml.safe_load(Path("conf/model/net.yaml").read_text())["estimator"]["alpha"] == 0.5
    # Its registration said that it was an experiment.
    assert not Path("reports/registration.json").exists()


def test_what_to_type_next_commits_new_and_deleted_files_too(
    run_id: str, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    git("init", "--quiet")
    Path("conf/new.yaml").touch()
    monkeypatch.setattr(sys, "argv", ["adopt", run_id])
    adopt.main()
    said = re.search("next: (.*), then make$", capsys.readouterr().out, re.MULTILINE)
    assert said
    subprocess.run(["sh", "-c", said[1]], check=True, capture_output=True)
    assert git("status", "--porcelain") == ""


def test_a_run_of_the_pipeline_can_be_adopted_too(mlflow: Any, finished: Path) -> None:
    Path("conf/model/net.yaml").write_text(BEFORE, encoding="utf-8")
    with mlflow.start_run(tags={"kind": "pipeline"}) as run:
        mlflow.log_text(yaml.safe_dump({"seed": 1, "model": settings(alpha=0.7)}), "pipeline/params.yaml")
    adopt.adopt(run.info.run_id)
    assert yaml.safe_load(Path("conf/model/net.yaml").read_text())["estimator"]["alpha"] == 0.7


def test_an_unknown_run_is_refused_and_changes_nothing(run_id: str, refused: Refused) -> None:
    before = {path: path.read_bytes() for path in Path("conf").rglob("*.yaml")}
    with refused("holds no model settings", "mlflow.db", "make mlflow"):
        adopt.adopt("0" * 32)
    assert {path: path.read_bytes() for path in Path("conf").rglob("*.yaml")} == before


def test_a_run_without_a_model_is_refused(mlflow: Any, refused: Refused) -> None:
    with mlflow.start_run(tags={"kind": "sweep"}) as run:
        pass
    with refused(run.info.run_id):
        adopt.adopt(run.info.run_id)


def test_a_run_of_a_model_without_a_file_is_refused_and_changes_nothing(run_id: str, refused: Refused) -> None:
    Path("conf/model/net.yaml").unlink()
    before = {path: path.read_bytes() for path in Path("conf").rglob("*.yaml")}
    with refused("'net' has no file", "conf/model/net.yaml"):
        adopt.adopt(run_id)
    assert {path: path.read_bytes() for path in Path("conf").rglob("*.yaml")} == before


@pytest.mark.parametrize("arguments", [[], ["abc"], ["a" * 32, "b" * 32], ["A" * 32]])
def test_what_is_no_run_id_is_refused(
    arguments: list[str], project: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    monkeypatch.setattr(sys, "argv", ["adopt", *arguments])
    with refused("not 32 hexadecimal digits", "make adopt RUN=<id>"):
        adopt.main()
