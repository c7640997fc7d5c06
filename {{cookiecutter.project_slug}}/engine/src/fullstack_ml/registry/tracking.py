"""The MLflow store: where it is, one run per pipeline run, and its registry.

Reads ``MLFLOW_TRACKING_URI``, ``MLFLOW_DEFAULT_ARTIFACT_ROOT`` and ``dvc.lock``; writes runs and versions. Without the
variables the store is ``mlflow.db`` with ``mlartifacts/`` in the project's root, also from DVC's copies of the project.
"""

import hashlib
import json
import logging
import os
import re
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import yaml

from fullstack_ml.registry import local
from fullstack_ml.registry.versions import Registry, Version, model_name
from fullstack_ml.workspace.errors import UserError, first_line, unwritable
from fullstack_ml.workspace.paths import LOCK, project_root

# The pages of MLflow open on runs then, not on the traces of an agent.
KIND = {"mlflow.experimentKind": "custom_model_development"}
LOCAL = "http://127.0.0.1:5000"  # where make mlflow opens, unless told otherwise
LONGEST = 250  # characters that MLflow takes as the name of a metric or parameter
DEFAULTS = {
    # A server that does not answer is a three-line error after seconds; MLflow's own default is minutes.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}
# A shell that another training left open: its run would go on with these, and the versions be in another registry.
OF_ANOTHER = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_REGISTRY_URI")


def tracking_uri() -> str:
    """Return ``MLFLOW_TRACKING_URI``, or the URI of the local store."""
    if given := os.environ.get("MLFLOW_TRACKING_URI"):
        return given
    store = str(project_root() / "mlflow.db")
    # Signs of a URI, and MLflow makes a folder of what would escape them: such a store is named from here.
    return f"sqlite:///{os.path.relpath(store) if re.search('[%?]', store) else store}"


def local_store() -> Path | None:
    """Return the file of a store in SQLite, or None for a server or another database."""
    prefix, _, path = tracking_uri().partition(":///")
    return Path(path) if prefix == "sqlite" else None


def artifact_root() -> str | None:
    """Return where files of runs and versions go: beside a store in SQLite; None where a tracking server decides.

    Raises:
        UserError: if the store is a database that others reach and nothing says where its files go: in a folder of
            this machine nobody else would find them.
    """
    root = os.environ.get("MLFLOW_DEFAULT_ARTIFACT_ROOT")
    if root or tracking_uri().startswith("http"):
        return root or None
    store = local_store()
    if store:
        return (store.absolute().parent / "mlartifacts").as_uri()
    what = f"nothing says where the files of {without_password(tracking_uri())} go"
    fix = "set it to a place that all of the team reach, such as s3://bucket/path; a server (http) needs none"
    raise UserError(what, "MLFLOW_DEFAULT_ARTIFACT_ROOT", fix)


def connect() -> Any:
    """Import MLflow, point it at the store and make the experiment; return the ``mlflow`` module.

    Raises:
        UserError: if the store does not answer.
    """
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    for name in OF_ANOTHER:
        os.environ.pop(name, None)
    uri = tracking_uri()
    shown = without_password(uri)
    where = "MLFLOW_TRACKING_URI" if "MLFLOW_TRACKING_URI" in os.environ else "the local store"
    fix = "start the server or correct the variable, then make"
    if uri.startswith("http"):
        try:
            urllib.request.urlopen(uri.rstrip("/") + "/health", timeout=5).close()  # noqa: S310 - http, checked above
        except OSError as error:
            raise UserError(f"the tracking server {shown} does not answer: {error}", where, fix) from error
    _open_experiment(uri, shown, where, fix)
    import mlflow

    return mlflow


def _open_experiment(uri: str, shown: str, where: str, fix: str) -> None:
    """Make the experiment in the store, or bring it back where it was deleted."""
    import mlflow  # slow to import, so only once the server is known to answer

    logging.getLogger("alembic").setLevel(logging.ERROR)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # a traceback of what is told in three lines
    local.escape_percent()
    try:
        mlflow.set_tracking_uri(uri)
        with local.alone(local_store()):
            if store := local_store():
                local.bring_home(store, artifact_root())
            experiment = mlflow.get_experiment_by_name(model_name())
            if experiment is None:
                mlflow.create_experiment(model_name(), artifact_location=artifact_root(), tags=KIND)
            elif experiment.lifecycle_stage != "active":
                print(f"mlflow: the experiment {model_name()} was deleted and is brought back, with its runs")
                mlflow.MlflowClient().restore_experiment(experiment.experiment_id)
        mlflow.set_experiment(model_name())
    except UserError:
        raise
    except Exception as error:
        what = f"the tracking store {shown} is not usable: {first_line(error)}"
        raise unwritable(error) or UserError(what, where, fix) from error


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
    if not LOCK.exists():
        raise UserError("dvc.lock is not there", str(LOCK.resolve().parent), "run dvc repro, which runs every stage")
    stages: dict[str, Any] = yaml.safe_load(LOCK.read_text(encoding="utf-8"))["stages"]
    return {name: entry for name, entry in sorted(stages.items()) if name != before}


def pipeline_id(stages: dict[str, Any]) -> str:
    """Name a pipeline run by a hash of what ran, so that the same run is found again on any store."""
    return hashlib.sha256(json.dumps(stages, sort_keys=True).encode()).hexdigest()[:32]


def page_of(part: str) -> str:
    """Return the address of a part of MLflow's pages; on this machine it answers while ``make mlflow`` runs."""
    uri = tracking_uri()
    return f"{without_password(uri).rstrip('/') if uri.startswith('http') else LOCAL}/#/{part}"


def flatten(value: Any, prefix: str = "") -> dict[str, str]:
    """Turn nested settings into dotted MLflow parameters."""
    if not isinstance(value, dict):
        return {entity_name(prefix): str(value)}
    return {k: v for key, part in value.items() for k, v in flatten(part, f"{prefix}.{key}" if prefix else key).items()}


def entity_name(text: str) -> str:
    """Return ``text`` as the name of a metric or parameter: any label or slice has one, and no two the same.

    What MLflow does not take, and the slash at which its pages divide names, becomes a colon and the character's code:
    ``C++`` is ``C:2b:2b``. A name that is too long is cut and ends in a digest.
    """
    name = re.sub(r"[^\w.\- ]", lambda character: f":{ord(character[0]):x}", text)
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 17]}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def find_run(mlflow: Any, tags: dict[str, str]) -> str | None:
    """Return the id of the newest run that carries all ``tags``."""
    query = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
    runs = mlflow.search_runs(filter_string=query, max_results=1, output_format="list")
    return str(runs[0].info.run_id) if runs else None


