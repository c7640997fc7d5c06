"""Stage register: one run per pipeline run, one version per artefact, and an alias that moves only through the gate."""

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path
from typing import Any

import onnx
import pytest
import yaml

from fullstack_ml.modeling.register import __main__ as register
from fullstack_ml.pages import formats
from fullstack_ml.registry.tracking import ClientRegistry

Refused = Callable[..., AbstractContextManager[None]]
NAME = "my_product"


def locked(seed: int) -> None:
    """Write what DVC says has run."""
    split = {"cmd": "split", "outs": [{"path": "data/splits", "md5": "ab12.dir"}]}
    stages = {"split": split, "train": {"cmd": "train", "params": {"params.yaml": {"seed": seed}}}}
    Path("dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}), encoding="utf-8")


def judged(verdict: str) -> None:
    """Give every requirement the same verdict."""
    path = Path("reports/acceptance.json")
    found = json.loads(path.read_text(encoding="utf-8"))
    found["accepted"] = verdict == "pass"
    found["failed"] = [] if found["accepted"] else [row["id"] for row in found["verdicts"]]
    found["verdicts"] = [row | {"verdict": verdict} for row in found["verdicts"]]
    path.write_text(json.dumps(found), encoding="utf-8")


@pytest.fixture
def store(mlflow: Any, finished: Path, root: Path, git: Callable[..., str]) -> Any:
    """The registry of a project that is committed, accepted and ready to be registered."""
    shutil.copy(root / ".gitignore", ".gitignore")
    locked(seed=1)
    judged("pass")
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "-m", "Begin")
    return mlflow.MlflowClient()


def registered() -> Any:
    """Read what the stage reports."""
    return json.loads(Path("reports/registration.json").read_text(encoding="utf-8"))


def runs(store: Any) -> list[Any]:
    """List the runs of the project."""
    return list(store.search_runs([store.get_experiment_by_name(NAME).experiment_id]))


def holder(store: Any, alias: str) -> str | None:
    """Return the version that an alias names."""
    models = store.search_registered_models()
    found = models[0].aliases.get(alias) if models else None
    return None if found is None else str(found)


def told() -> Any:
    """Read where all pages lead to."""
    return json.loads(Path("reports/provenance.json").read_text(encoding="utf-8"))


def test_all_pages_lead_to_the_day_commit_data_run_and_version(store: Any, config: Any, git: Any) -> None:
    register.run(config)
    (run,) = runs(store)
    known = told()
    assert (known["commit"], known["uncommitted"]) == (git("rev-parse", "HEAD").strip(), False)
    assert (known["data_version"], known["version"], known["verdict"]) == ("ab12.dir", f"{NAME} 1", "accepted")
    assert known["run_link"].endswith(f"/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}")
    page = Path("docs/provenance.md").read_text(encoding="utf-8")
    assert f"[{run.info.run_id[:12]}]({known['run_link']})" in page
    assert f"[{NAME} 1](http://127.0.0.1:5000/#/models/{NAME}/versions/1)" in page
    assert known["date"] in page
    assert git("status", "--porcelain", "docs").split() == ["??", "docs/provenance.md"]


def test_a_rejected_run_is_said_where_all_pages_lead_to(store: Any, config: Any, refused: Refused) -> None:
    register.run(config)
    judged("fail")
    with refused("rejected by"):
        register.run(config)
    assert told()["verdict"] == "rejected"
    assert "version" not in told(), "this run has none, whatever the one before had"


def test_an_accepted_artefact_becomes_a_version_under_the_alias(store: Any, config: Any, git: Any) -> None:
    register.run(config)
    (run,) = runs(store)
    version = store.get_model_version_by_alias(NAME, "champion")
    assert (str(version.version), version.run_id) == ("1", run.info.run_id)
    assert run.data.tags["git.commit"] == git("rev-parse", "HEAD").strip()
    assert run.data.tags["data.version"] == "ab12.dir"
    artefact = sha256(Path("models/model.onnx").read_bytes()).hexdigest()
    assert run.data.tags["artefact.sha256"] == version.tags["artefact.sha256"] == artefact
    assert registered()["artefact_sha256"] == artefact
    assert run.data.params["seed"] == str(config.seed)
    evaluation = json.loads(Path("reports/evaluation.json").read_text(encoding="utf-8"))
    assert run.data.metrics["accuracy"] == pytest.approx(evaluation["metrics"]["accuracy"])
    accuracy = formats.quantity(evaluation["metrics"]["accuracy"], "share")
    assert version.description.startswith(f"accuracy {accuracy}, answers "), "shares as people write them"
    assert f"| {accuracy} | ≥ " in version.description
    assert {entry.dataset.name for entry in run.inputs.dataset_inputs} >= {"train", "test"}
    training = json.loads(Path("reports/training.json").read_text(encoding="utf-8"))
    for name, values in training["history"].items():
        points = store.get_metric_history(run.info.run_id, f"history.{name}")
        assert [point.value for point in points] == pytest.approx(values)
        assert [point.step for point in points] == list(range(len(values)))


def test_registering_again_changes_nothing_and_the_same_bytes_are_the_same_version(store: Any, config: Any) -> None:
    register.run(config)
    first = registered()
    register.run(config)
    assert registered() == first
    assert len(runs(store)) == 1
    locked(seed=2)
    register.run(config)
    assert len(runs(store)) == 2
    assert len(store.search_model_versions(f"name = '{NAME}'")) == 1
    assert told()["version"] == f"{NAME} 1, which run {first['run_id'][:12]} registered first"


