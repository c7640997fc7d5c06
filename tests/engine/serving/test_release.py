"""The alias moves to accepted versions alone, and back to the one before."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fullstack_ml.registry.tracking import ClientRegistry
from fullstack_ml.registry.versions import ROLLED_BACK, SHA256
from fullstack_ml.serving import deployment, follow, release

NAME = "my_product"
CHAMPION, CHALLENGER = "champion", "challenger"
HEAVY = ("mlflow", "sklearn", "scipy", "polars", "pandas", "pyarrow", "hydra", "omegaconf", "onnx", "dvc", "httpx")


@pytest.fixture
def client(mlflow: Any) -> Any:
    """A registry with three accepted versions and a rejected one; 1 is champion, 3 is challenger."""
    client = mlflow.MlflowClient()
    client.create_registered_model(NAME)
    for verdict in ("accepted", "accepted", "accepted", "rejected"):
        version = client.create_model_version(NAME, source="models", tags={"verdict": verdict}).version
    assert str(version) == "4"
    client.set_registered_model_alias(NAME, CHAMPION, "1")
    client.set_registered_model_alias(NAME, CHALLENGER, "3")
    return client


def aliases(client: Any) -> dict[str, str]:
    return {alias: str(version) for alias, version in client.get_registered_model(NAME).aliases.items()}


def champion(client: Any) -> str:
    return str(client.get_model_version_by_alias(NAME, CHAMPION).version)


def test_the_challenger_is_promoted_and_rolled_back(client: Any) -> None:
    assert release.promote(ClientRegistry(), None) == ("1", "3")
    assert champion(client) == "3"
    assert aliases(client) == {CHAMPION: "3"}
    assert release.rollback(ClientRegistry()) == ("3", "1")
    assert champion(client) == "1"


def test_a_version_that_was_rolled_back_is_marked_until_it_is_promoted(client: Any) -> None:
    registry = ClientRegistry()
    release.promote(registry, "3")
    release.rollback(registry)
    assert ROLLED_BACK in registry.find("3").tags
    release.promote(registry, "3")
    assert ROLLED_BACK not in registry.find("3").tags


def test_rollback_goes_to_the_replaced_version_and_not_to_the_number_before(client: Any) -> None:
    release.promote(ClientRegistry(), "3")
    release.promote(ClientRegistry(), "2")
    assert release.rollback(ClientRegistry()) == ("2", "3")


def test_a_second_rollback_goes_one_more_step_back(client: Any) -> None:
    release.promote(ClientRegistry(), "2")
    release.promote(ClientRegistry(), "3")
    assert release.rollback(ClientRegistry()) == ("3", "2")
    assert release.rollback(ClientRegistry()) == ("2", "1")


def test_rollback_never_goes_to_a_version_that_was_not_champion(client: Any, refused: Any) -> None:
    client.set_registered_model_alias(NAME, CHAMPION, "3")  # by hand, in MLflow's own pages
    with refused("version 3 replaced none", fix="make promote VERSION=2 (accepted: 1, 2)"):
        release.rollback(ClientRegistry())
    assert champion(client) == "3"


def test_a_new_champion_has_no_challenger_that_was_measured_against_the_old_one(client: Any) -> None:
    release.promote(ClientRegistry(), "2")
    assert aliases(client) == {CHAMPION: "2"}
    client.set_registered_model_alias(NAME, CHALLENGER, "1")
    release.promote(ClientRegistry(), "2")
    assert aliases(client) == {CHAMPION: "2", CHALLENGER: "1"}
    release.rollback(ClientRegistry())
    assert aliases(client) == {CHAMPION: "1"}


def test_the_command_says_how_to_undo_it(
    client: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SERVE_MODEL", "models/model.onnx")
    for action, undo in (("promote", "make rollback"), ("rollback", "make promote VERSION=3")):
        monkeypatch.setattr(sys, "argv", ["release", action])
        release.main()
        assert capsys.readouterr().out.strip().endswith(undo)


def test_a_rejected_or_unknown_version_is_not_promoted(client: Any, refused: Any) -> None:
    for version in ("4", "9"):
        with refused("not accepted", fix="VERSION=3 (accepted: 1, 2, 3)"):
            release.promote(ClientRegistry(), version)
    assert champion(client) == "1"


def test_without_a_challenger_the_other_accepted_versions_are_named(client: Any, refused: Any) -> None:
    client.delete_registered_model_alias(NAME, CHALLENGER)
    with refused("no challenger", fix="make promote VERSION=3 (accepted: 2, 3)"):
        release.promote(ClientRegistry(), None)


def test_no_version_is_named_where_there_is_no_other(mlflow: Any, refused: Any) -> None:
    client = mlflow.MlflowClient()
    with refused("no challenger", fix="make, which registers"):
        release.promote(ClientRegistry(), None)
    client.create_registered_model(NAME)
    client.create_model_version(NAME, source="models", tags={"verdict": "accepted"})
    client.set_registered_model_alias(NAME, CHAMPION, "1")
    with refused("no challenger", fix="make, which registers"):
        release.promote(ClientRegistry(), None)
    with refused("version 1 replaced none", fix="make, which registers"):
        release.rollback(ClientRegistry())


def test_the_first_version_cannot_be_rolled_back(client: Any, refused: Any) -> None:
    with refused("version 1 replaced none"):
        release.rollback(ClientRegistry())


def test_a_version_is_fetched_from_the_store_with_the_bytes_of_its_tag(mlflow: Any) -> None:
    client = mlflow.MlflowClient()
    client.create_registered_model(NAME)
    data = Path("models/model.onnx").read_bytes()
    tags = {SHA256: hashlib.sha256(data).hexdigest()}
    client.create_model_version(NAME, source=str(Path("models").resolve()), tags=tags)
    client.set_registered_model_alias(NAME, CHAMPION, "1")
    for name in Path("models").glob("*.onnx"):
        if name.name != "model.onnx":
            name.unlink()
    assert deployment.bring(ClientRegistry(mlflow), Path("served")) is None
    (arm, version), *others = deployment.fetched(Path("served")).items()
    assert (arm, version.version, others) == (CHAMPION, "1", [])
    assert (Path("served") / version.file).read_bytes() == data


def test_the_server_needs_none_of_the_libraries_that_train(tmp_path: Path) -> None:
    folder = Path(follow.__file__).parent
    names = [
        path.stem for path in folder.glob("*.py") if path.stem not in ("follow", "release", "__main__", "__init__")
    ]
    modules = ", ".join(f"{release.__package__}.{name}" for name in names)
    code = f"import sys, {modules}\nprint(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == ([], "")
