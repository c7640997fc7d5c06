"""A stage as DVC and people call it: its own process, three lines for a mistake, no files but its outputs."""

import subprocess
import sys
from pathlib import Path

import pytest

AS_DVC_DOES = ("--config-dir", ".", "--config-name", "params")


def call(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module of the package in the working folder."""
    command = [sys.executable, "-m", f"fullstack_ml.{module}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def files(folder: Path) -> dict[Path, bytes]:
    """Read every file below ``folder``, but for what Python compiled of the product's own modules."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.parent.name != "__pycache__"]
    return {path: path.read_bytes() for path in found}


@pytest.mark.parametrize("arguments", [(), AS_DVC_DOES], ids=["by-hand", "by-dvc"])
def test_a_stage_writes_its_outputs_and_nothing_else(arguments: tuple[str, ...], finished: Path) -> None:
    before = files(finished)
    done = call("modeling.accept", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert files(finished) == before


def test_the_composed_file_counts_under_dvc(finished: Path) -> None:
    text = Path("params.yaml").read_text(encoding="utf-8")
    Path("params.yaml").write_text(text.replace("aggregation: ", "aggregation: no-"), encoding="utf-8")
    assert call("data.label", *AS_DVC_DOES).returncode == 1
    assert call("data.label").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "what", "fix"),
    [
        (("train.partiy=1",), "partiy", ""),
        (("+train.partiy=1",), "'partiy'", "'parity'"),
        (("split.shares.test=none",), "split.shares", ""),
        (("model=mpl",), "mpl", ""),
    ],
    ids=["misspelled-key", "new-key", "wrong-type", "unknown-choice"],
)
def test_a_mistake_on_the_command_line_is_three_lines_and_code_1(
    arguments: tuple[str, ...], what: str, fix: str, project: Path
) -> None:
    before = files(project)
    done = call("data.split", *arguments)
    assert done.returncode == 1
    error, where, advice = done.stderr.splitlines()
    assert error.startswith("error: ")
    assert where.startswith("where: ")
    assert advice.startswith("fix: ")
    assert what in error
    assert fix in advice
    assert files(project) == before


def test_a_mistake_in_the_data_is_three_lines_and_code_1(finished: Path) -> None:
    before = files(finished)
    done = call("data.split", "split.shares.train=0.1")
    assert done.returncode == 1
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["error", "where", "fix"]
    assert files(finished) == before


@pytest.mark.parametrize(
    ("module", "missing"),
    [
        ("data.label", "data/labelled.parquet"),
        ("data.split", "data/labelled.parquet"),
        ("data.split.leakage", "data/labelled.parquet"),
        ("modeling.train", "data/splits/train.parquet"),
        ("modeling.export", "data/splits/calibration.parquet"),
        ("modeling.evaluate", "models/model.onnx"),
        ("modeling.accept", "reports/"),
        ("modeling.cards", "params.yaml"),
        ("modeling.register", "reports/acceptance.json"),
        ("modeling.study.ablate", "data/splits/train.parquet"),
        ("modeling.study.compare", "no exported model"),
        ("data.validate", "data/raw"),
    ],
)
def test_a_stage_before_its_input_says_what_makes_it(module: str, missing: str, project: Path) -> None:
    before = files(project)
    done = call(module)
    assert done.returncode == 1
    error, _, advice = done.stderr.splitlines()
    assert missing in error
    assert "dvc repro" in advice
    assert files(project) == before


def test_a_programming_error_keeps_its_traceback(finished: Path) -> None:
    Path("reports/evaluation.json").write_text("{}", encoding="utf-8")
    done = call("modeling.accept")
    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
    assert "KeyError" in done.stderr
