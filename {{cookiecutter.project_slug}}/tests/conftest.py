"""The product as it stands: its contract, its model and the records that no training saw.

The model is the one in ``models/``. Where there is none yet, as in a new clone, the stages up to ``evaluate`` run once
in a temporary copy of the project, so that the tests leave nothing behind.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from fullstack_ml.artefact.session import Artefact
from fullstack_ml.pipeline import examples
from fullstack_ml.product import contract
from fullstack_ml.product.types import Product

ROOT = Path(__file__).parents[1]
MADE = ("models/model.onnx", "data/splits/test.parquet")
# What a copy does without: environments, history and what tools keep for themselves.
LEFT = shutil.ignore_patterns(".git", ".venv*", ".dvc", ".uv", "mlflow.db", "mlartifacts", "served", "__pycache__")

ANSWER = yaml.safe_load((ROOT / "product.yaml").read_text(encoding="utf-8"))["formulation"]["answer"]["type"]
OWN = {"label": "test_labels.py", "number": "test_numbers.py", "labels": "test_several_labels.py"}
collect_ignore = sorted({*OWN.values()} - {OWN.get(ANSWER)})  # each for its answer alone

Decide = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(autouse=True, scope="session")
def in_project() -> Iterator[None]:
    """Work in the project's folder, from wherever pytest was started."""
    with contextlib.chdir(ROOT):
        yield


@pytest.fixture(scope="session")
def product(in_project: None) -> Product:
    """What product.yaml says."""
    return contract.load()


@pytest.fixture(scope="session")
def stages() -> dict[str, Any]:
    """The stages of dvc.yaml."""
    written: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    return dict(written["stages"])


@pytest.fixture(scope="session")
def finished(stages: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and a test split: this one, or a copy in which the stages have just run."""
    if all((ROOT / path).is_file() for path in MADE):
        return ROOT
    folder = tmp_path_factory.mktemp("product") / "project"
    shutil.copytree(ROOT, folder, ignore=LEFT)
    environment = os.environ | {"PYTHONPATH": "engine/src:src"}
    for name in ("compose", *list(stages)[1 : list(stages).index("evaluate")]):
        phase = "pipeline" if name == "compose" else "modeling" if name in ("train", "export") else "data"
        command = [sys.executable, "-m", f"fullstack_ml.{phase}.{name}"]
        command += [] if name == "compose" else ["--config-dir", ".", "--config-name", "params"]
        subprocess.run(command, cwd=folder, env=environment, check=True)
    return folder


@pytest.fixture(scope="session")
def model(finished: Path) -> Artefact:
    """The model that would be registered."""
    return Artefact(finished / "models/model.onnx")


@pytest.fixture(scope="session")
def unseen(finished: Path, product: Product) -> examples.Examples:
    """The examples that neither training nor calibration saw."""
    with contextlib.chdir(finished):
        return examples.read("test", product)


@pytest.fixture(scope="session")
def decisions(model: Artefact) -> Decide:
    """Return accept, uncertain or unfamiliar for inputs of the model."""

    def decide(inputs: np.ndarray) -> np.ndarray:
        return model.decide(model.score(inputs))

    return decide


@pytest.fixture(scope="session")
def promised(product: Product) -> Callable[[str, float], float]:
    """Return the threshold that product.yaml sets to a metric, or the number given where it sets none."""
    thresholds = {row.metric: row.threshold for row in reversed(product.requirements)}
    return lambda metric, otherwise: thresholds.get(metric, otherwise)


@pytest.fixture(scope="session")
def least() -> Callable[[float, int], float]:
    """Return how far chance lets a share fall in so many records: four standard deviations."""
    return lambda share, records: share - 4 * float(np.sqrt(share * (1 - share) / records))
