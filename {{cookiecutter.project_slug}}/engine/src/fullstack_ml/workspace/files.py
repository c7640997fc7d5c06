"""Write files so that a reader never sees half of one.

Everything is written under a temporary name in the same folder, flushed to disk and renamed, so that a killed stage
leaves either the old file or the new one, and ``dvc commit`` can never record a partial file.
"""

import glob
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from fullstack_ml.workspace.errors import UserError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; when the block ends well, it takes the place of ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    _remove_left(path)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except OSError as error:
        if not error.filename or error.filename == str(temporary):
            error.filename = str(path)  # a full disk does not say of which file, and the other name means nothing
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _remove_left(path: Path) -> None:
    """Remove what killed processes left of ``path``: a copy that nobody forgets, and nobody finds."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with suppress(ValueError, OverflowError, PermissionError):  # no number of a process, or somebody else's
            try:
                os.kill(int(left.name.split(".")[-2]), 0)
            except ProcessLookupError:
                left.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 in one step."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_texts(texts: Mapping[Path, str]) -> None:
    """Write several files, all or none, and put them in their places in the order given."""
    with ExitStack() as stack:
        for path, text in reversed(list(texts.items())):
            for folder in reversed([folder for folder in path.parents if not folder.exists()]):
                folder.mkdir()
                stack.callback(_remove_empty, folder)
            stack.enter_context(replacing(path)).write_text(text, encoding="utf-8")


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # it holds what was written
        folder.rmdir()


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON; NaN and infinity are refused, since JSON has no word for them."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        UserError: if it is not JSON, such as after a merge that git could not finish.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        fix = f"bring it back: git checkout {path}; where git does not keep it, dvc checkout --force {path}"
        raise UserError(f"{path.name} is damaged: {error}", str(path), fix) from error


def sha256(path: Path) -> str:
    """Return the hex SHA-256 of a file's bytes."""
    return digest(path, "sha256")


def digest(path: Path, method: str = "md5") -> str:
    """Return the hex digest of a file's bytes, by default the MD5 by which DVC names it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(method, usedforsecurity=False)).hexdigest()
