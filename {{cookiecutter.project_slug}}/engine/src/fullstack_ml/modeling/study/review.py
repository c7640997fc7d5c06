"""Open the MLflow UI over the same store that the pipeline writes, on this machine only.

Reads and writes the store of ``tracking.py``; serves until it is stopped. Run: ``make mlflow``.
"""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from fullstack_ml.registry import local, tracking
from fullstack_ml.registry.versions import model_name
from fullstack_ml.workspace.errors import UserError, guard


def runs_of(store: Path | None) -> str:
    """Return the end of the address of the product's runs; nothing where no run is in the local store yet."""
    if store is None or not store.exists():
        return ""
    with closing(sqlite3.connect(store)) as database:
        query = "SELECT experiment_id FROM experiments WHERE name = ?"
        row = database.execute(query, [model_name()]).fetchone()
    return f"/{row[0]}/runs" if row else ""


def main() -> None:
    """Replace this process by ``mlflow server`` on 127.0.0.1, or say where the team's server is."""
    uri = tracking.tracking_uri()
    if uri.startswith("http"):
        print(f"the runs are on {tracking.without_password(uri)}")
        return
    port = sys.argv[1] if len(sys.argv) > 1 else "5000"
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise UserError(f"PORT is {port!r}", "make mlflow PORT=5000", "give a number from 1 to 65535")
    if "%" in sys.prefix:
        what, fix = "MLflow's server does not start below a folder with % in its name", "rename the folder, then make"
        raise UserError(what, sys.prefix, fix)
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")  # halves start and memory
    artifacts, store = tracking.artifact_root(), tracking.local_store()
    assert artifacts, "only a server decides itself"
    if store and not store.exists():
        tracking.connect()  # makes the tables and the experiment
    local.bring_home(store, artifacts)
    print("starting MLflow, which takes some seconds; stop it with Ctrl-C. In the browser:")
    print(f"  http://127.0.0.1:{port}/#/experiments{runs_of(tracking.local_store())}   the runs")
    print(f"  http://127.0.0.1:{port}/#/models/{model_name()}   the versions and the champion")
    server = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port]
    stores = ["--backend-store-uri", uri, "--artifacts-destination", artifacts]
    os.execv(sys.executable, [*server, *stores, "--workers", "1"])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    guard(main)
