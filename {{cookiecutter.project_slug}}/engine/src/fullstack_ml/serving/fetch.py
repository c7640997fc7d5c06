"""Bring the versions that the registry's aliases name into the served folder.

Writes ``<folder>/<sha256>.onnx`` and ``<folder>/arms.json``, each in one step. A registry that does not answer, or a
version that cannot be had, changes nothing: what was fetched before is served on.
"""

import hashlib
from pathlib import Path

import orjson

from fullstack_ml.registry.rest import RestRegistry, authorization
from fullstack_ml.registry.versions import CHALLENGER, CHAMPION, SHA256, Registry
from fullstack_ml.registry.versions import Version as Registered
from fullstack_ml.serving.model import Version
from fullstack_ml.serving.settings import Settings
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import replacing, write_text

KEPT = 3  # versions that stay beside those that are served


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
    known = read(folder)
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
        fix = "versions are registered by dvc repro; move the alias to one of them"
        raise UserError(f"{where} has no tag {SHA256}", where, fix)
    path = folder / f"{digest}.onnx"
    if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        data = registry.artefact(version.number)
        if hashlib.sha256(data).hexdigest() != digest:
            raise UserError(f"the file of {where} is not the one of its tag {SHA256}", where, "move the alias back")
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    return Version(registry.name, version.number, digest, path.name, version.tags)


def read(folder: Path) -> dict[str, Version]:
    """Return what was fetched; the files are relative to ``folder``."""
    path = folder / "arms.json"
    entries = orjson.loads(path.read_bytes()) if path.exists() else {}
    return {arm: Version(**entry) for arm, entry in entries.items()}
