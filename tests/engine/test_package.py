"""Importing a module does nothing, and brings in no library that its stage does not need."""

import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import fullstack_ml as package

# Each takes seconds to import. These stages need no model, or only the finished graph.
HEAVY = ("mlflow", "sklearn", "skl2onnx", "matplotlib", "scipy", "optuna")
LIGHT: tuple[str, ...] = ("workspace", "product", "inputs", "answers", "pipeline", "artefact", "registry", "data")
LIGHT += ("modeling.export", "modeling.accept", "modeling.cards", "modeling.study.status")


def modules(*beginnings: str) -> list[str]:
    """List the modules of the package, or those below ``beginnings``."""
    names = [module.name for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    wanted = tuple(f"{package.__name__}.{beginning}" for beginning in beginnings)
    return [name for name in names if not wanted or f"{name}.".startswith(tuple(f"{part}." for part in wanted))]


def run(code: str, folder: Path) -> str:
    """Run ``code`` in a process of its own in ``folder`` and return what it prints."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_does_nothing_and_a_stage_that_fits_no_model_waits_for_no_heavy_library(tmp_path: Path) -> None:
    light, every = modules(*LIGHT), modules()
    assert len(every) > 20
    heavy = f"[name for name in {HEAVY} if name in sys.modules]"
    code = f"import sys, {', '.join(light)}\nassert not {heavy}, {heavy}\nimport {', '.join(every)}"
    assert run(code, tmp_path) == ""
    assert [*tmp_path.iterdir()] == []
