"""Which versions are served: champion and challenger, swapped while requests run.

Reads ``<folder>/arms.json``, which ``follow`` (local store) or the server itself (tracking server) keeps up to date,
or one ONNX file; writes nothing. A version that fails its checks is never swapped in: the one before it goes on.
A challenger is served beside a champion or not at all.
"""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from fullstack_ml.product.types import Product
from fullstack_ml.registry.versions import CHALLENGER, CHAMPION, model_name
from fullstack_ml.serving import fetch
from fullstack_ml.serving.model import Served, Version
from fullstack_ml.serving.settings import Settings
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import sha256

LOG = logging.getLogger("uvicorn.error")
Arms = dict[str, Served]


def read_arms(settings: Settings) -> dict[str, Version]:
    """Return the version of each arm; none where nothing was fetched yet."""
    if settings.model != "registry":
        file = Path(settings.model)
        if not file.is_file():
            raise UserError(f"{file} is not there", "SERVE_MODEL", "run dvc repro export, or use SERVE_MODEL=registry")
        digest = sha256(file)
        return {CHAMPION: Version(model_name(), f"file-{digest[:12]}", digest, str(file))}
    found = fetch.read(settings.folder)
    return {arm: replace(version, file=str(settings.folder / version.file)) for arm, version in found.items()}


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
        except (UserError, OSError, ValueError, TypeError) as error:
            self._refuse(f"the list of versions cannot be read: {str(error).splitlines()[0]}")
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
