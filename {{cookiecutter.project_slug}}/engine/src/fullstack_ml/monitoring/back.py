"""Take the champion back on an alarm whose row in ``product.yaml`` says ``rollback: true``.

Reads and writes the registry, as ``make rollback`` does. Nothing is taken back twice: only the version that the window
is about, and only while it is the champion.
"""

from typing import Any

from fullstack_ml.monitoring.origins import Origins
from fullstack_ml.registry.tracking import ClientRegistry
from fullstack_ml.registry.versions import CHAMPION
from fullstack_ml.serving.release import let_servers_have, rollback
from fullstack_ml.serving.settings import Settings
from fullstack_ml.workspace.errors import UserError


def take_back(alarms: list[dict[str, Any]], version: str | None, origins: Origins, settings: Settings) -> str | None:
    """Do it where one of the ``alarms`` asks for it; return what was done, or why it was not."""
    rows = [row["id"] for row in alarms if row["rollback"]]
    if not rows:
        return None
    try:
        mlflow = origins.mlflow()
        registry = ClientRegistry(mlflow)
        if registry.aliases().get(CHAMPION) != version:
            return f"{', '.join(rows)}: version {version} is not the champion any more, nothing is taken back"
        before, after = rollback(registry)
        let_servers_have(settings, mlflow)
    except UserError as error:
        return f"{', '.join(rows)}: version {version} could not be taken back: {error.what}"
    return f"{', '.join(rows)}: version {before} was taken back, {after} is champion again"
