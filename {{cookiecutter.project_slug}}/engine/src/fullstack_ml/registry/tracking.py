"""The MLflow store: where it is, and one run per pipeline run.

Reads ``MLFLOW_TRACKING_URI`` and ``dvc.lock``; writes runs. Without the variable the store is ``mlflow.db`` in the
project's root, also from DVC's temporary copies of the project.
"""

import hashlib
import json
import logging
import os
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import yaml

from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.seams import package_name

# Aliases: the version that answers, and an accepted one that did not beat it.
CHAMPION, CHALLENGER = "champion", "challenger"
DEFAULTS = {
    # A server that does not answer is a three-line error after seconds; MLflow's own default is minutes.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}


def model_name() -> str:
    """Return the name of the experiment and of the registered model: that of the project's package."""
    return package_name()


def project_root() -> Path:
    """Return the project's root, also when DVC runs a queued experiment in a copy below ``.dvc/tmp/exps``."""
    here = Path.cwd()
    parents = [parent.parent for parent in (here, *here.parents) if parent.name == ".dvc"]
    return parents[0] if parents else here


def tracking_uri() -> str:
    """Return ``MLFLOW_TRACKING_URI``, or the absolute URI of the local store."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{project_root() / 'mlflow.db'}"


def connect() -> Any:
    """Import MLflow, point it at the store and make the experiment; return the ``mlflow`` module.

    Raises:
        UserError: if the store does not answer.
    """
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    uri = tracking_uri()
    shown = without_password(uri)
    where = "MLFLOW_TRACKING_URI" if "MLFLOW_TRACKING_URI" in os.environ else "the local store"
    fix = "start the server or correct the variable, then run dvc repro register"
    if uri.startswith("http"):
        try:
            urllib.request.urlopen(uri.rstrip("/") + "/health", timeout=5).close()  # noqa: S310 - http, checked above
        except OSError as error:
            raise UserError(f"the tracking server {shown} does not answer: {error}", where, fix) from error
    import mlflow  # slow to import, so only once the server is known to answer

    logging.getLogger("alembic").setLevel(logging.ERROR)
    try:
        mlflow.set_tracking_uri(uri)
        experiment = mlflow.get_experiment_by_name(model_name())
        if experiment is None:
            folder = None if uri.startswith("http") else (project_root() / "mlartifacts").as_uri()
            mlflow.create_experiment(model_name(), artifact_location=folder)
        mlflow.set_experiment(model_name())
    except Exception as error:
        raise UserError(
            f"the tracking store {shown} is not usable: {str(error).splitlines()[0]}", where, fix
        ) from error
    return mlflow


def without_password(uri: str) -> str:
    """Hide the password of a URI, so that it stands in no log."""
    parts = urlsplit(uri)
    place = parts.netloc.rpartition("@")[2]
    return uri if not parts.password else urlunsplit(parts._replace(netloc=f"{parts.username}:***@{place}"))


def locked_stages(before: str) -> dict[str, Any]:
    """Return the entries of ``dvc.lock`` for the stages other than ``before``: what exactly ran, by hash.

    Raises:
        UserError: if the pipeline has not run.
    """
    path = Path("dvc.lock")
    if not path.exists():
        raise UserError("dvc.lock is not there", str(path.resolve().parent), "run dvc repro, which runs every stage")
    stages: dict[str, Any] = yaml.safe_load(path.read_text())["stages"]
    return {name: entry for name, entry in sorted(stages.items()) if name != before}


def pipeline_id(stages: dict[str, Any]) -> str:
    """Name a pipeline run by a hash of what ran, so that the same run is found again on any store."""
    return hashlib.sha256(json.dumps(stages, sort_keys=True).encode()).hexdigest()[:32]


def data_version(stages: dict[str, Any]) -> str:
    """Return the hash under which DVC keeps ``data/splits``."""
    outs = stages.get("split", {}).get("outs", [])
    return next((str(out["md5"]) for out in outs if out["path"] == "data/splits"), "unknown")


def flatten(value: Any, prefix: str = "") -> dict[str, str]:
    """Turn nested settings into dotted MLflow parameters."""
    if not isinstance(value, dict):
        return {prefix: str(value)}
    return {k: v for key, part in value.items() for k, v in flatten(part, f"{prefix}.{key}" if prefix else key).items()}


def aliases(client: Any) -> dict[str, str]:
    """Return the version that each alias of the registered model names; none where no version is registered."""
    models = client.search_registered_models(f"name = '{model_name()}'")
    return {alias: str(version) for model in models for alias, version in model.aliases.items()}


def find_run(mlflow: Any, tags: dict[str, str]) -> str | None:
    """Return the id of the newest run that carries all ``tags``."""
    query = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
    runs = mlflow.search_runs(filter_string=query, max_results=1, output_format="list")
    return str(runs[0].info.run_id) if runs else None
