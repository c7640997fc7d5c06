"""A real headless Chromium, driven over a pipe with the DevTools protocol, and a server of files for it.

No package is needed for it: messages are JSON, each ended by a zero byte, on the file descriptors 3 and 4.
"""

import contextlib
import functools
import http.server
import importlib.resources
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Containers have no user namespaces for the sandbox; the pages are the project's own.
FLAGS = "--headless=new --remote-debugging-pipe --no-sandbox --disable-gpu --no-first-run --disable-dev-shm-usage"
TIMEOUT = 60.0
# What every module of the page imports.
LANGUAGE = Path(__file__).parents[1] / "{{cookiecutter.project_slug}}/engine/src/fullstack_ml/edge/page/language.js"


class Page:
    """One tab: `call` sends a command of the protocol, `events` are all that it reported so far."""

    def __init__(self, commands: int, answers: int) -> None:
        """Open a tab; the descriptors are the two ends of Chromium's pipes."""
        self.commands, self.answers = commands, answers
        self.numbers, self.buffer, self.session = itertools.count(1), b"", ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """Send a command and return its result."""
        number = next(self.numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while (answer := self.receive()).get("id") != number:
            self.events.append(answer)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def receive(self) -> dict[str, Any]:
        """Wait for the next message."""
        while b"\0" not in self.buffer:
            part = os.read(self.answers, 1 << 20)
            assert part, "Chromium has ended"
            self.buffer += part
        message, _, self.buffer = self.buffer.partition(b"\0")
        received: dict[str, Any] = json.loads(message)
        return received

    def run(self, script: str, **values: Any) -> Any:
        """Run the body of an async function, with `values` as its variables, and return what it returns."""
        given = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in values.items())
        expression = f"(async () => {{ {given}{script} }})()"
        done = self.call(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            timeout=TIMEOUT * 1000,
        )
        assert "exceptionDetails" not in done, done["exceptionDetails"]["exception"].get("description")
        return done["result"].get("value")

    def open(self, url: str, until: str) -> None:
        """Load a page and wait until the JavaScript expression `until` holds in it."""
        self.call("Page.navigate", url=url)
        waiting = f"while (!({until})) {{ await new Promise((again) => setTimeout(again, 5)); }}"
        for _ in range(5):  # a document that is replaced while the script waits in it ends the script
            with contextlib.suppress(AssertionError):
                self.run(f"if (location.href === 'about:blank') throw 0; {waiting}")
                return
        raise AssertionError(f"{url}: {until} never held")

    def drag(self, points: list[tuple[float, float]]) -> None:
        """Press the pointer at the first point of the viewport, move it along the others, and let go."""
        for kind, (x, y) in [
            ("mousePressed", points[0]),
            *(("mouseMoved", p) for p in points),
            ("mouseReleased", points[-1]),
        ]:
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def seen(self, method: str) -> list[dict[str, Any]]:
        """Return the parameters of every event of this kind so far."""
        self.call("Runtime.evaluate", expression="0")  # whatever was under way has been reported by then
        return [event["params"] for event in self.events if event.get("method") == method]


@contextlib.contextmanager
def chromium(*flags: str) -> Iterator[Page]:
    """Start a browser with an empty profile, give one tab of it, and end it."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    assert program, f"none of {', '.join(NAMES)} is installed: apt-get install chromium"
    theirs_in, commands = os.pipe()
    answers, theirs_out = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        shell = f'exec 3<&{theirs_in} 4>&{theirs_out}; exec "$@"'
        command = ["bash", "-c", shell, "-", program, *FLAGS.split(), f"--user-data-dir={profile}", *flags]
        with subprocess.Popen(
            command,
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            os.close(theirs_in)
            os.close(theirs_out)
            try:
                yield Page(commands, answers)
            finally:
                process.terminate()
                process.wait()
                os.close(commands)
                os.close(answers)


def barriers(page: Page) -> list[str]:
    """List what axe finds on the open page that shuts people out, seriously or wholly, such as text too pale."""
    axe = importlib.resources.files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    page.call("Runtime.evaluate", expression=axe)
    found = page.run("return (await axe.run(document, {resultTypes: ['violations']})).violations")
    return [
        f"{one['id']}: {node['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serve files as `python -m http.server` does, without a line for each."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on a free port of 127.0.0.1 and give its URL."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def beside(folder: Path, modules: Iterable[Path]) -> Iterator[Page]:
    """Open an empty page in ``folder``, beside copies of JavaScript modules that it may import."""
    for module in (*modules, LANGUAGE):
        shutil.copy(module, folder / module.name)
    (folder / "index.html").write_text("<!doctype html><main></main>", encoding="utf-8")
    with served(folder) as url, chromium() as opened:
        opened.open(url, "document.querySelector('main')")
        yield opened
