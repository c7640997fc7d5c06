"""dvc.yaml fits the project: every stage can be started, and every key that it names is there."""

import importlib.util
import re
import subprocess
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from fullstack_ml.pipeline import compose

ROOT = Path(__file__).parents[1]


def commands(stage: dict[str, Any]) -> list[str]:
    """Return the modules that a stage runs: the engine's, or those of this product's own stages."""
    lines = [stage["cmd"]] if isinstance(stage["cmd"], str) else stage["cmd"]
    return [re.findall(r" -m (\S+)", line.replace("${run}", "python -m fullstack_ml"))[0] for line in lines]


def test_every_stage_is_a_module_that_can_be_started(stages: dict[str, Any]) -> None:
    modules = [module for stage in stages.values() for module in commands(stage)]
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []


def test_every_key_that_a_stage_names_is_in_the_configuration(stages: dict[str, Any]) -> None:
    composed = compose.resolve([])
    keys = {key for stage in stages.values() for key in stage.get("params", []) if isinstance(key, str)}
    assert sorted(key for key in keys if OmegaConf.select(composed, key) is None) == []


def test_dvc_reads_the_pipeline() -> None:
    done = subprocess.run(
        ["dvc", "stage", "list", "--name-only"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
