import atexit
import fnmatch
import json
import re
import shutil
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import pytest

from laid import TASKS, TEMPLATE, lay_template

ROOT = Path(tempfile.mkdtemp(prefix="project-"))
atexit.register(shutil.rmtree, ROOT, ignore_errors=True)
lay_template(TASKS[0], ROOT)
DOCKERFILES = sorted((ROOT / "docker").glob("*Dockerfile"))
API = ROOT / "docker" / "Dockerfile"
each = pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
TRAINING = ("dvc", "hydra", "matplotlib", "mlflow", "onnx", "optuna", "pandas", "polars", "scikit", "scipy", "skl2onnx")


def stages(file: Path) -> list[list[tuple[str, str]]]:
    """Return the instructions of every stage as (name, arguments)."""
    text = file.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    found: list[list[tuple[str, str]]] = []
    for name, arguments in lines:
        if name == "FROM":
            found.append([])
        found[-1].append((name, arguments))
    return found


def arguments(file: Path, name: str) -> list[str]:
    """Return the arguments of every instruction of this name in the last stage."""
    return [given for instruction, given in stages(file)[-1] if instruction == name]


def groups() -> dict[str, Any]:
    """Return the dependency groups of the project."""
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return dict(metadata["dependency-groups"])


@each
def test_the_process_is_nobody_in_particular(file: Path) -> None:
    (user,) = arguments(file, "USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user), "a number, which Kubernetes can check to be other than root"


@each
def test_every_base_is_pinned_by_a_tag(file: Path) -> None:
    images = [given.split()[0] for stage in stages(file) for name, given in stage if name == "FROM"]
    images += re.findall(r"COPY --from=(\S+[:/]\S+) ", file.read_text(encoding="utf-8"))
    assert len(images) >= 3
    assert [image for image in images if not re.search(r":[\w.-]*\d+\.\d+", image)] == []


@each
def test_the_last_stage_holds_no_build_tool(file: Path) -> None:
    last = "\n".join(f"{name} {given}" for name, given in stages(file)[-1])
    assert "pip uninstall" in last
    assert re.search(r"\b(apt|apk|gcc|make|curl|uv)\b(?!:)", last) is None


@each
def test_the_image_holds_one_dependency_group(file: Path) -> None:
    (group,) = re.findall(r"uv sync --frozen --no-cache --only-group (\w+)", file.read_text(encoding="utf-8"))
    assert group in groups()


def test_the_server_trains_nothing() -> None:
    assert [name for name in groups()["serve"] if re.match(rf"({'|'.join(TRAINING)})\b(?!runtime)", name)] == []


@each
def test_what_is_copied_is_sent_to_the_builder_and_nothing_else(file: Path) -> None:
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    assert "*" in allowed
    copied = [given for stage in stages(file) for name, given in stage if name == "COPY" and "--from" not in given]
    sources = [source for given in copied for source in given.split()[:-1]]
    assert [source for source in sources if f"!{source}" not in allowed] == []
    assert [
        source
        for source in sources
        if source != "uv.lock" and not ((ROOT / source).exists() or (TEMPLATE / source).exists())
    ] == []


def test_neither_data_nor_secrets_nor_models_are_sent_to_the_builder() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = [line[1:] for line in lines if line.startswith("!")]
    for secret in (".env", "data/raw", "models/model.onnx", "mlflow.db", ".git"):
        assert not any(fnmatch.fnmatch(secret, f"{name}*") for name in allowed), secret


@each
def test_no_secret_is_written_into_the_image(file: Path) -> None:
    given = [given for stage in stages(file) for name, given in stage if name in ("ENV", "ARG", "LABEL")]
    assert [text for text in given if re.search(r"(PASSWORD|SECRET|TOKEN|_KEY)\w*=", text)] == []


@each
def test_health_is_asked_of_the_server_itself(file: Path) -> None:
    (check,) = arguments(file, "HEALTHCHECK")
    command = json.loads(check[check.index("CMD") + 3 :])
    path = {"Dockerfile": ":8000/healthz", "tracking.Dockerfile": ":5000/health"}[file.name]
    assert command[0] == "python", "there is no curl"
    assert f"http://127.0.0.1{path}'" in command[2]


@each
def test_the_server_gets_its_signals_itself(file: Path) -> None:
    (command,) = arguments(file, "CMD")
    assert json.loads(command)[0] == "python", "a list, so that no shell stands between"


def test_the_api_runs_the_server_of_this_package() -> None:
    (command,) = arguments(API, "CMD")
    assert json.loads(command) == ["python", "-m", "fullstack_ml.serving"]


def test_only_the_volume_is_written() -> None:
    (volume,) = arguments(API, "VOLUME")
    settings = dict(pair.split("=", 1) for given in arguments(API, "ENV") for pair in given.split())
    assert json.loads(volume) == ["/data"]
    assert settings["SERVE_FOLDER"].startswith("/data/")
    assert settings["SERVE_DATABASE_URL"] == "sqlite:////data/predictions.db"
    assert settings["PYTHONDONTWRITEBYTECODE"] == "1"
    assert "SERVE_OPEN" not in settings, "whoever opens the server to others says so himself"
