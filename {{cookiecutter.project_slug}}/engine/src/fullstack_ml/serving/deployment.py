"""Which versions are served: champion and challenger, fetched, and swapped while requests run.

Reads the registry, or one ONNX file; writes ``<folder>/<sha256>.onnx`` and ``<folder>/arms.json``, each in one step.
The server fetches from a tracking server itself; from a local store ``follow.py`` does. A registry that does not
answer, or a version that cannot be had or fails its checks, changes nothing: the one before it is served on. A
challenger is served beside a champion or not at all.
"""

import hashlib
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
from pydantic import TypeAdapter

from fullstack_ml.product.types import Product
from fullstack_ml.registry.rest import RestRegistry, authorization
from fullstack_ml.registry.versions import CHALLENGER, CHAMPION, SHA256, Registry, model_name
from fullstack_ml.registry.versions import Version as Registered
from fullstack_ml.serving.model import Served, Version
from fullstack_ml.serving.settings import Settings
from fullstack_ml.workspace.errors import UserError, first_line
from fullstack_ml.workspace.files import replacing, sha256, write_text

LOG = logging.getLogger("uvicorn.error")
KEPT = 3  # versions that stay beside those that are served
Arms = dict[str, Served]
LIST = TypeAdapter(dict[str, Version])


def remote_registry(settings: Settings) -> Registry:
    """Return the registry of the tracking server that the settings name, and say who asks."""
    secrets = settings.tracking_password, settings.tracking_token
    password, token = (secret.get_secret_value() if secret else None for secret in secrets)
    return RestRegistry(settings.tracking_uri or "", authorization(settings.tracking_username, password, token))


def bring(registry: Registry, folder: Path) -> str | None:
    """Fetch what the aliases name; return what could not be had, or None.

    Raises:
        UserError: if the registry does not answer.
    """
    try:
        known = fetched(folder)
    except ValueError:
        known = {}  # damaged: it is written anew
    arms: dict[str, Version] = {}
    faults: list[str] = []
    for alias in (CHAMPION, CHALLENGER):
        found = registry.holder(alias)
        if found is None:
            continue
        try:
            arms[alias] = keep(registry, folder, found)
        except UserError as error:
            faults.append(error.what)
            if alias in known:
                arms[alias] = known[alias]
    text = orjson.dumps(arms, option=orjson.OPT_INDENT_2).decode() + "\n"
    path = folder / "arms.json"
    if arms and not (path.exists() and path.read_text(encoding="utf-8") == text):
        write_text(path, text)
        clear(folder, {version.file for version in arms.values()})
    return "; ".join(faults) or None


def clear(folder: Path, named: set[str]) -> None:
    """Delete the versions that no arm names but the ``KEPT`` newest: a rollback finds those without the registry."""
    others = [path for path in folder.glob("*.onnx") if path.name not in named and not path.name.startswith(".")]
    for path in sorted(others, key=lambda file: file.stat().st_mtime, reverse=True)[KEPT:]:
        path.unlink(missing_ok=True)


def keep(registry: Registry, folder: Path, version: Registered) -> Version:
    """Have the file of a version in ``folder``, with the bytes that the registry names."""
    where = f"{registry.name} version {version.number}"
    digest = version.tags.get(SHA256, "")
    if not digest:
        fix = "make registers versions; move the alias to one of them"
        raise UserError(f"{where} has no tag {SHA256}", where, fix)
    path = folder / f"{digest}.onnx"
    if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        data = registry.artefact(version.number)
        if hashlib.sha256(data).hexdigest() != digest:
            raise UserError(f"the file of {where} is not the one of its tag {SHA256}", where, "move the alias back")
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    return Version(registry.name, version.number, digest, path.name, version.tags)


def fetched(folder: Path) -> dict[str, Version]:
    """Return what was fetched; the files are relative to ``folder``.

    Raises:
        ValueError: if the list is damaged.
    """
    path = folder / "arms.json"
    return LIST.validate_json(path.read_bytes()) if path.exists() else {}


def read_arms(settings: Settings) -> dict[str, Version]:
    """Return the version of each arm; none where nothing was fetched yet."""
    if settings.model != "registry":
        file = Path(settings.model)
        if not file.is_file():
            raise UserError(f"{file} is not there", "SERVE_MODEL", "run dvc repro export, or use SERVE_MODEL=registry")
        digest = sha256(file)
        return {CHAMPION: Version(model_name(), f"file-{digest[:12]}", digest, str(file))}
    found = fetched(settings.folder)
    return {arm: replace(v, file=str(settings.folder / Path(v.file).name)) for arm, v in found.items()}


class Deployment:
    """``arms`` is replaced as a whole, so that a batch sees one state from its beginning to its end."""

    def __init__(self, settings: Settings, product: Product, example: np.ndarray) -> None:
        """Name the place of the versions; ``refresh`` loads them."""
        self._settings, self._product, self._example = settings, product, example
        self.arms: Arms = {}
        self.refused: str | None = None
        self.swaps = 0

    def refresh(self, fault: str | None = None) -> None:
        """Load what the aliases name now; keep what is served where that fails, or where fetching had a ``fault``."""
        try:
            wanted = read_arms(self._settings)
        except (UserError, OSError, ValueError) as error:
            self._refuse(f"the list of versions cannot be read: {first_line(error)}")
            return
        if self._settings.rollout == "off":
            wanted.pop(CHALLENGER, None)
        arms, faults = dict(self.arms), [fault] if fault else []
        for arm, version in wanted.items():
            if arm in arms and arms[arm].version == version:
                continue
            same = [served for served in self.arms.values() if served.version.sha256 == version.sha256]
            try:
                arms[arm] = same[0].renamed(version) if same else Served(version, self._product, self._example)
            except UserError as error:
                faults.append(error.what)
                if arm == CHALLENGER:
                    arms.pop(CHALLENGER, None)
        if CHALLENGER not in wanted or CHAMPION not in arms:
            arms.pop(CHALLENGER, None)
        self._refuse("; ".join(faults) or None)
        if [served.version for served in arms.values()] != [served.version for served in self.arms.values()]:
            said = ", ".join(
                f"{arm} {served.version.name} version {served.version.version}" for arm, served in arms.items()
            )
            LOG.info("serving %s", said)
            self.swaps += 1
            self.arms = arms

    def _refuse(self, why: str | None) -> None:
        if why and why != self.refused:
            LOG.error("%s", why)
        self.refused = why
