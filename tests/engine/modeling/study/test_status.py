"""What make status says in each state of the product."""

import hashlib
import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from fullstack_ml.modeling.study import status

Refused = Callable[..., AbstractContextManager[None]]


def accepted(yes: bool) -> None:
    """Let the gate have said yes or no."""
    path = Path("reports/acceptance.json")
    found = json.loads(path.read_text(encoding="utf-8"))
    failed = [] if yes else ["R1", "R3"]
    path.write_text(json.dumps({**found, "accepted": yes, "failed": failed}), encoding="utf-8")


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what the command prints."""
    status.main()
    return capsys.readouterr().out


def test_before_the_first_run_it_says_what_to_type(project: Path, refused: Refused) -> None:
    with refused("the pipeline has not run", "acceptance.json", "make"):
        status.main()


def test_every_requirement_has_a_line(
    finished: Path, product: Any, config: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = said(capsys)
    assert f"{product.service.name}: model {config.model.name}" in printed
    assert all(f"  {r.id:<4}" in printed for r in product.requirements)


def test_a_rejection_names_the_requirements(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    accepted(False)
    assert "rejected by R1, R3" in said(capsys)


def test_an_accepted_model_that_is_not_registered_says_what_to_type(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    accepted(True)
    assert "accepted, not registered: make, whose last stage" in said(capsys)


def reported(**said: Any) -> None:
    """Let stage ``register`` have said something of the artefact."""
    digest = hashlib.sha256(Path("models/model.onnx").read_bytes()).hexdigest()
    Path("reports/registration.json").write_text(json.dumps({"artefact_sha256": digest, **said}), encoding="utf-8")


def versions(mlflow: Any, aliases: dict[str, str]) -> None:
    """Let the registry hold two versions, of which the second is the artefact, with these aliases."""
    client = mlflow.MlflowClient()
    client.create_registered_model("my_product")
    digest = hashlib.sha256(Path("models/model.onnx").read_bytes()).hexdigest()
    for tags in ({}, {"artefact.sha256": digest}):
        client.create_model_version("my_product", source="models", tags=tags)
    for alias, version in aliases.items():
        client.set_registered_model_alias("my_product", alias, version)


def test_a_version_that_the_store_lost_is_not_called_registered(
    mlflow: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    accepted(True)
    reported(registered=True, model="my_product", version="3", alias="champion")
    for store in ("empty", "gone"):
        if store == "gone":
            Path("mlflow.db").unlink()
        printed = said(capsys)
        assert "accepted, and not in the registry any more" in printed
        assert "  make  " in printed.split("next:")[1]
        assert "version 3" not in printed
    assert not Path("mlflow.db").exists(), "asking does not make a store"


def test_a_registry_that_does_not_answer_is_not_remembered(
    finished: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted(True)
    reported(registered=True, model="my_product", version="3", alias="champion")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")  # nobody listens there
    printed = said(capsys)
    assert "it was registered as my_product version 3; now the tracking server http://127.0.0.1:9 does not" in printed


def test_make_asks_for_the_registration_of_a_version_that_the_store_lost(
    mlflow: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    accepted(True)
    reported(registered=True, model="my_product", version="3", alias="champion")
    asked: list[tuple[str, ...]] = []

    def repro(*words: str) -> None:
        asked.append(words)
        versions(mlflow, {"champion": "2"})

    monkeypatch.setattr(status, "repro", repro)
    said(capsys)
    assert not asked, "make status only says"
    monkeypatch.setenv("STARTED", "1")
    assert "registered: my_product version 2, alias champion\n" in said(capsys)
    said(capsys)
    assert asked == [("--force", "--single-item", "register")]


@pytest.mark.parametrize(
    ("aliases", "place"),
    [
        ({"champion": "2", "challenger": "1"}, "alias champion"),
        ({"champion": "1"}, "no alias; champion is version 1"),
        ({"champion": "1", "challenger": "2"}, "alias challenger; champion is version 1"),
    ],
)
def test_the_alias_is_the_one_that_the_registry_names_now(
    mlflow: Any, capsys: pytest.CaptureFixture[str], aliases: dict[str, str], place: str
) -> None:
    accepted(True)
    versions(mlflow, aliases)
    reported(registered=True, model="my_product", version="2", alias="champion", champion_stays=[])
    assert f"registered: my_product version 2, {place}\n" in said(capsys)


def test_a_challenger_says_why_the_champion_stays_and_how_to_promote_it(
    mlflow: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    accepted(True)
    shutil.rmtree("mk")
    versions(mlflow, {"champion": "2"})
    reported(
        registered=True, model="my_product", version="2", alias="challenger", champion_stays=["ece is worse by 0.1"]
    )
    assert not any(word in said(capsys) for word in ("champion stays", "make promote"))
    for alias, version in {"champion": "1", "challenger": "2"}.items():
        mlflow.MlflowClient().set_registered_model_alias("my_product", alias, version)
    assert "make promote" not in said(capsys)  # serving was deleted
    Path("mk").mkdir()
    Path("mk/serving.mk").touch()
    printed = said(capsys)
    assert "the champion stays: ece is worse by 0.1\n" in printed
    assert "  make promote" in printed.split("next:")[1]


@pytest.mark.parametrize("before", [{"registered": True, "model": "sorter", "version": "3", "alias": "champion"}, {}])
def test_the_registration_of_the_model_before_is_not_taken_for_one_of_this_model(
    finished: Path, capsys: pytest.CaptureFixture[str], before: dict[str, Any]
) -> None:
    accepted(True)
    reported(**(before or {"registered": False, "reason": "experiment bold-idea"}))
    with Path("models/model.onnx").open("ab") as file:
        file.write(b"trained again")
    printed = said(capsys)
    assert "accepted, not registered: make, whose last stage" in printed
    assert not any(stale in printed for stale in ("version 3", "bold-idea"))


def test_without_the_artefact_nothing_is_claimed_of_its_registration(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    accepted(True)
    reported(registered=True, model="sorter", version="3", alias="champion")
    Path("models/model.onnx").unlink()
    printed = said(capsys)
    assert "dvc pull" in printed
    assert "version 3" not in printed


def test_an_experiment_says_that_it_is_one(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    accepted(True)
    reported(registered=False, reason="experiment bold-idea", run_id="a")
    assert "accepted, not registered: experiment bold-idea" in said(capsys)


def test_what_the_run_wrote_is_committed_with_what_is_new(
    finished: Path, git: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    accepted(True)
    assert "git commit" not in said(capsys)  # there is no repository
    git("init", "--quiet")
    assert "  git add -A && git commit  " in said(capsys)
    git("add", "-A")
    git("commit", "--quiet", "-m", "first")
    assert "git commit" not in said(capsys)
    reported(registered=True, model="sorter", version="1", alias="champion")
    assert "  git add -A && git commit  " in said(capsys)
