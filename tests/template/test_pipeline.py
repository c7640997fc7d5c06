"""dvc.yaml: every stage depends on all that it reads and reaches, and on nothing else."""

import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

import reach
from fullstack_ml.pipeline import compose
from fullstack_ml.workspace import paths
from laid import PACKAGE, TASKS, TEMPLATE, lay_template

TEXT = (TEMPLATE / "dvc.yaml").read_text(encoding="utf-8").replace("{{cookiecutter.__package}}", PACKAGE)


def stages() -> dict[str, Any]:
    """Read the stages of dvc.yaml with their variables filled in."""
    written = yaml.safe_load(TEXT)
    values = {name: text for part in written["vars"] for name, text in part.items()}
    filled: Any = OmegaConf.to_container(OmegaConf.create({**values, "stages": written["stages"]}), resolve=True)
    return dict(filled["stages"])


STAGES = stages()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new project; only read it."""
    folder = tmp_path_factory.mktemp("pipeline") / "project"
    lay_template(TASKS[0], folder)
    return folder


def named(entries: list[Any]) -> list[str]:
    """Return the paths of deps or outs, with or without options behind them."""
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def outputs(stage: dict[str, Any]) -> list[str]:
    """Return everything that a stage writes."""
    return named([entry for kind in ("outs", "metrics", "plots") for entry in stage.get(kind, [])])


def keys(name: str, file: str = "params.yaml") -> list[str]:
    """Return the keys of a file that a stage lists."""
    entries = STAGES[name].get("params", [])
    if file == "params.yaml":
        return [entry for entry in entries if isinstance(entry, str)]
    return [key for entry in entries if isinstance(entry, dict) for key in entry.get(file, [])]


def commands(name: str) -> list[str]:
    """Return the commands of a stage."""
    command = STAGES[name]["cmd"]
    return [command] if isinstance(command, str) else list(command)


def modules(name: str) -> list[str]:
    """Return the modules that a stage runs, below the engine, its own first."""
    command = STAGES[name]["cmd"]
    lines = [line.split() for line in ([command] if isinstance(command, str) else command)]
    return [words[words.index("-m") + 1].partition(".")[2] for words in lines]


def rooms(name: str) -> set[str]:
    """Return the folders of the engine that a stage depends on."""
    start = "engine/src/fullstack_ml/"
    return {path.removeprefix(start) for path in named(STAGES[name]["deps"]) if path.startswith(start)}


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_is_the_folder_of_its_name(name: str) -> None:
    module = modules(name)[0]
    assert module.rpartition(".")[2] == name
    assert reach.file_of(f"fullstack_ml.{module}.__main__") or name == "compose"


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_the_rooms_that_it_imports_and_on_no_other(name: str) -> None:
    wanted = reach.rooms(modules(name))
    holes, surplus = sorted(wanted - rooms(name)), sorted(rooms(name) - wanted)
    assert (holes, surplus) == ([], []), f"{name}: add {holes}, take out {surplus}"


@pytest.mark.parametrize("name", [name for name in STAGES if name != "compose"])
def test_a_stage_depends_on_the_parts_of_the_product_that_it_can_reach(name: str) -> None:
    wanted = {f"own.{seam.rpartition('.')[2]}" for seam in reach.chosen(modules(name))}
    assert {key for key in keys(name, "contract.json") if key.startswith("own.")} == wanted


def test_every_room_of_the_pipeline_is_reached_by_a_stage() -> None:
    """What no import reaches needs no place among the rooms of stages; commands of people are elsewhere."""
    phases = {f"{phase}/{path.name}" for phase in reach.PHASES for path in (reach.ENGINE / phase).iterdir()}
    phases = {room for room in phases if (reach.ENGINE / room / "__init__.py").is_file()}
    reached = {room for name in STAGES for room in reach.rooms(modules(name))}
    assert phases - reached == {"data/forget", "modeling/study"}


def test_a_package_that_holds_rooms_does_nothing_when_it_is_imported() -> None:
    for name in ("", *reach.PHASES):
        tree = compile((reach.ENGINE / name / "__init__.py").read_text(encoding="utf-8"), name, "exec").co_names
        assert set(tree) <= {"__doc__", "__version__"}


def test_an_import_of_a_module_of_another_stage_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The derivation follows an import inside a function, and a seam."""
    assert "artefact" in reach.rooms(["modeling.train"])
    assert {"inputs", "data.collect.sources"} <= reach.chosen(["data.collect"])
    assert reach.rooms(["data.split"]).isdisjoint({"data/collect", "modeling/train", "registry"})


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_has_a_make_target_with_help(name: str) -> None:
    lines = [line for path in (TEMPLATE / "mk").glob("*.mk") for line in path.read_text(encoding="utf-8").splitlines()]
    assert any(line.startswith(f"{name}: ") and "## " in line for line in lines)


def test_the_keys_of_a_stage_are_composed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    files = {"params.yaml": compose.resolve([]), "contract.json": OmegaConf.create(compose.keys_of_contract())}
    missing = object()
    listed = [(name, file, key) for name in STAGES for file in files for key in keys(name, file)]
    assert listed
    assert [entry for entry in listed if OmegaConf.select(files[entry[1]], entry[2], default=missing) is missing] == []


def test_every_file_that_a_stage_reads_is_written_by_another_or_by_people(project: Path) -> None:
    written = {path for stage in STAGES.values() for path in outputs(stage)}
    by_people = {"data/tombstones.json", "data/labels", "data/rounds"}
    for name, stage in STAGES.items():
        for path in named(stage["deps"]):
            parents = {path, *map(str, Path(path).parents)}
            there = (TEMPLATE / path).exists() or (project / path).exists()
            assert parents & (written | by_people) or there, f"{name} reads {path}"


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
    assert {path.as_posix() for path in [*wanted, paths.CONTRACT]} <= written


def test_only_accept_cards_and_register_read_requirements() -> None:
    readers = {name for name in STAGES if any(key.startswith("requirements") for key in keys(name, "contract.json"))}
    assert readers == {"accept", "cards", "register"}
    assert [name for name in STAGES if "product.yaml" in named(STAGES[name]["deps"])] == ["compose"]


def test_only_the_registration_needs_mlflow() -> None:
    """A network sends its curves there while it learns, and goes on where nobody answers."""
    assert [name for name in STAGES if "registry" in reach.rooms(modules(name))] == ["train", "register"]


def test_the_file_is_short_enough_to_be_read() -> None:
    lines = TEXT.splitlines()
    assert len(lines) <= 120
    assert max(map(len, lines)) <= 160


def test_dvc_reads_the_file(project: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=project, check=True)
    (project / ".dvc").mkdir()
    (project / ".dvc/config").write_text("", encoding="utf-8")
    dvc = [str(Path(sys.executable).with_name("dvc")), "stage", "list", "--name-only"]
    done = subprocess.run(dvc, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == list(STAGES)


def test_threads_that_wait_leave_the_processor_to_others_also_without_make() -> None:
    """With threads that spin, one fit of trees took 41 s where two processors had other work, instead of 3 s."""
    assert all(" OMP_WAIT_POLICY=passive " in command for name in STAGES for command in commands(name))
    assert "export OMP_WAIT_POLICY := passive\n" in (TEMPLATE / "Makefile").read_text(encoding="utf-8")
