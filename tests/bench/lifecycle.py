"""The lifecycle: from an empty folder to a registered model, and what DVC adds to the work that it orders.

Every round works on fresh folders, with a warm package cache: no data, no cache of DVC, no MLflow store.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from measure import rounds, seconds, table, verdict

from projects import Project, machine

ROOT = Path(__file__).resolve().parents[2]
WHOLE, REPRO, NOTHING, FULL = 35.0, 30.0, 1.5, 2.2

# All stages, in the order of dvc.yaml, as functions of one process; `register` reads a dvc.lock.
ONE_PROCESS = """
import importlib
from omegaconf import OmegaConf
from fullstack_ml.pipeline import compose, stage
compose.main()
settings = stage.typed(OmegaConf.load("params.yaml"))
for module in {modules}:
    importlib.import_module(module if module.endswith("leakage") else f"{{module}}.__main__").run(settings)
"""


def generate(place: Path, environment: dict[str, str], *answers: str) -> Project:
    """Type the first command: generate the default project, or one of other answers, into an empty folder."""
    command = [sys.executable, "-m", "cookiecutter", str(ROOT), "--no-input", "--default-config"]
    subprocess.run([*command, "--output-dir", str(place), *answers], env=environment, check=True)
    return Project(place / "my-product", environment)


def whole(place: Path, environment: dict[str, str]) -> float:
    """Measure the two commands that a person types, and drop what they made."""
    taken = seconds(lambda: generate(place, environment).ok("make"))
    shutil.rmtree(place)
    return taken


def commands(project: Project) -> dict[str, list[list[str]]]:
    """Return the commands of every stage, in the order of dvc.yaml, which is the order in which they run."""
    document = yaml.safe_load((project.folder / "dvc.yaml").read_text(encoding="utf-8"))
    values = {name: text for variables in document["vars"] for name, text in variables.items()}
    found = {}
    for name, stage in document["stages"].items():
        lines = [stage["cmd"]] if isinstance(stage["cmd"], str) else stage["cmd"]
        for variable, text in values.items():
            lines = [line.replace(f"${{{variable}}}", text) for line in lines]
        found[name] = [line.split() for line in lines]
    return found


def full(project: Project, place: Path, *command: str, lock: bool) -> float:
    """Measure a command that does all the work in a clone that holds none of it yet."""
    clone = project.clone(place)
    if lock:
        shutil.copy(project.folder / "dvc.lock", clone.folder)
    taken = seconds(lambda: clone.ok(*command))
    assert clone.json("reports/registration.json")["registered"], "the work was not done"
    shutil.rmtree(place)
    return taken


def empty_stages(project: Project, place: Path, count: int) -> Project:
    """Make and run a pipeline of as many stages, each of which copies one file."""
    empty = project.clone(place)
    shutil.rmtree(empty.folder / ".git")
    stages = {f"s{i}": {"cmd": f"cp f{i} f{i + 1}", "deps": [f"f{i}"], "outs": [f"f{i + 1}"]} for i in range(count)}
    (empty.folder / "f0").write_text("0\n", encoding="utf-8")
    (empty.folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}), encoding="utf-8")
    empty.ok("git", "init", "--quiet")
    empty.ok("dvc", "repro")
    return empty


def main() -> None:
    """Print the tables of the lifecycle."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        environment = machine(place / "machine")
        project = generate(place, environment)
        project.ok("make")
        stages = commands(project)
        nothing = empty_stages(project, place / "empty", len(stages))
        # … python -m <module> …; the first one is compose.
        modules = [line[line.index("-m") + 1] for lines in stages.values() for line in lines]
        code = ONE_PROCESS.format(modules=modules[1:])
        took = rounds(
            {
                "whole": lambda: whole(place / "whole", environment),
                "repro": lambda: full(project, place / "repro", "dvc", "repro", lock=False),
                "process": lambda: full(project, place / "process", "python", "-c", code, lock=True),
                "nothing": lambda: seconds(lambda: project.ok("dvc", "repro")),
                "empty": lambda: seconds(lambda: nothing.ok("dvc", "repro")),
            }
        )
    report(took, len(stages))


def report(took: dict[str, float], stages: int) -> None:
    """Print what was measured against what is wanted."""
    rows = [
        [
            "empty folder to registered model",
            f"{took['whole']:.1f}",
            f"<= {WHOLE:g}",
            verdict(took["whole"], WHOLE),
        ],
        ["`dvc repro`, everything", f"{took['repro']:.1f}", f"<= {REPRO:g}", verdict(took["repro"], REPRO)],
    ]
    note = "First `cookiecutter` and `make`, with packages in uv's cache; then a clone without any data."
    table("From nothing to a model", ["what is typed", "seconds", "target", ""], rows, note)
    nothing, full = took["nothing"] / took["empty"], took["repro"] / took["process"]
    rows = [
        [f"`dvc repro`, nothing to do, {stages} stages", f"{took['nothing']:.2f}", f"{took['empty']:.2f}"],
        ["`dvc repro`, everything", f"{took['repro']:.2f}", f"{took['process']:.2f}"],
    ]
    rows[0] += [f"{nothing:.2f}", f"<= {NOTHING}", verdict(nothing, NOTHING)]
    rows[1] += [f"{full:.2f}", f"<= {FULL:g}", verdict(full, FULL)]
    note = "Compared: as many stages that copy one file each; all stages as functions of one Python process."
    table("What the pipeline adds", ["what", "seconds", "compared", "ratio", "target", ""], rows, note)


if __name__ == "__main__":
    main()
