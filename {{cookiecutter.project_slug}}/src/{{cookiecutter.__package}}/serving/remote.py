"""The registry of an MLflow tracking server, over its REST API: the server needs no MLflow library.

Reads ``MLFLOW_TRACKING_URI`` and the user or token of MLflow's own variables; writes nothing. The tracking server has
to serve artefacts itself, which is its default.
"""

import base64
import os
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import orjson

from ..errors import UserError
from ..tracking import NAME

SECONDS = 10
# The name under which MLflow's ONNX flavour keeps the file.
FILE = "model.onnx"


class RestRegistry:
    """Versions of the model that is named after the package."""

    name = NAME

    def __init__(self, uri: str) -> None:
        """``uri``: http(s) address of the tracking server."""
        self._uri = uri.rstrip("/")

    def version(self, alias: str) -> tuple[str, dict[str, str]] | None:
        """Return the version that the alias names and its tags, or None where nothing has the alias."""
        try:
            found = self._ask("registered-models/alias", name=self.name, alias=alias)["model_version"]
        except urllib.error.HTTPError as error:
            if error.code in (400, 404):
                return None  # no such alias, or no such model yet
            raise self._silent(error) from error
        return str(found["version"]), {tag["key"]: tag["value"] for tag in found.get("tags", [])}

    def artefact(self, version: str) -> bytes:
        """Return the ONNX file of a version."""
        try:
            place = str(self._ask("model-versions/get-download-uri", name=self.name, version=version)["artifact_uri"])
            parts = urllib.parse.urlsplit(place)
            if parts.scheme in ("", "file") and Path(parts.path, FILE).is_file():
                return Path(parts.path, FILE).read_bytes()
            if parts.scheme == "mlflow-artifacts":
                path = urllib.parse.quote(f"{parts.path.strip('/')}/{FILE}")
                return self._get(f"{self._uri}/api/2.0/mlflow-artifacts/artifacts/{path}")
        except urllib.error.HTTPError as error:
            raise self._silent(error) from error
        fix = "start the tracking server so that it serves artefacts (mlflow server --serve-artifacts)"
        raise UserError(f"version {version} lies in {place}, which is not served", self._uri, fix)

    def _ask(self, what: str, **query: str) -> Any:
        return orjson.loads(self._get(f"{self._uri}/api/2.0/mlflow/{what}?{urllib.parse.urlencode(query)}"))

    def _get(self, url: str) -> bytes:
        request = urllib.request.Request(url, headers=authorization())  # noqa: S310 - http, see Settings.remote
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
                return bytes(answer.read())
        except urllib.error.HTTPError:
            raise
        except OSError as error:
            raise self._silent(error) from error

    def _silent(self, error: Exception) -> UserError:
        fix = "start it; what was fetched before is served meanwhile"
        return UserError(f"the registry does not answer: {error}", "MLFLOW_TRACKING_URI", fix)


def authorization() -> dict[str, str]:
    """Return the header for the user or token that MLflow's own variables name."""
    token, user = os.environ.get("MLFLOW_TRACKING_TOKEN"), os.environ.get("MLFLOW_TRACKING_USERNAME")
    if token:
        return {"Authorization": f"Bearer {token}"}
    if user:
        pair = f"{user}:{os.environ.get('MLFLOW_TRACKING_PASSWORD', '')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}
