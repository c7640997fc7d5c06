"""The registry of an MLflow tracking server, over its REST API: the server needs no MLflow library.

Reads the address and the user or token from the settings, which have MLflow's own names; writes nothing. The tracking
server has to serve artefacts itself, which is its default.
"""

import base64
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import orjson

from fullstack_ml.registry.tracking import model_name
from fullstack_ml.serving.settings import Settings
from fullstack_ml.workspace.errors import UserError

SECONDS = 10
# The name under which MLflow's ONNX flavour keeps the file.
FILE = "model.onnx"


class RestRegistry:
    """Versions of the model that is named after the package."""

    @property
    def name(self) -> str:
        """Return the name of the registered model."""
        return model_name()

    def __init__(self, settings: Settings) -> None:
        """Take the http(s) address of the tracking server and who asks; a server without users needs nobody."""
        self._uri, self._headers = (settings.tracking_uri or "").rstrip("/"), authorization(settings)

    def version(self, alias: str) -> tuple[str, dict[str, str]] | None:
        """Return the version that the alias names and its tags, or None where nothing has the alias."""
        try:
            found = self._ask("registered-models/alias", name=self.name, alias=alias)["model_version"]
        except urllib.error.HTTPError as error:
            if error.code in (400, 404):
                return None  # no such alias, or no such model yet
            raise self._fault(error) from error
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
            raise self._fault(error) from error
        fix = "start the tracking server so that it serves artefacts (mlflow server --serve-artifacts)"
        raise UserError(f"version {version} lies in {place}, which is not served", self._uri, fix)

    def _ask(self, what: str, **query: str) -> Any:
        return orjson.loads(self._get(f"{self._uri}/api/2.0/mlflow/{what}?{urllib.parse.urlencode(query)}"))

    def _get(self, url: str) -> bytes:
        request = urllib.request.Request(url, headers=self._headers)  # noqa: S310 - http, see Settings.remote
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
                return bytes(answer.read())
        except urllib.error.HTTPError:
            raise
        except OSError as error:
            raise self._fault(error) from error

    def _fault(self, error: Exception) -> UserError:
        if isinstance(error, urllib.error.HTTPError) and error.code in (401, 403):
            sent = "these credentials" if self._headers else "requests without credentials"
            where = "MLFLOW_TRACKING_USERNAME and _PASSWORD, or MLFLOW_TRACKING_TOKEN"
            fix = "correct them in the environment or .env; what was fetched before is served meanwhile"
            return UserError(f"the registry refuses {sent}: {error}", where, fix)
        fix = "start it; what was fetched before is served meanwhile"
        return UserError(f"the registry does not answer: {error}", "MLFLOW_TRACKING_URI", fix)


def authorization(settings: Settings) -> dict[str, str]:
    """Return the header for the user or token; where both are set it is the user, as in MLflow's own client."""
    user, password, token = settings.tracking_username, settings.tracking_password, settings.tracking_token
    if user and password:
        pair = f"{user}:{password.get_secret_value()}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
