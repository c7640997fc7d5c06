"""The pipeline: every stage is a module, a file of conf/ and a make target, and depends on what it reads."""

import ast
import subprocess
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from fullstack_ml.pipeline import compose
from fullstack_ml.workspace import paths

ROOT = Path(__file__).parents[1]
SOURCE = Path(str(paths.__file__)).parent
PACKAGE = SOURCE.name
# How files, errors, settings and records are handled: every stage stands on it, and no result depends on it.
PLUMBING = {"__init__", "config", "contract", "errors", "files", "formulation", "paths", "product", "records", "stage"}
PLUMBING |= {"artefact", "examples", "git", "guide", "index", "manifest", "rejects", "rounds", "shards", "tombstones"}
PLUMBING |= {"tracking"}


def stages() -> dict[str, Any]:
    """Read the stages of dvc.yaml with their variables filled in."""
    written = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    values = {name: text for part in written["vars"] for name, text in part.items()}
    found: Any = OmegaConf.to_container(OmegaConf.create({**values, "stages": written["stages"]}), resolve=True)
    stages: dict[str, Any] = found["stages"]
    return stages


STAGES = stages()


def named(entries: list[Any]) -> list[str]:
    """Return the paths of deps or outs, with or without options behind them."""
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def outputs(stage: dict[str, Any]) -> list[str]:
    """Return everything that a stage writes."""
    return named([entry for kind in ("outs", "metrics", "plots") for entry in stage.get(kind, [])])


def modules(name: str) -> list[Path]:
    """Return the files of the modules that a stage runs, its own first."""
    command = STAGES[name]["cmd"]
    lines = [line.split() for line in ([command] if isinstance(command, str) else command)]
    return [SOURCE.parent / f"{words[words.index('-m') + 1].replace('.', '/')}.py" for words in lines]


def imported(file: Path) -> set[Path]:
    """Return the files of the package that a module imports, at its top or later."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = file.parents[node.level - 1]
        target = base.joinpath(*(node.module or "").split(".")) if node.module else base
        candidates = [target.with_suffix(".py"), *(target / f"{alias.name}.py" for alias in node.names)]
        found |= {path for path in candidates if path.exists()}
    return found


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_is_the_module_of_its_name_and_depends_on_it(name: str) -> None:
    assert modules(name)[0].stem == name
    for file in modules(name):
        assert file.is_file()
        assert str(file.relative_to(ROOT)) in named(STAGES[name]["deps"])


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_has_a_make_target_with_help(name: str) -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert any(f"m{name} " in line.replace("\x1b[0m", " ") for line in done.stdout.splitlines())


@pytest.mark.parametrize("name", STAGES)
def test_the_parameters_of_a_stage_are_in_the_configuration(name: str) -> None:
    composed = compose.resolve([])
    for key in STAGES[name].get("params", []):
        assert OmegaConf.select(composed, key) is not None, key


@pytest.mark.parametrize("name", STAGES)
def test_the_code_that_a_stage_depends_on_exists(name: str) -> None:
    for path in named(STAGES[name]["deps"]):
        assert not path.startswith("src/") or (ROOT / path).exists(), path


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_the_code_that_computes_its_result(name: str) -> None:
    listed = {ROOT / path for path in named(STAGES[name]["deps"])}
    for file in {file for run in modules(name) for file in imported(run)}:
        assert file.stem in PLUMBING or {file, *file.parents} & listed, file


def test_every_file_that_a_stage_reads_is_written_by_another_or_by_people() -> None:
    written = {path for stage in STAGES.values() for path in outputs(stage)}
    for name, stage in STAGES.items():
        for path in named(stage["deps"]):
            parents = {path, *map(str, Path(path).parents)}
            assert parents & written or (ROOT / path).exists(), f"{name} reads {path}"


def test_no_two_stages_write_the_same_file() -> None:
    written = [path for stage in STAGES.values() for path in outputs(stage)]
    assert len(written) == len(set(written))


def test_the_stages_stand_in_the_order_in_which_they_run() -> None:
    writers = {path: name for name, stage in STAGES.items() for path in outputs(stage)}
    before: dict[str, set[str]] = {}
    for name, stage in STAGES.items():
        read = {parent for path in named(stage["deps"]) for parent in (path, *map(str, Path(path).parents))}
        before[name] = {writers[path] for path in read if path in writers}
        before[name] |= {"compose"} if stage.get("params") else set()
    order = list(STAGES)
    assert set(TopologicalSorter(before).static_order()) == set(order)
    for name, earlier in before.items():
        assert all(order.index(other) < order.index(name) for other in earlier), name


def test_each_report_and_artefact_of_paths_is_written_by_a_stage() -> None:
    written = {path for stage in STAGES.values() for path in outputs(stage)}
    wanted = [paths.RAW, paths.LABELLED, paths.SPLITS, paths.CANDIDATE, paths.MODEL, paths.PARAMS, paths.FIGURES]
    wanted += [paths.VALIDATION, paths.AGREEMENT, paths.TRAINING, paths.EVALUATION, paths.METRICS, paths.PERFORMANCE]
    wanted += [paths.ACCEPTANCE, paths.REGISTRATION, paths.REQUIREMENTS_PAGE, paths.DATA_CARD, paths.MODEL_CARD]
    assert {str(path) for path in wanted} <= written


def test_only_the_registration_imports_mlflow_through_tracking() -> None:
    assert [name for name in STAGES if SOURCE / "tracking.py" in imported(modules(name)[0])] == ["register"]
