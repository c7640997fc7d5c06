"""Follow the local MLflow store: fetch what its aliases name, again whenever the store changes.

Reads ``mlflow.db``; writes the served folder. Runs in the project's environment beside ``make serve``, which has no
MLflow; with a tracking server the server follows by itself.
Run: ``python -m fullstack_ml.serving.follow <server's pid>``.
"""

import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from fullstack_ml.registry import tracking
from fullstack_ml.serving.deployment import bring
from fullstack_ml.serving.settings import Settings, read
from fullstack_ml.workspace import paths
from fullstack_ml.workspace.errors import guard


def once(settings: Settings, mlflow: Any = None) -> None:
    """Fetch what the aliases name now."""
    fault = bring(tracking.ClientRegistry(mlflow), settings.folder)
    if fault:
        logging.getLogger(__name__).error("%s", fault)


def stamp(store: Path) -> tuple[float, ...]:
    """Return when the database and its log were last written."""
    files = [path for path in (store, store.with_name(f"{store.name}-wal")) if path.exists()]
    return tuple(path.stat().st_mtime for path in files)


def watch(settings: Settings, store: Path, parent: int) -> None:
    """Fetch now and after every change until ``parent`` ends; in another process, so that no MLflow stays in memory."""
    seen = None
    while os.getppid() == parent:
        if (now := stamp(store)) and now != seen:
            seen = now  # of before: what is written while it fetches is fetched the next time
            subprocess.run([sys.executable, "-m", __spec__.name, "once"], check=False)
        time.sleep(settings.poll_seconds)


def main() -> None:
    """Fetch ``once``, or go on for as long as the parent runs, whose number is the argument."""
    settings, parent = read(), next(iter(sys.argv[1:]), str(os.getppid()))
    if parent == "once":
        once(settings)
    elif settings.model == "registry" and not settings.remote:
        watch(settings, paths.project_root() / "mlflow.db", int(parent))


if __name__ == "__main__":
    guard(main)
