"""Where a version came from: the reference in its artefact, when it was made, and how new its data is.

Reads the served folder, the registry and ``data/raw``; writes nothing. What cannot be had is None, with a reason: the
rest is watched all the same.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from fullstack_ml.artefact.session import Artefact
from fullstack_ml.pages.words import words
from fullstack_ml.pipeline.tables import raw
from fullstack_ml.registry import tracking
from fullstack_ml.registry.versions import model_name
from fullstack_ml.serving.deployment import fetched
from fullstack_ml.serving.settings import Settings
from fullstack_ml.workspace.errors import UserError, first_line
from fullstack_ml.workspace.files import sha256


class Origins:
    """Asks the registry once, and only if something is not here."""

    def __init__(self, settings: Settings) -> None:
        """Name the places; nothing is read yet."""
        self._settings = settings
        self._mlflow: Any = None
        self._known: dict[str, tuple[dict[str, Any] | None, str]] = {}

    def reference(self, version: str) -> tuple[dict[str, Any] | None, str]:
        """Return the reference of a version, or None and why there is none."""
        if version not in self._known:
            try:
                metadata = Artefact(self._file(version)).metadata
            except (UserError, OSError, ValueError) as error:
                text = "version %(version)s cannot be had: %(error)s"
                self._known[version] = None, words(text, version=version, error=first_line(error))
            else:
                kept = metadata.get("reference")
                why = words("version %(version)s has no reference: it was made before there was one", version=version)
                self._known[version] = (json.loads(kept), "") if kept else (None, why)
        return self._known[version]

    def _file(self, version: str) -> Path | bytes:
        if version.startswith("file-"):  # SERVE_MODEL names a file
            path = Path(self._settings.model)
            if not path.is_file() or not sha256(path).startswith(version.removeprefix("file-")):
                raise UserError(f"{path} is another file now", "SERVE_MODEL", "name the file that is served")
            return path
        for known in fetched(self._settings.folder).values():
            path = self._settings.folder / Path(known.file).name
            if known.version == version and path.is_file():
                return path
        return tracking.ClientRegistry(self.mlflow()).artefact(version)

    def mlflow(self) -> Any:
        """Return the connected module; raise a ``UserError`` where the store does not answer, or is not there."""
        store = tracking.local_store()
        if store and not store.exists():  # to connect would make it
            raise UserError(f"there is no store {store}", "MLFLOW_TRACKING_URI", "make, which registers a version")
        self._mlflow = self._mlflow or tracking.connect()
        return self._mlflow

    def made(self, version: str) -> datetime | None:
        """Return when a version was made; None where the registry does not know it."""
        if version.startswith("file-"):
            path = Path(self._settings.model)
            return datetime.fromtimestamp(path.stat().st_mtime, UTC) if path.is_file() else None
        found = attempt(lambda: self.mlflow().MlflowClient().get_model_version(model_name(), version))
        return datetime.fromtimestamp(found.creation_timestamp / 1000, UTC) if found else None

    def newest(self, version: str) -> datetime | None:
        """Return when the newest record was that a version was made from, or else when the last one was collected."""
        known, _ = self.reference(version)
        if known and known["newest"]:
            return datetime.fromisoformat(known["newest"]).replace(tzinfo=UTC)
        last = attempt(lambda: raw().select(pl.col("collected_at").max()).collect().item())
        return last.replace(tzinfo=UTC) if isinstance(last, datetime) else None


def attempt(question: Callable[[], Any]) -> Any:
    """Return the answer, or None where whoever is asked does not answer."""
    try:
        return question()
    except Exception:  # what a store raises differs from store to store, and the rest is watched all the same
        return None