def test_a_rejected_run_is_logged_and_moves_no_alias(store: Any, config: Any, product: Any, refused: Refused) -> None:
    register.run(config)
    locked(seed=2)
    judged("fail")
    with refused(f"rejected by {product.requirements[0].id}", "acceptance.json", "make mlflow"):
        register.run(config)
    assert sorted(run.data.tags["verdict"] for run in runs(store)) == ["accepted", "rejected"]
    assert holder(store, "champion") == "1"
    assert len(store.search_model_versions(f"name = '{NAME}'")) == 1


def test_what_was_not_measured_is_named_as_such(store: Any, config: Any, refused: Refused) -> None:
    judged("not measurable")
    path = Path("reports/acceptance.json")
    found = json.loads(path.read_text(encoding="utf-8"))
    found["verdicts"][0]["value"] = None
    path.write_text(json.dumps(found), encoding="utf-8")
    with refused(f"{found['verdicts'][0]['metric']} = not measurable"):
        register.run(config)


def test_uncommitted_code_is_not_registered(store: Any, config: Any, refused: Refused) -> None:
    Path("conf/train.yaml").write_text("parity: 1.0\n", encoding="utf-8")
    with refused("1 uncommitted file(s): conf/train.yaml", "git", "git commit"):
        register.run(config)
    assert store.search_registered_models() == []
    assert runs(store)[0].data.tags["git.dirty"] == "true"


def test_uncommitted_code_can_be_registered_on_purpose_and_is_tagged(store: Any, config: Any) -> None:
    Path("conf/train.yaml").write_text("parity: 1.0\n", encoding="utf-8")
    config.register.allow_dirty = True
    register.run(config)
    assert store.get_model_version_by_alias(NAME, "champion").tags["git.dirty"] == "true"


def test_an_experiment_is_logged_and_not_registered(store: Any, config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "bold-idea")
    register.run(config)
    assert len(runs(store)) == 1
    assert store.search_registered_models() == []
    assert registered()["registered"] is False
    assert registered()["run_id"] == runs(store)[0].info.run_id
    assert registered()["artefact_sha256"] == sha256(Path("models/model.onnx").read_bytes()).hexdigest()


def test_a_rejected_experiment_succeeds_so_that_dvc_keeps_it(
    store: Any, config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged("fail")
    monkeypatch.setenv("DVC_EXP_NAME", "bold-idea")
    register.run(config)
    assert [run.data.tags["verdict"] for run in runs(store)] == ["rejected"]
    assert store.search_registered_models() == []


def test_a_version_that_loads_back_differently_gets_no_alias(
    store: Any, config: Any, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    monkeypatch.setattr(ClientRegistry, "file", lambda *_: Path("models/candidate.onnx"))
    with refused("is not the artefact that was evaluated", f"models:/{NAME}/1"):
        register.run(config)
    assert holder(store, "champion") is None
    assert not Path("reports/registration.json").exists()


def changed(number: int) -> None:
    """Make another artefact, by another pipeline run."""
    model = onnx.load("models/model.onnx")
    model.metadata_props.add(key=f"note {number}", value="other bytes")
    onnx.save(model, "models/model.onnx")
    locked(seed=number)


def test_a_version_that_does_not_beat_the_champion_becomes_the_challenger(
    store: Any, config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    register.run(config)
    changed(2)
    monkeypatch.setattr(register, "challenge", lambda *_: ["R1 accuracy is worse by 0.1"])
    register.run(config)
    assert holder(store, "champion") == "1"
    assert holder(store, "challenger") == "2"
    assert registered()["champion_stays"] == ["R1 accuracy is worse by 0.1"]


def test_a_new_champion_remembers_the_one_before_and_not_the_challenger(
    store: Any, config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, reasons in enumerate([[], ["R1 accuracy is worse by 0.1"], []], start=1):
        changed(number)
        monkeypatch.setattr(register, "challenge", lambda *_, found=reasons: found)
        register.run(config)
    assert (holder(store, "champion"), holder(store, "challenger")) == ("3", None)
    assert store.get_model_version(NAME, "3").tags["champion.before"] == "1"
    register.run(config)
    assert store.get_model_version(NAME, "3").tags["champion.before"] == "1"


def test_what_was_rolled_back_stays_back_until_a_person_promotes_it(
    store: Any, config: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    register.run(config)
    changed(2)
    monkeypatch.setattr(register, "challenge", lambda *_: [])
    register.run(config)
    registry = ClientRegistry()
    registry.crown("1", back=True)
    capsys.readouterr()
    register.run(config)
    assert (holder(store, "champion"), holder(store, "challenger")) == ("1", None)
    assert "version 2 was rolled back" in capsys.readouterr().out
    (reason,) = registered()["champion_stays"]
    assert "make promote VERSION=2" in reason
    assert registered()["alias"] is None
    registry.crown("2")
    register.run(config)
    assert holder(store, "champion") == "2"
    assert registered()["alias"] == "champion"


def test_the_run_keeps_what_made_it(store: Any, config: Any, mlflow: Any) -> None:
    register.run(config)
    version = store.get_model_version_by_alias(NAME, "champion")
    assert len(version.tags["formulation.sha256"]) == 64
    for name in ("dvc.lock", "params.yaml", "product.yaml"):
        kept = mlflow.artifacts.load_text(f"runs:/{version.run_id}/pipeline/{name}")
        assert kept == Path(name).read_text(encoding="utf-8")


def test_a_challenger_that_wins_later_is_no_challenger_any_more(
    store: Any, config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    register.run(config)
    changed(2)
    for reasons in (["R1 accuracy is worse by 0.1"], []):
        monkeypatch.setattr(register, "challenge", lambda *_, found=reasons: found)
        register.run(config)
    assert (holder(store, "champion"), holder(store, "challenger")) == ("2", None)
