"""The registry of an MLflow tracking server, over its REST API: needs no MLflow library.

Reads and writes at ``MLFLOW_TRACKING_URI``. The tracking server has to serve artefacts itself, which is its default.
"""

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from fullstack_ml.registry.versions import Registry, Version
from fullstack_ml.workspace.errors import UserError

SECONDS = 10
# The name under which MLflow's ONNX flavour keeps the file.
FILE = "model.onnx"


class RestRegistry(Registry):
    """Versions on the tracking server at ``uri`` (http or https)."""

    def __init__(self, uri: str, headers: dict[str, str] | None = None) -> None:
        """``headers`` say who asks, see ``authorization()``; a server without users needs none."""
        self._uri, self._headers = uri.rstrip("/"), headers or {}

    def aliases(self) -> dict[str, str]:
        """Return the number that each alias names."""
        found = self._ask("registered-models/get", missing={}, name=self.name)
        return {row["alias"]: str(row["version"]) for row in found.get("registered_model", {}).get("aliases", [])}

    def versions(self) -> list[Version]:
        """Return every version, the oldest first."""
        versions, token = [], ""
        while True:
            query = {"filter": f"name = '{self.name}'", **({"page_token": token} if token else {})}
            page = self._ask("model-versions/search", **query)
            versions += [_version(row) for row in page.get("model_versions", [])]
            token = page.get("next_page_token", "")
            if not token:
                return sorted(versions, key=lambda version: int(version.number))

    def holder(self, alias: str) -> Version | None:
        """Return the version that the alias names, or None."""
        found = self._ask("registered-models/alias", missing=None, name=self.name, alias=alias)
        return found and _version(found["model_version"])

    def artefact(self, number: str) -> bytes:
        """Return the ONNX file of a version."""
        place = str(self._ask("model-versions/get-download-uri", name=self.name, version=number)["artifact_uri"])
        parts = urllib.parse.urlsplit(place)
        path = urllib.parse.unquote(parts.path) if parts.scheme == "file" else place
        if parts.scheme in ("", "file") and Path(path, FILE).is_file():
            return Path(path, FILE).read_bytes()
        if parts.scheme == "mlflow-artifacts":
            path = urllib.parse.quote(f"{parts.path.strip('/')}/{FILE}")
            return self._send("GET", f"mlflow-artifacts/artifacts/{path}")
        fix = "start the tracking server so that it serves artefacts (mlflow server --serve-artifacts)"
        raise UserError(f"version {number} lies in {place}, which is not served", self._uri, fix)

    def set_alias(self, alias: str, number: str | None) -> None:
        """Let ``alias`` name the version, or no version."""
        named = {"name": self.name, "alias": alias}
        method, body = ("DELETE", named) if number is None else ("POST", {**named, "version": number})
        self._send(method, "mlflow/registered-models/alias", body)

    def set_tag(self, number: str, tag: str, value: str | None) -> None:
        """Give a version a tag, or take it away."""
        named = {"name": self.name, "version": number, "key": tag}
        if value is None:
            self._send("DELETE", "mlflow/model-versions/delete-tag", named)
        else:
            self._send("POST", "mlflow/model-versions/set-tag", {**named, "value": value})

    def _ask(self, what: str, missing: Any = ..., **query: str) -> Any:
        """Ask for JSON; ``missing`` is the answer where there is no such alias, or no such model yet."""
        return json.loads(self._send("GET", f"mlflow/{what}?{urllib.parse.urlencode(query)}", missing=missing))

    def _send(self, method: str, path: str, body: Any = None, missing: Any = ...) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        headers = {**self._headers, **({"Content-Type": "application/json"} if data else {})}
        url = f"{self._uri}/api/2.0/{path}"
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - http, from the settings
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
                return bytes(answer.read())
        except OSError as error:
            if isinstance(error, urllib.error.HTTPError) and error.code in (400, 404) and missing is not ...:
                return json.dumps(missing).encode()
            raise self._fault(error) from error

    def _fault(self, error: Exception) -> UserError:
        if isinstance(error, urllib.error.HTTPError) and error.code in (401, 403):
            sent = "these credentials" if self._headers else "requests without credentials"
            where = "MLFLOW_TRACKING_USERNAME and _PASSWORD, or MLFLOW_TRACKING_TOKEN"
            fix = "correct them in the environment or .env; what was fetched before is served meanwhile"
            return UserError(f"the registry refuses {sent}: {error}", where, fix)
        fix = "start it; what was fetched before is served meanwhile"
        return UserError(f"the registry does not answer: {error}", "MLFLOW_TRACKING_URI", fix)


def _version(row: dict[str, Any]) -> Version:
    tags = {tag["key"]: tag["value"] for tag in row.get("tags", [])}
    return Version(str(row["version"]), tags, str(row.get("run_id", "")))


def authorization(user: str | None, password: str | None, token: str | None) -> dict[str, str]:
    """Return the header for the user or token; where both are set it is the user, as in MLflow's own client."""
    if user and password:
        return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}
    return {"Authorization": f"Bearer {token}"} if token else {}
