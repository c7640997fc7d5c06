"""Open the MLflow UI over the same store that the pipeline writes, on this machine only.

Reads and writes the store of ``tracking.py``; serves until it is stopped. Run: ``make mlflow``.
"""

import os
import sys

from fullstack_ml.registry import tracking
from fullstack_ml.registry.versions import model_name
from fullstack_ml.workspace.errors import UserError, guard


def main() -> None:
    """Replace this process by ``mlflow server`` on 127.0.0.1, or say where the team's server is."""
    uri = tracking.tracking_uri()
    if uri.startswith("http"):
        print(f"the runs are on {tracking.without_password(uri)}")
        return
    port = sys.argv[1] if len(sys.argv) > 1 else "5000"
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise UserError(f"PORT is {port!r}", "make mlflow PORT=5000", "give a number from 1 to 65535")
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")  # halves start and memory
    artifacts = tracking.artifact_root()
    assert artifacts, "only a server decides itself"
    print(f"starting MLflow on http://127.0.0.1:{port}, stop it with Ctrl-C; look at {model_name()}")
    server = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port]
    stores = ["--backend-store-uri", uri, "--artifacts-destination", artifacts]
    os.execv(sys.executable, [*server, *stores, "--workers", "1"])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    guard(main)
