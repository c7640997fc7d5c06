"""A store in SQLite beside its files: made by one process at a time, and at home wherever the project lies now.

Reads and writes ``mlflow.db``; holds ``mlflow.db.lock`` while the store is made.
"""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from fullstack_ml.registry.versions import model_name

# Where MLflow keeps the places of files, each as a URI with the folder in which the project lay then.
PLACES = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}


def escape_percent() -> None:
    """Let MLflow make its tables from below a folder with ``%`` in its name, which alembic reads as a sign."""
    import mlflow
    from alembic.config import Config

    plain = Config.set_main_option
    if "%" not in mlflow.__file__ or plain.__module__ == __name__:
        return

    def set_main_option(config: Config, name: str, value: str) -> None:
        plain(config, name, value.replace("%", "%%") if name == "script_location" else value)

    Config.set_main_option = set_main_option  # type: ignore[method-assign, assignment]


@contextmanager
def alone(store: Path | None) -> Iterator[None]:
    """Wait until no other process makes the tables of ``store``: two at once would make the same column twice."""
    if store is None:
        yield
        return
    with store.with_name(f"{store.name}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the system opens the lock of a process that was killed
        yield


def bring_home(store: Path | None, root: str | None) -> None:
    """Let a store that was moved or copied name the files at ``root``, which came with it, and not those it came from.

    Files that were meant to lie elsewhere (``MLFLOW_DEFAULT_ARTIFACT_ROOT``) stay where they are.
    """
    if store is None or root is None or not root.startswith("file:") or not store.exists():
        return
    with closing(sqlite3.connect(store)) as database, database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'logged_models'").fetchone():
            return  # a process was killed before it had made the tables
        found = database.execute("SELECT artifact_location FROM experiments WHERE name = ?", [model_name()]).fetchone()
        before = found[0] if found else root
        if before == root or not before.startswith("file:") or before.rpartition("/")[2] != root.rpartition("/")[2]:
            return
        for table, columns in PLACES.items():
            for column in columns:
                inside = f"substr({column} || '/', 1, length(:before) + 1) = :before || '/'"
                moved = f"UPDATE {table} SET {column} = :root || substr({column}, length(:before) + 1) WHERE {inside}"  # noqa: S608
                database.execute(moved, {"root": root, "before": before})
