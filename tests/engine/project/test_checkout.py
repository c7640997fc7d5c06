"""A version comes back as it was: data and model, byte for byte, by real DVC and MLflow."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import onnx
import pytest
import yaml

from fullstack_ml.modeling.register import __main__ as register
from fullstack_ml.project import checkout
from fullstack_ml.workspace.errors import UserError

Refused = Callable[..., AbstractContextManager[None]]
pytestmark = pytest.mark.task("tabular-classification")
STAGES = {
    "split": {"cmd": "true", "outs": ["data/splits"]},
    "export": {"cmd": "true", "deps": ["data/splits"], "outs": ["models/model.onnx"]},
    "evaluate": {"cmd": "true", "outs": [{"reports/evaluation.json": {"cache": False}}]},
}
BACK = [Path("data/splits/train.parquet"), Path("data/splits/test.parquet"), Path("models/model.onnx")]


def dvc(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments], check=True, capture_output=True)


def content() -> list[bytes]:
    return [path.read_bytes() for path in BACK]


@pytest.fixture
def versions(
    mlflow: Any, finished: Path, root: Path, config: Any, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> list[list[bytes]]:
    """Two registered versions, made from other data: the bytes of each; the second is in the work tree."""
    shutil.copy(root / ".gitignore", ".gitignore")
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}), encoding="utf-8")
    path = Path("reports/acceptance.json")
    path.write_text(path.read_text(encoding="utf-8").replace('"accepted": false', '"accepted": true'))
    git("init", "--quiet")
    dvc("init", "--quiet")
    monkeypatch.setattr(register, "challenge", lambda *_: [])
    made = []
    for number in (1, 2):
        if number == 2:
            shutil.copy("data/splits/validation.parquet", "data/splits/train.parquet")
            model = onnx.load("models/model.onnx")
            model.metadata_props.add(key="note", value="other bytes")
            onnx.save(model, "models/model.onnx")
            Path("params.yaml").write_text(Path("params.yaml").read_text() + "# second\n")
        dvc("commit", "--force")
        git("add", "--all")
        git("commit", "--quiet", "-m", f"Version {number}")
        register.run(config)
        made.append(content())
    assert made[0] != made[1]
    git("add", "--all")
    git("commit", "--quiet", "--allow-empty", "-m", "Reports")
    return made


@pytest.mark.parametrize(("name", "number"), [("1", 1), ("champion", 2)])
def test_data_and_model_of_a_version_come_back_byte_for_byte(
    name: str, number: int, versions: list[list[bytes]], git: Callable[..., str]
) -> None:
    if number == 2:
        checkout.check_out("1")
        assert content() == versions[0]
    said = checkout.check_out(name)
    assert content() == versions[number - 1]
    assert ("# second" in Path("params.yaml").read_text()) == (number == 2)
    assert f"version {number}" in said[0]
    commit = git("rev-parse", f"HEAD~{3 - number}").strip()
    assert f"git checkout {commit}" in said[1]
    dvc("status", "--quiet", "split", "export")  # the lock and the work tree agree


def test_what_the_cache_lost_comes_from_the_remote(versions: list[list[bytes]], tmp_path: Path) -> None:
    dvc("remote", "add", "--default", "--local", "team", str(tmp_path / "remote"))
    dvc("push", "--run-cache")
    shutil.rmtree(".dvc/cache")
    checkout.check_out("2")
    with pytest.raises(UserError, match="cannot be had"):
        checkout.check_out("1")  # pushed was what is in the work tree
    assert content() == versions[1]


def test_data_that_is_out_of_reach_changes_nothing(versions: list[list[bytes]], refused: Refused) -> None:
    before = Path("dvc.lock").read_text(encoding="utf-8")
    shutil.rmtree(".dvc/cache")
    with refused("the data of version 1 cannot be had", "cache and the remote"):
        checkout.check_out("1")
    assert Path("dvc.lock").read_text(encoding="utf-8") == before
    assert content() == versions[1]


def test_a_tree_with_changes_is_left_alone(versions: list[list[bytes]], refused: Refused) -> None:
    Path("conf/train.yaml").write_text("parity: 1.0\n", encoding="utf-8")
    with refused("1 uncommitted file(s): conf/train.yaml", "git", "git commit"):
        checkout.check_out("1")
    assert content() == versions[1]


def test_a_version_that_is_not_there_is_refused(versions: list[list[bytes]], refused: Refused) -> None:
    with refused("there is no version '7'", "VERSION", "make mlflow"):
        checkout.check_out("7")


def test_a_version_whose_run_keeps_no_lock_names_its_commit(
    versions: list[list[bytes]], mlflow: Any, refused: Refused
) -> None:
    client = mlflow.MlflowClient()
    with mlflow.start_run() as run:
        pass
    tags = {"git.commit": "abc123"}
    client.create_model_version("my_product", source="nowhere", run_id=run.info.run_id, tags=tags)
    with refused("version 3 keeps no pipeline/dvc.lock", "registry", "git checkout abc123"):
        checkout.check_out("3")


def test_another_dvc_yaml_is_said_and_nothing_is_changed(
    versions: list[list[bytes]], git: Callable[..., str], refused: Refused
) -> None:
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": {"export": STAGES["export"]}}), encoding="utf-8")
    git("commit", "--quiet", "--all", "-m", "Drop a stage")
    with refused("dvc.yaml of version 1 had data/splits, reports/evaluation.json", "dvc.yaml", "commit"):
        checkout.check_out("1")
    assert content() == versions[1]


def test_without_a_version_the_command_says_how_to_type_it(
    project: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    monkeypatch.setattr("sys.argv", ["checkout"])
    with refused("VERSION is missing", "make checkout", "make checkout VERSION=champion"):
        checkout.main()