class ClientRegistry(Registry):
    """Versions by MLflow's client, in the store that ``connect()`` chose."""

    def __init__(self, mlflow: Any = None) -> None:
        """``mlflow``: the connected module; without it, connect."""
        self._mlflow = mlflow or connect()
        self._client = self._mlflow.MlflowClient()

    def aliases(self) -> dict[str, str]:
        """Return the number that each alias names."""
        models = self._client.search_registered_models(f"name = '{self.name}'")
        return {alias: str(number) for model in models for alias, number in model.aliases.items()}

    def versions(self) -> list[Version]:
        """Return every version, the oldest first."""
        versions = map(_version, self._client.search_model_versions(f"name = '{self.name}'"))
        return sorted(versions, key=lambda version: int(version.number))

    def holder(self, alias: str) -> Version | None:
        """Return the version that the alias names, or None."""
        try:
            return _version(self._client.get_model_version_by_alias(self.name, alias))
        except self._mlflow.exceptions.MlflowException:
            return None

    def file(self, number: str) -> Path:
        """Fetch a version and return the path of its ONNX file."""
        folder = Path(self._mlflow.artifacts.download_artifacts(f"models:/{self.name}/{number}"))
        return next(folder.rglob("*.onnx"))

    def artefact(self, number: str) -> bytes:
        """Return the ONNX file of a version."""
        return self.file(number).read_bytes()

    def text(self, version: Version, path: str) -> str:
        """Return a text that the run of a version keeps.

        Raises:
            UserError: if the run does not keep it.
        """
        try:
            return str(self._mlflow.artifacts.load_text(f"runs:/{version.run_id}/{path}"))
        except Exception as error:  # what a store raises for "not there" differs from store to store
            commit = version.tags.get("git.commit", "unknown")
            fix = f"git checkout {commit}, the commit that made it, then dvc repro"
            none = UserError(f"the run of version {version.number} keeps no {path}", self.place, fix)
            raise unwritable(error) or none from error

    def set_alias(self, alias: str, number: str | None) -> None:
        """Let ``alias`` name the version, or no version."""
        if number is None:
            self._client.delete_registered_model_alias(self.name, alias)
        else:
            self._client.set_registered_model_alias(self.name, alias, number)

    def set_tag(self, number: str, tag: str, value: str | None) -> None:
        """Give a version a tag, or take it away."""
        if value is None:
            self._client.delete_model_version_tag(self.name, number, tag)
        else:
            self._client.set_model_version_tag(self.name, number, tag, value)


def _version(row: Any) -> Version:
    return Version(str(row.version), dict(row.tags), str(row.run_id or ""))
