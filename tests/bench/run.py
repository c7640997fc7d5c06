"""Measure everything and print it as Markdown: `make bench`, or `make bench ONLY=generation ROUNDS=9`."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import boosting
import generation
import networks_speed
import scale
import stages
from measure import ROUNDS, machine_class

import lifecycle
from projects import Project, machine

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def inside(script: str, *answers: str, part: str = "") -> None:
    """Run a script that measures parts of a finished project, with its interpreter and in its folder."""
    with tempfile.TemporaryDirectory() as place:
        project = lifecycle.generate(Path(place, "work"), machine(Path(place, "machine")), *answers)
        project.ok("make")
        run_in(project, script, part)


def run_in(project: Project, script: str, part: str = "") -> None:
    """Run a script, or a part of it, in a project, with its interpreter."""
    command = [str(project.folder / ".venv/bin/python"), str(HERE / f"{script}.py"), *([part] if part else [])]
    subprocess.run(command, cwd=project.folder, env=project.variables(), check=True)


def data() -> None:
    """Measure the raw data of both tasks: small images, and large tables."""
    for task in ("image", "tabular"):
        inside("data", f"task={task}-classification")


def batch() -> None:
    """Measure many records at once: rows of a table from file to file, and pictures as arrays."""
    inside("batch", "task=tabular-classification")
    inside("batch", part="arrays")


def models() -> None:
    """Measure the models of every task beside each other, with those of LightGBM and PyTorch."""
    for task in json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))["task"]:
        with tempfile.TemporaryDirectory() as place:
            project = lifecycle.generate(Path(place, "work"), machine(Path(place, "machine")), f"task={task}")
            project.ok("make", "setup", "EXTRAS=--extra lightgbm --extra torch")
            project.ok("dvc", "repro", "evaluate")
            run_in(project, "models")


def page_and_server() -> None:
    """Measure the edge page in Chromium and the server under wrk; both have to be installed."""
    with tempfile.TemporaryDirectory() as place:
        project = lifecycle.generate(Path(place, "work"), machine(Path(place, "machine")))
        for target in ("all", "edge", ".venv-serve/.done"):
            project.ok("make", target)
        for name in ("edge", "serving"):
            command = [
                str(project.folder / ".venv/bin/python"),
                str(HERE / f"{name}.py"),
                str(project.folder),
            ]
            subprocess.run(command, env=project.variables(), check=True)


GROUPS = {
    "generation": generation.main,
    "lifecycle": lifecycle.main,
    "stages": stages.main,
    "boosting": boosting.main,
    "models": models,
    "networks": networks_speed.main,
    "artefact": lambda: inside("artefact"),
    "evaluate": lambda: inside("evaluate"),
    "agreement": lambda: inside("agreement"),
    "batch": batch,
    "monitor": lambda: inside("monitoring", "task=tabular-classification"),
    "data": data,
    "scale": scale.main,
    "deployment": page_and_server,
}


def main() -> None:
    """Run the groups that are asked for; all of them by default."""
    print(f"Medians of {ROUNDS} rounds. {machine_class()}\n", flush=True)
    for name in os.environ.get("ONLY", " ".join(GROUPS)).split():
        GROUPS[name]()


if __name__ == "__main__":
    main()
