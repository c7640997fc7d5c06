"""Start and stop Label Studio on this machine, in an environment of its own.

Reads ``conf/annotation.yaml``; writes ``.labelstudio/``, which git ignores: the database, ``server.log``, ``pid``,
``watch.pid`` of what copies annotations, and ``access.json`` with token and passwords, for the owner of the folder
only. Listens on 127.0.0.1. A team's own server is used instead when LABEL_STUDIO_URL and LABEL_STUDIO_TOKEN are set.
Run: ``make annotate``, ``make annotate-stop``.
"""

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

from fullstack_ml.pipeline.config import Annotation
from fullstack_ml.workspace.errors import UserError, guard
from fullstack_ml.workspace.files import read_json, write_json

FOLDER = Path(".labelstudio")
ACCESS, PID, LOG = FOLDER / "access.json", FOLDER / "pid", FOLDER / "server.log"
OWNER = "owner"
WATCH = FOLDER / "watch.pid"  # of what copies annotations while the server runs


def email(name: str) -> str:
    """Return the address with which an annotator signs in: Label Studio knows people by e-mail."""
    return name if "@" in name else f"{name}@localhost"


def access(names: list[str]) -> dict[str, Any]:
    """Return token and passwords, and make those that are missing; only the owner of the folder can read them."""
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    known: dict[str, Any] = {"token": secrets.token_hex(20), "passwords": {}}
    if ACCESS.exists():
        known = read_json(ACCESS)
    missing = [name for name in (OWNER, *names) if name not in known["passwords"]]
    if missing:
        known["passwords"] |= {name: secrets.token_urlsafe(9) for name in missing}
        write_json(ACCESS, known)
        ACCESS.chmod(0o600)
    return known


def place(settings: Annotation) -> tuple[str, str]:
    """Return the URL and the token of the server to use.

    Raises:
        UserError: if Label Studio was never started here.
    """
    if "LABEL_STUDIO_URL" in os.environ:
        return os.environ["LABEL_STUDIO_URL"].rstrip("/"), os.environ.get("LABEL_STUDIO_TOKEN", "").strip()
    if not ACCESS.exists():
        raise UserError("Label Studio was never started here", str(ACCESS), "make annotate")
    return f"http://127.0.0.1:{settings.port}", access([])["token"]


def answers(url: str, token: str) -> bool:
    """Tell whether Label Studio answers at ``url`` and knows ``token``; a ``UserError`` if something else answers."""
    try:
        health = httpx.get(f"{url}/health", timeout=5)
        who = httpx.get(f"{url}/api/current-user/whoami", headers={"Authorization": f"Token {token}"}, timeout=30)
    except httpx.TransportError:
        return False
    if "UP" not in health.text or who.status_code != httpx.codes.OK:
        fix = "stop it, or give another port in conf/annotation.yaml"
        raise UserError("another program, or the Label Studio of another project, is on the port", url, fix)
    return True


def environment(token: str, password: str) -> dict[str, str]:
    """Return the settings of Label Studio: local, closed, silent."""
    settings = {
        "BASE_DATA_DIR": str(FOLDER.resolve()),
        "USERNAME": email(OWNER),
        "PASSWORD": password,
        "USER_TOKEN": token,
        "ENABLE_LEGACY_API_TOKEN": "true",
        "DISABLE_SIGNUP_WITHOUT_LINK": "true",
    }
    # The number of the item among all, such as 3 of 50; without it the screen says 1 of 1.
    progress = {"fflag_fix_all_optic_79_task_count_is_wrong_short": "true"}
    others = {"COLLECT_ANALYTICS": "false", "LATEST_VERSION_CHECK": "false", "SSRF_PROTECTION_ENABLED": "true"}
    return {**os.environ, **{f"LABEL_STUDIO_{name}": value for name, value in settings.items()}, **others, **progress}


def start(settings: Annotation) -> None:
    """Start Label Studio unless it runs, and wait until it answers.

    Raises:
        UserError: if it ends, or does not answer within ``patience`` seconds.
    """
    known = access(settings.annotators)
    url, token = place(settings)
    if answers(url, token):
        return
    uv = Path(shutil.which(os.environ.get("UV", "uv")) or ".uv/bin/uv").resolve()
    tool = [str(uv), "tool", "run", "--python", sys.executable]
    tool += ["--from", f"label-studio=={settings.version}", "label-studio", "start", "--no-browser"]
    tool += ["--internal-host", "127.0.0.1", "--port", str(settings.port)]
    print(f"annotate: starting Label Studio {settings.version}; the first time this takes minutes", flush=True)
    with LOG.open("wb") as log:
        # A session of its own: Ctrl-C here does not end it, and make annotate-stop ends all of it.
        process = subprocess.Popen(
            tool, env=environment(token, known["passwords"][OWNER]), cwd=FOLDER, stdin=subprocess.DEVNULL,
            stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    PID.write_text(str(process.pid), encoding="utf-8")
    end = time.monotonic() + settings.patience
    while time.monotonic() < end and process.poll() is None:
        if answers(url, token):
            return
        time.sleep(0.5)
    code = process.poll()
    stop()
    last = LOG.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
    why = f"ended with {code}" if code is not None else f"did not answer in {settings.patience} s"
    raise UserError(f"Label Studio {why}: {' '.join(last)[:200]}", str(LOG), "read the log; see conf/annotation.yaml")


def running(file: Path = PID, name: str = "label-studio") -> psutil.Process | None:
    """Return the process whose number is in ``file``; None if it ended, and perhaps another has its number by now."""
    try:
        process = psutil.Process(int(file.read_text(encoding="utf-8")))
        return process if name in " ".join(process.cmdline()) else None
    except (psutil.Error, OSError, ValueError):
        return None


def watch() -> None:
    """Start what copies annotations again and again, unless it runs; it ends with Label Studio."""
    if running(WATCH, "annotation.watch"):
        return
    command = [sys.executable, "-m", f"{__package__}.watch"]
    with (FOLDER / "watch.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    WATCH.write_text(str(process.pid), encoding="utf-8")


def stop() -> bool:
    """End the Label Studio that ``start`` began, what copies from it, and nothing else; tell whether there was one."""
    found = [running(), running(WATCH, "annotation.watch")]
    PID.unlink(missing_ok=True)
    WATCH.unlink(missing_ok=True)
    family = []
    for process in found:
        with contextlib.suppress(psutil.Error):
            family += [*process.children(recursive=True), process] if process else []
    for end in (psutil.Process.terminate, psutil.Process.kill):
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                end(member)
        family = psutil.wait_procs(family, timeout=10)[1]
    return found[0] is not None


def main() -> None:
    """Stop the server."""
    print("annotate: Label Studio is stopped" if stop() else "annotate: no Label Studio of this project was running")


if __name__ == "__main__":
    guard(main)
