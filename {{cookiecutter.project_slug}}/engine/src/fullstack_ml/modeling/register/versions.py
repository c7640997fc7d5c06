"""Registered versions of the model: make one, load it back, move the alias.

Reads ``models/model.onnx``; writes to the MLflow registry.
"""

from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from fullstack_ml.artefact.session import Artefact
from fullstack_ml.modeling.register.runlog import verdict_table
from fullstack_ml.pipeline.examples import read
from fullstack_ml.product.types import Product
from fullstack_ml.registry import tracking
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import read_json, sha256
from fullstack_ml.workspace.paths import METRICS, MODEL

BEFORE = "champion.before"  # the tag that names the version which a champion replaced


def checked_version(mlflow: Any, run_id: str, tags: dict[str, str], product: Product) -> str:
    """Register the artefact of ``run_id``, load it back and compare; return its version.

    The same bytes are the same version, however often and from whichever run they are registered.
    """
    client = mlflow.MlflowClient()
    query = f"name = '{tracking.model_name()}' and tags.`artefact.sha256` = '{tags['artefact.sha256']}'"
    known = client.search_model_versions(query)
    version = str(known[0].version) if known else register(mlflow, run_id, tags, product)
    check_loaded(mlflow, version, product)
    return version


def register(mlflow: Any, run_id: str, tags: dict[str, str], product: Product) -> str:
    """Log the artefact to the run and make it a new version with the run's tags."""
    client = mlflow.MlflowClient()
    example = read("validation", product).inputs[:2]
    with mlflow.start_run(run_id=run_id):
        logged = mlflow.onnx.log_model(
            onnx.load(MODEL),
            name="model",
            signature=signature(product, example),
            pip_requirements=[f"{name}=={installed(name)}" for name in ("onnx", "onnxruntime", "numpy")],
            save_as_external_data=False,
            registered_model_name=tracking.model_name(),
        )
    version = str(logged.registered_model_version)
    scores = read_json(METRICS)
    said = f"accuracy {scores['accuracy']:.3f}, answers {scores['answered_share']:.0%}"
    client.update_model_version(tracking.model_name(), version, description=f"{said}\n\n{verdict_table()}")
    for key, value in tags.items():
        client.set_model_version_tag(tracking.model_name(), version, key, value)
    return version


def signature(product: Product, example: np.ndarray) -> Any:
    """Describe the graph's input and output to MLflow; the first dimension is the records."""
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    given = TensorSpec(example.dtype, (-1, *example.shape[1:]), product.formulation.input.name)
    answer = TensorSpec(np.dtype(np.float32), (-1, len(product.formulation.answer.labels)), "probabilities")
    strange = TensorSpec(np.dtype(np.float32), (-1,), "novelty")
    return ModelSignature(Schema([given]), Schema([answer, strange]))


def crown(client: Any, version: str, back: bool = False) -> str | None:
    """Make ``version`` the champion and return the one before, which its tag remembers unless the step goes ``back``.

    A challenger loses its alias: what was measured is that it does not beat the champion before.
    """
    aliases = tracking.aliases(client)
    before = aliases.get(tracking.CHAMPION)
    if before and before != version and not back:
        client.set_model_version_tag(tracking.model_name(), version, BEFORE, before)
    client.set_registered_model_alias(tracking.model_name(), tracking.CHAMPION, version)
    if tracking.CHALLENGER in aliases and (before != version or aliases[tracking.CHALLENGER] == version):
        client.delete_registered_model_alias(tracking.model_name(), tracking.CHALLENGER)
    return before


def download(mlflow: Any, version: str) -> Path:
    """Fetch a registered version and return the path of its ONNX file."""
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{tracking.model_name()}/{version}"))
    return next(folder.rglob("*.onnx"))


def check_loaded(mlflow: Any, version: str, product: Product) -> None:
    """Raise unless the registered file has the bytes that were evaluated and answers the same."""
    loaded = download(mlflow, version)
    inputs = read("validation", product).inputs[:100]
    back, here = Artefact(loaded).score(inputs), Artefact(MODEL).score(inputs)
    same = np.array_equal(back.outputs, here.outputs) and np.array_equal(back.novelty, here.novelty)
    if sha256(loaded) != sha256(MODEL) or not same:
        what = f"version {version} loaded back is not the artefact that was evaluated"
        raise UserError(
            what, f"models:/{tracking.model_name()}/{version}", "delete the version and run dvc repro register"
        )
